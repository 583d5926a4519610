//! Answers that rest on a knowledge base, in all three APIs.

use std::collections::HashMap;

use gaia_core::fakes::FakeKnowledge;
use gaia_core::knowledge::{CollectionSpec, Plan, Point, PointId, SearchMode, Target};
use gaia_protocol::{Role, Task};
use serde_json::{Value, json};

use super::responses::frames;
use super::*;
use crate::config::KnowledgeConfig;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn plan(agentic: bool) -> Plan {
    let target = Target { collection: "book".into(), limit: 3, score_threshold: None };
    let (targets, mode) = (vec![target], SearchMode::Words);
    Plan { targets, mode, context_window: 1, agentic, ..Plan::default() }
}

/// A server whose model plays `scripts` in turn and answers by `plan`.
async fn knowing(scripts: Vec<Script>, plan: Plan) -> (Server, Arc<FakeModel>) {
    let chat = FakeModel::new("chat", ModelKind::Chat).answering_in_turn(scripts).counting(3);
    let chat = Arc::new(chat);
    let payload = json!({"source": "a value has one owner", "document": "book.md"});
    let payload = payload.as_object().cloned().expect("an object");
    let point = Point { id: PointId::Number(7), vector: vec![1.0], payload };
    let spec = CollectionSpec { dimension: 1, ..CollectionSpec::default() };
    let knowledge = Arc::new(FakeKnowledge::holding("book", spec, vec![point]));
    let config = KnowledgeConfig::in_folder(std::env::temp_dir());
    let (server, auth) = (ServerConfig::default(), AuthConfig::default());
    let state = State::new(&server, &auth, vec![chat.clone()], storage());
    let plans = HashMap::from([("chat".to_owned(), plan)]);
    (Server::serving(state.knowing(knowledge, config, plans)).await, chat)
}

fn searching(query: &str) -> Script {
    let text = json!({"query": query}).to_string();
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
    vec![
        Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }),
        Ok(Event::ToolCall { index: 0, name: "search_knowledge".into(), tokens: 1 }),
        Ok(Event::ToolArguments { index: 0, text, tokens: 3 }),
        Ok(Event::finish(FinishReason::ToolCalls, usage)),
    ]
}

fn found() -> Vec<Script> {
    vec![searching("owner"), paris()]
}

/// A request of each API that asks the same.
fn body(path: &str, question: &str) -> Value {
    let messages = json!([{"role": "user", "content": question}]);
    match path {
        RESPONSES => json!({"input": question}),
        MESSAGES => json!({"max_tokens": 99, "messages": messages}),
        _ => json!({"messages": messages}),
    }
}

