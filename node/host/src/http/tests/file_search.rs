//! The tool `file_search` of `/v1/responses`, over fakes.

use serde_json::{Value, json};

use super::responses::frames;
use super::vector_stores::{Keeper, TEXT, good, model};
use super::*;
use crate::http::ids::new_id;
use crate::store::VectorLimits;

const RESPONSES: &str = "/v1/responses";

/// A node whose chat model plays `scripts`, and one store of one file.
struct Files {
    keeper: Keeper,
    chat: Arc<FakeModel>,
    store: String,
    file: String,
}

async fn files(scripts: Vec<Script>) -> Files {
    let chat = FakeModel::new("chat", ModelKind::Chat).answering_in_turn(scripts).counting(3);
    let chat = Arc::new(chat);
    let models = vec![model(), chat.clone()];
    let folder = std::env::temp_dir().join(new_id("gaia-http-"));
    let with = (VectorLimits::default(), models);
    let keeper = Keeper::of(folder, AuthConfig::default(), with).await;
    let file = keeper.file("foxes.md").await;
    let store = keeper.store(json!({"file_ids": [file]})).await;
    keeper.settled(&format!("/v1/vector_stores/{store}")).await;
    Files { keeper, chat, store, file }
}

impl Files {
    fn body(&self, more: Value) -> Value {
        let tool = json!({"type": "file_search", "vector_store_ids": [self.store],
            "max_num_results": 3});
        let mut body = json!({"model": "chat", "input": "quick foxes", "tools": [tool]});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    }

    async fn ask(&self, more: Value) -> Value {
        good(&self.keeper.post(RESPONSES, self.body(more)).await)
    }

    fn annotation(&self) -> Value {
        json!([{"type": "file_citation", "file_id": self.file, "filename": "foxes.md", "index": 5}])
    }
}

fn searching(query: &str) -> Script {
    let text = json!({"query": query}).to_string();
    vec![
        Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }),
        Ok(Event::ToolCall { index: 0, name: "search_knowledge".into(), tokens: 1 }),
        Ok(Event::ToolArguments { index: 0, text, tokens: 3 }),
        Ok(Event::finish(FinishReason::ToolCalls, Usage::default())),
    ]
}

#[tokio::test]
async fn a_search_of_the_model_is_an_item_and_its_text_cites_files() {
    let files = files(vec![searching("Foxes"), paris()]).await;
    let answer = files.ask(json!({})).await;
    let [call, message] = answer["output"].as_array().expect("items").as_slice() else {
        panic!("{answer}")
    };
    assert_eq!(
        (&call["type"], &call["status"], &call["queries"], &call["results"]),
        (&json!("file_search_call"), &json!("completed"), &json!(["Foxes"]), &Value::Null)
    );
    assert_eq!(message["content"][0]["annotations"], files.annotation());
    assert_eq!(answer["tools"][0]["vector_store_ids"][0], files.store);
    assert_eq!(answer["tools"][0]["ranking_options"]["ranker"], "auto");
}

#[tokio::test]
async fn a_demanded_search_is_made_at_once_and_shows_its_results() {
    let files = files(vec![paris()]).await;
    let include = json!(["file_search_call.results"]);
    for choice in [json!({"type": "file_search"}), json!("required")] {
        let answer = files.ask(json!({"tool_choice": choice, "include": include})).await;
        let call = &answer["output"][0];
        assert_eq!(call["queries"], json!(["quick foxes"]));
        let found = &call["results"][0];
        assert_eq!((&found["file_id"], &found["text"]), (&json!(files.file), &json!(TEXT)));
        assert_eq!((&found["filename"], &found["score"]), (&json!("foxes.md"), &json!(1.0)));
        assert_eq!(answer["output"][1]["content"][0]["annotations"], files.annotation());
    }
    let given = files.chat.tasks().pop().expect("a task");
    let gaia_protocol::Task::Chat(task) = given else { panic!("{given:?}") };
    assert!(task.tools.list.is_empty() && task.messages[0].content.contains(TEXT));
}

#[tokio::test]
async fn a_stream_tells_the_search_before_the_text() {
    let files = files(vec![searching("Foxes"), paris()]).await;
    let mut body = files.body(json!({}));
    body["stream"] = json!(true);
    let frames = frames(&files.keeper.post(RESPONSES, body).await.body);
    let names: Vec<_> = frames.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = [
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.output_item.added",
    ];
    assert_eq!(&names[2..8], &wanted);
    let (_, last) = frames.last().expect("frames");
    assert_eq!(last["response"]["output"][0]["type"], "file_search_call");
    // What was answered can be sent back, whole or by its name.
    let mut items = last["response"]["output"].as_array().cloned().expect("items");
    items.push(json!({"role": "user", "content": "And?"}));
    files.ask(json!({"input": items, "tools": []})).await;
    let previous = &last["response"]["id"];
    files.ask(json!({"previous_response_id": previous, "tools": []})).await;
}

#[tokio::test]
async fn what_may_not_be_searched_is_refused_and_none_is_none() {
    let files = files(vec![paris()]).await;
    let unknown = json!([{"type": "file_search", "vector_store_ids": ["vs_1"]}]);
    let refused = files.keeper.post(RESPONSES, files.body(json!({"tools": unknown}))).await;
    let param = Some("tools[0].vector_store_ids");
    assert_eq!((refused.status, refused.error()["param"].as_str()), (404, param));
    let both = files.body(json!({"knowledge": {"collections": ["a"]}}));
    let refused = files.keeper.post(RESPONSES, both).await;
    assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some("knowledge")));
    let answer = files.ask(json!({"tool_choice": "none"})).await;
    assert_eq!(answer["output"].as_array().map(Vec::len), Some(1));
    let filters = json!({"type": "eq", "key": "kind", "value": "food"});
    let tool = json!([{"type": "file_search", "vector_store_ids": [files.store],
        "filters": filters}]);
    let choice = json!({"type": "file_search"});
    let answer = files.ask(json!({"tools": tool, "tool_choice": choice})).await;
    assert_eq!(answer["output"][1]["content"][0]["annotations"], json!([]));
}