async fn ask(server: &Server, path: &str, body: &Value) -> Value {
    let answer = server.client.post(path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

async fn stream(server: &Server, path: &str, mut body: Value) -> Vec<Value> {
    body["stream"] = json!(true);
    let answer = server.client.post(path, &body.to_string()).await;
    if path != CHAT {
        return frames(&answer.body).into_iter().map(|(_, data)| data).collect();
    }
    let data = answer.body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let data = data.filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

/// Where in a stream citations stand, and which.
fn cited(frames: &[Value]) -> Vec<(usize, Value)> {
    let of = |frame: &Value| {
        let places = ["/citations", "/message/citations", "/response/citations"];
        places.iter().find_map(|place| frame.pointer(place)).cloned()
    };
    frames.iter().enumerate().filter_map(|(at, frame)| Some((at, of(frame)?))).collect()
}

#[tokio::test]
async fn every_api_answers_with_its_models_knowledge() {
    for path in [CHAT, RESPONSES, MESSAGES] {
        let (server, chat) = knowing(vec![paris()], plan(false)).await;
        let answer = ask(&server, path, &body(path, "owner")).await;
        let citation = &answer["citations"][0];
        assert_eq!((&citation["number"], &citation["id"]), (&json!(1), &json!("7")), "{path}");
        assert_eq!(citation["text"], "a value has one owner");
        let Some(Task::Chat(task)) = chat.tasks().pop() else { panic!("a chat task") };
        assert!(task.messages[0].content.contains("<passage number=\"1\""), "{path}");
        let mut none = body(path, "owner");
        none["knowledge"] = json!(false);
        assert!(ask(&server, path, &none).await.get("citations").is_none(), "{path}");
        none["knowledge"] = json!({"agentic": 7});
        let refused = server.client.post(path, &none.to_string()).await;
        assert!(refused.body.contains("knowledge.agentic"), "{}", refused.body);
    }
}

#[tokio::test]
async fn who_asked_and_found_nothing_hears_so() {
    for path in [CHAT, RESPONSES, MESSAGES] {
        let (server, _) = knowing(vec![paris()], plan(false)).await;
        let answer = ask(&server, path, &body(path, "weather")).await;
        assert_eq!(answer["citations"], json!([]), "{path}");
        let cited = cited(&stream(&server, path, body(path, "weather")).await);
        assert!(!cited.is_empty() && cited.iter().all(|(_, list)| *list == json!([])), "{path}");
        let (server, _) = knowing(vec![searching("weather"), paris()], plan(true)).await;
        let answer = ask(&server, path, &body(path, "Hi")).await;
        assert_eq!(answer["citations"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn a_search_of_the_model_is_part_of_one_answer() {
    let (server, chat) = knowing(found(), plan(true)).await;
    let answer = ask(&server, CHAT, &body(CHAT, "Who?")).await;
    let choice = &answer["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("Paris"), &json!("stop"))
    );
    assert!(choice["message"].get("tool_calls").is_none(), "{answer}");
    let usage = &answer["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(6), &json!(6)));
    assert_eq!(answer["citations"][0]["document"], "book.md");
    let Some(Task::Chat(task)) = chat.tasks().pop() else { panic!("a chat task") };
    assert_eq!(task.messages.last().expect("messages").role, Role::Tool);
    assert_eq!(server.state.node.admission.active(), 0);
}

#[tokio::test]
async fn a_streamed_search_is_cited_before_the_last_chunk() {
    let (server, _) = knowing(found(), plan(true)).await;
    let chunks = stream(&server, CHAT, body(CHAT, "Who?")).await;
    let cited_at: Vec<_> = cited(&chunks).into_iter().map(|(at, _)| at).collect();
    assert_eq!(cited_at, [chunks.len() - 2]);
    assert_eq!(chunks[chunks.len() - 1]["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
    // What was found before the answer began is named at once.
    let (server, _) = knowing(vec![paris()], plan(false)).await;
    let chunks = stream(&server, CHAT, body(CHAT, "owner")).await;
    let cited_at: Vec<_> = cited(&chunks).into_iter().map(|(at, _)| at).collect();
    assert_eq!(cited_at, [0]);
}

#[tokio::test]
async fn a_model_that_does_not_search_gives_a_plain_answer() {
    for path in [CHAT, RESPONSES, MESSAGES] {
        let (server, _) = knowing(vec![paris()], plan(true)).await;
        assert!(ask(&server, path, &body(path, "Hi")).await.get("citations").is_none());
        assert_eq!(cited(&stream(&server, path, body(path, "Hi")).await), []);
    }
}

#[tokio::test]
async fn responses_annotate_their_text() {
    let wanted =
        json!([{"type": "file_citation", "file_id": "7", "filename": "book.md", "index": 5}]);
    for (scripts, agentic) in [(found(), true), (vec![paris()], false)] {
        let (server, _) = knowing(scripts, plan(agentic)).await;
        let answer = ask(&server, RESPONSES, &body(RESPONSES, "owner")).await;
        assert_eq!(answer["output"][0]["content"][0]["annotations"], wanted);
        assert_eq!(answer["citations"][0]["id"], "7");
        let frames = stream(&server, RESPONSES, body(RESPONSES, "owner")).await;
        let added =
            frames.iter().find(|frame| frame["type"] == "response.output_text.annotation.added");
        assert_eq!(added.expect("told")["annotation"], wanted[0]);
        let last = &frames.last().expect("frames")["response"];
        assert_eq!(last["output"][0]["content"][0]["annotations"], wanted);
        assert_eq!(last["citations"][0]["id"], "7");
    }
}

#[tokio::test]
async fn messages_name_their_sources_once() {
    for (scripts, agentic, kind) in
        [(found(), true, "message_delta"), (vec![paris()], false, "message_start")]
    {
        let (server, _) = knowing(scripts, plan(agentic)).await;
        let frames = stream(&server, MESSAGES, body(MESSAGES, "owner")).await;
        let cited = cited(&frames);
        let [(at, citations)] = &cited[..] else { panic!("{cited:?}") };
        assert_eq!((&frames[*at]["type"], &citations[0]["id"]), (&json!(kind), &json!("7")));
    }
}

#[tokio::test]
async fn the_time_limit_holds_for_all_turns_together() {
    let later = vec![delta("One")];
    let chat = FakeModel::new("chat", ModelKind::Chat);
    let chat = chat.answering_in_turn(vec![searching("owner"), later]).counting(3).hanging();
    let chat = Arc::new(chat);
    let spec = CollectionSpec { dimension: 1, ..CollectionSpec::default() };
    let knowledge = Arc::new(FakeKnowledge::holding("book", spec, vec![]));
    let server = ServerConfig { request_timeout_ms: 200, ..ServerConfig::default() };
    let state = State::new(&server, &AuthConfig::default(), vec![chat.clone()], storage());
    let config = KnowledgeConfig::in_folder(std::env::temp_dir());
    let plans = HashMap::from([("chat".to_owned(), plan(true))]);
    let server = Server::serving(state.knowing(knowledge, config, plans)).await;
    let late = server.client.chat(QUESTION).await;
    assert_eq!((late.status, late.error()["code"].as_str()), (504, Some("time_limit")));
    assert_eq!((chat.cancelled(), server.state.node.admission.active()), (1, 0));
}
