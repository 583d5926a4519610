//! Models of other servers, against a server that does everything wrong that servers do.

mod fake;

use std::sync::Arc;
use std::time::Duration;

use gaia_core::{Admission, Model, ModelStatus, Models, Node, ServeError};
use gaia_core::{Served, chat, complete, embed, tokenize};
use gaia_protocol::{
    ChatTask, CompleteTask, EmbedTask, Event, FinishReason, Format, Input, Message, PictureSpot,
    PictureUrl, Sampling, Tool, ToolCall, ToolChoice, Tools, Usage,
};
use serde_json::{Value, json};

use self::fake::{Fake, Reply};
use super::Upstream;
use crate::config::{Config, Places, UpstreamConfig};

const KEY: &str = "sk-secret-1234";

fn config(url: &str, kind: &str, more: &str) -> UpstreamConfig {
    let text = format!(
        "[[upstreams]]\nname = \"m\"\nkind = \"{kind}\"\nurl = \"{url}\"\nmodel = \"their-m\"\n\
         connect_timeout_ms = 200\n{more}"
    );
    let places = Places {
        node_home: std::env::temp_dir(),
        user_home: "/home/ada".into(),
        config_folder: "/etc/gaia".into(),
    };
    Config::parse("the test's config", &text, places).expect("it is valid").upstreams.remove(0)
}

fn node(config: UpstreamConfig) -> (Node, Arc<Upstream>) {
    let upstream = Arc::new(Upstream::open(config).expect("it can be opened"));
    let models = Models::new(vec![]);
    let model = Arc::clone(&upstream) as Arc<dyn Model>;
    models.insert(Served { model, aliases: vec![] }).expect("the only one");
    (Node { models, admission: Admission::new(99), knowledge: None }, upstream)
}

/// A server that says nothing for this long has gone silent, in the tests of that.
const SILENCE: &str = "silence_timeout_ms = 300";

fn chat_with(fake: &Fake) -> (Node, Arc<Upstream>) {
    node(config(&fake.url, "chat", ""))
}

fn hello() -> ChatTask {
    let message = Message { content: "Hi".into(), ..Message::default() };
    ChatTask { messages: vec![message], ..ChatTask::default() }
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn end(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

/// What a server's answer comes to.
async fn outcome(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Result<String, ServeError> {
    outcome_with("", reply).await
}

/// The same, with more in the config.
async fn outcome_with(
    more: &str,
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<String, ServeError> {
    let fake = Fake::start(move |_| reply()).await;
    let (node, _) = node(config(&fake.url, "chat", more));
    let completion = chat(&node, Some("m"), hello())?.collect().await;
    assert_eq!(fake.asked().len(), 1, "nothing that was sent is sent again");
    completion.map(|completion| completion.text)
}

#[tokio::test]
async fn streams_that_are_no_answer_are_errors_that_say_so() {
    let good = || format!("data: {}\n\n", delta(json!({"content": "a"})));
    let long = format!("data: {}\n\n", "x".repeat(2 << 20));
    let not_utf8 = b"data: {\"choices\": [{\"delta\": {\"content\": \"\xff\"}}]}\n\n".to_vec();
    let ended = format!("{}data: [DONE]\n\n", good());
    let told =
        format!("{}data: {{\"error\": {{\"message\": \"no memory for {KEY}\"}}}}\n\n", good());
    for (stream, words) in [
        (good().into_bytes(), "broke off"),
        (format!("{}data: {{\"cho", good()).into_bytes(), "middle of an event"),
        (ended.into_bytes(), "broke off"),
        (b"data: nonsense\n\n".to_vec(), "can't be read"),
        (vec![], "broke off"),
        (long.into_bytes(), "longer than"),
        (not_utf8, "not UTF-8"),
        (told.into_bytes(), "no memory"),
    ] {
        let reply = move || Reply::stream(&stream);
        let error = outcome(reply).await.expect_err(words);
        assert!(matches!(&error, ServeError::Upstream { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn an_empty_reason_ends_no_answer() {
    let piece = |text: &str| {
        let delta = json!({"content": text});
        json!({"choices": [{"index": 0, "delta": delta, "finish_reason": ""}]})
    };
    let pieces = [piece("a"), piece("b"), end("stop")];
    let stream: String = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
    assert_eq!(outcome(move || Reply::stream(stream.as_bytes())).await.expect("an answer"), "ab");
}

#[tokio::test]
async fn answers_that_are_no_stream_are_errors_that_say_so() {
    let page = || Reply::new("200 OK", "content-type: text/html\r\n", "<html>");
    let whole = || Reply::json(&json!({"choices": []}));
    let packed = || {
        Reply::new("200 OK", "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n", "x")
    };
    let moved = || Reply::new("308 Moved", "location: http://127.0.0.1:1/\r\n", "");
    for (reply, words) in [
        (page as fn() -> Reply, "something else than an event stream"),
        (whole, "something else than an event stream"),
        (packed, "encoding"),
        (moved, "operator"),
        (Reply::none, "broke the connection"),
    ] {
        let error = outcome(reply).await.expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_an_answer_before_and_within_it() {
    let late = outcome_with(SILENCE, || Reply::none().held()).await.expect_err("no head");
    assert!(late.to_string().contains("did not answer within"), "{late}");
    let begun = format!("data: {}\n\n", delta(json!({"content": "a"})));
    let stalled = outcome_with(SILENCE, move || Reply::stream(begun.as_bytes()).held()).await;
    assert!(stalled.expect_err("silence").to_string().contains("sent nothing for"));
}

#[tokio::test]
async fn a_refused_key_is_told_to_nobody_and_a_full_server_says_when_to_come_back() {
    let said = format!("{{\"error\": {{\"message\": \"bad key {KEY}\"}}}}");
    let body = said.clone();
    let fake = Fake::start(move |_| Reply::new("401 Unauthorized", "", &body)).await;
    let file = std::env::temp_dir().join(crate::ids::new_id("gaia-key-"));
    std::fs::write(&file, format!("{KEY}\n")).expect("writable");
    let (node, upstream) = node(config(&fake.url, "chat", &format!("api_key_file = {file:?}")));
    std::fs::remove_file(file).expect("it was read");
    let error = chat(&node, None, hello()).expect("starts").collect().await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the server behind this model refuses this node's key; tell this node's operator"
    );
    assert!(fake.asked()[0].head.contains(&format!("authorization: bearer {KEY}")));
    let ModelStatus::Down { reason, .. } = upstream.status() else { panic!("it is of no use") };
    assert!(reason.contains("bad key [key]"), "{reason}");

    let full = || Reply::new("429 Too Many Requests", "retry-after: 7\r\n", "slow down");
    let retry_after = Duration::from_secs(7);
    let error = outcome(full).await.expect_err("full");
    assert!(
        matches!(error, ServeError::UpstreamBusy { retry_after: after, .. } if after == retry_after)
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_and_noticed_when_it_is_back() {
    let gone = Fake::start(|_| Reply::none()).await.url;
    let (node, upstream) = node(config(&gone, "chat", ""));
    assert_eq!(upstream.status(), ModelStatus::Loading { share: 0.0 });
    let error = chat(&node, None, hello()).expect("starts").collect().await.expect_err("gone");
    assert!(matches!(&error, ServeError::Unavailable { reason, .. } if !reason.contains("127.")));
    assert!(matches!(upstream.status(), ModelStatus::Down { .. }));
    assert!(node.models.are_ready(), "nobody waits for what is not required");

    let back = Fake::start(|_| Reply::new("404 Not Found", "", "")).await;
    let (_, upstream) = chat_with(&back);
    upstream.probe().await.expect("a server without a list of models is there");
    let ModelStatus::Ready(card) = upstream.status() else { panic!("it is there") };
    assert!(!serde_json::to_string(&card).expect("JSON").contains("127."));
    assert_eq!(back.asked()[0].line, "GET /v1/models");
}

#[tokio::test]
async fn a_dropped_answer_ends_the_connection_and_gives_its_place_back() {
    let begun = format!("data: {}\n\n", delta(json!({"content": "a"})));
    let fake = Fake::start(move |_| Reply::stream(begun.as_bytes()).held()).await;
    let (node, upstream) = node(config(&fake.url, "chat", "requests_max = 1"));
    let mut answer = chat(&node, None, hello()).expect("starts");
    assert_eq!(answer.next().await, Some(Ok(Event::text("a", 1))));
    let error = chat(&node, None, hello()).err().expect("full");
    assert!(error.to_string().contains("1 requests at once"), "{error}");
    assert_eq!(upstream.report().await.stats.sequences_active, 1);
    drop(answer);
    fake.left(1).await;
    let stats = upstream.report().await.stats;
    assert_eq!((stats.sequences_active, stats.cancelled_total), (0, 1));
}

#[tokio::test]
async fn what_can_not_be_passed_on_is_refused_by_name_and_not_sent() {
    let fake = Fake::start(|_| Reply::none()).await;
    let (node, _) = chat_with(&fake);
    let format = || Format::Grammar("root ::= \"a\"".into());
    let refused = |error: Option<ServeError>, name: &str| {
        let error = error.expect("refused");
        assert!(matches!(&error, ServeError::Invalid { param: Some(param), .. } if param == name));
    };
    refused(chat(&node, None, ChatTask { format: format(), ..hello() }).err(), "grammar");
    let text = |format| CompleteTask { prompt: "a".into(), format, ..CompleteTask::default() };
    refused(complete(&node, None, vec![text(format())], 1).err(), "grammar");
    refused(complete(&node, None, vec![text(Format::JsonObject)], 1).err(), "response_format");
    let counted = tokenize(&node, Some("m"), gaia_protocol::TokenizeTask::default()).await;
    refused(counted.err(), "model");
    assert!(fake.asked().is_empty());
}

fn conversation() -> ChatTask {
    let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() };
    let (role, reasoning) = (gaia_protocol::Role::Assistant, Some("hm".into()));
    let calling = Message { role, reasoning, tool_calls: vec![call], ..Message::default() };
    let (role, tool_call_id) = (gaia_protocol::Role::Tool, Some("c1".into()));
    let answer = Message { role, content: "5".into(), tool_call_id, ..Message::default() };
    let parameters = Some(json!({"type": "object"}));
    let tool = Tool { name: "f".into(), description: None, parameters, strict: true };
    let tools = Tools { list: vec![tool], choice: ToolChoice::Named("f".into()), single: true };
    let sampling = Sampling {
        temperature: Some(0.7),
        top_k: Some(5),
        seed: Some(7),
        logit_bias: vec![(3, -1.0)],
        logprobs: Some(2),
        ..Sampling::default()
    };
    let mut task = hello();
    task.messages.extend([calling, answer]);
    let options = json!({"reasoning_effort": "none", "enable_thinking": false, "x": 1});
    ChatTask {
        tools,
        sampling,
        format: Format::JsonSchema(json!({"type": "object"})),
        template_options: options.as_object().expect("an object").clone(),
        max_tokens: Some(9),
        stop: vec!["END".into()],
        ..task
    }
}

#[tokio::test]
async fn all_that_a_request_says_is_passed_on() {
    let fake = Fake::start(|_| Reply::chunks(&[delta(json!({"content": "a"})), end("stop")])).await;
    let (node, _) = node(config(
        &fake.url,
        "chat",
        "max_tokens_field = \"max_completion_tokens\"\nheaders = { X-Org = \"ada\" }",
    ));
    chat(&node, None, conversation()).expect("starts").collect().await.expect("an answer");
    let asked = fake.asked().remove(0);
    assert_eq!(asked.line, "POST /v1/chat/completions");
    assert!(asked.head.contains("x-org: ada") && !asked.head.contains("authorization"));
    let function = json!({"name": "f", "parameters": {"type": "object"}, "strict": true});
    let schema = json!({"name": "answer", "strict": true, "schema": {"type": "object"}});
    let call =
        json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(
        asked.body,
        json!({"model": "their-m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": "Hi"},
                {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [call]},
                {"role": "tool", "content": "5", "tool_call_id": "c1"}],
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "parallel_tool_calls": false, "max_completion_tokens": 9, "stop": ["END"], "seed": 7,
            "temperature": 0.7, "top_k": 5, "logit_bias": {"3": -1.0}, "logprobs": true,
            "top_logprobs": 2, "reasoning_effort": "none", "chat_template_kwargs": {"x": 1},
            "response_format": {"type": "json_schema", "json_schema": schema}})
    );
}

#[tokio::test]
async fn pictures_are_passed_on_where_they_stand_and_held_until_the_end() {
    let fake = Fake::start(|_| Reply::chunks(&[delta(json!({"content": "a"})), end("stop")])).await;
    let (node, upstream) = node(config(&fake.url, "chat", "pictures = true"));
    assert!(upstream.takes_pictures() && !chat_with(&fake).1.takes_pictures());
    let urls: [Arc<str>; 2] =
        ["data:image/png;base64,AA==", "data:image/jpeg;base64,AQ=="].map(Into::into);
    let spot = |at, number| PictureSpot { at, number };
    let pictures = vec![spot(0, 1), spot(3, 0), spot(3, 1)];
    let message = Message { content: "é,b".into(), pictures, ..Message::default() };
    let picture_urls = urls.clone().map(|url| PictureUrl::new(Arc::new(url))).into();
    let task = ChatTask { messages: vec![message], picture_urls, ..ChatTask::default() };
    let running = chat(&node, None, task).expect("starts");
    assert!(Arc::strong_count(&urls[0]) > 1, "the answer holds them");
    running.collect().await.expect("an answer");
    assert_eq!(Arc::strong_count(&urls[0]), 1);
    let picture = |url: &Arc<str>| json!({"type": "image_url", "image_url": {"url": &**url}});
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        fake.asked()[0].body["messages"][0]["content"],
        json!([picture(&urls[1]), text("é,"), picture(&urls[0]), picture(&urls[1]), text("b")])
    );
}

#[tokio::test]
async fn an_answer_is_told_and_counted() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 6}});
    let call = json!({"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}});
    let fake = Fake::start(move |_| {
        Reply::chunks(&[
            delta(json!({"content": "häß"})),
            delta(json!({"tool_calls": [call]})),
            end("tool_calls"),
            json!({"choices": [], "usage": usage}),
        ])
    })
    .await;
    let (node, upstream) = chat_with(&fake);
    let answer = chat(&node, None, hello()).expect("starts").collect().await.expect("an answer");
    assert_eq!((answer.text.as_str(), answer.reason), ("häß", FinishReason::ToolCalls));
    assert_eq!(answer.tool_calls[0].name, "f");
    let usage =
        Usage { prompt_tokens: 10, completion_tokens: 4, cached_tokens: 6, ..Usage::default() };
    assert_eq!(answer.usage, usage);
    let stats = upstream.report().await.stats;
    let counted =
        [stats.prompt_tokens_total, stats.cached_tokens_total, stats.generated_tokens_total];
    assert_eq!((counted, stats.cancelled_total), ([4, 6, 4], 0));
    assert!(matches!(upstream.status(), ModelStatus::Ready(_)));
}

#[tokio::test]
async fn a_text_is_continued() {
    let chunk = json!({"choices": [{"index": 0, "text": " b", "finish_reason": "length"}]});
    let fake = Fake::start(move |_| Reply::chunks(std::slice::from_ref(&chunk))).await;
    let (node, _) = chat_with(&fake);
    let task = CompleteTask {
        prompt: Input::Tokens(vec![1, 2]),
        echo: true,
        max_tokens: Some(3),
        ..CompleteTask::default()
    };
    let mut answers = complete(&node, None, vec![task], 1).expect("starts");
    assert_eq!(answers.next().await, Some(Ok((0, Event::text(" b", 1)))));
    let asked = fake.asked().remove(0);
    assert_eq!(asked.line, "POST /v1/completions");
    assert_eq!(
        asked.body,
        json!({"model": "their-m", "stream": true, "stream_options": {"include_usage": true},
            "prompt": [1, 2], "echo": true, "max_tokens": 3})
    );
}

/// A vector for each input, in the wrong order.
fn vectors(input: &Value) -> Value {
    let entries = input.as_array().expect("a list").iter().enumerate();
    let mut data: Vec<_> =
        entries.map(|(i, _)| json!({"index": i, "embedding": [3, 4 * i]})).collect();
    data.reverse();
    json!({"data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}})
}

#[tokio::test]
async fn texts_become_vectors_of_length_one_in_batches() {
    let fake = Fake::start(|asked| match asked.line.as_str() {
        "POST /v1/embeddings" => Reply::json(&vectors(&asked.body["input"])),
        _ => Reply::json(&json!({"data": []})),
    })
    .await;
    let (node, upstream) = node(config(&fake.url, "embedding", ""));
    upstream.probe().await.expect("there");
    let ModelStatus::Ready(card) = upstream.status() else { panic!("it is there") };
    assert_eq!(card.embedding_dimension, 2);
    let inputs: Vec<_> = (0..70).map(|i: u32| Input::from(i.to_string())).collect();
    let made = embed(&node, Some("m"), EmbedTask { inputs }).await.expect("vectors");
    assert_eq!((made.vectors.len(), made.usage.prompt_tokens), (70, 4));
    assert_eq!((&made.vectors[1], &made.vectors[64]), (&vec![0.6, 0.8], &vec![1.0, 0.0]));
    assert_eq!(upstream.report().await.stats.embeddings_total, 70);
    let last = fake.asked().pop().expect("a request").body;
    assert_eq!((&last["model"], &last["encoding_format"]), (&json!("their-m"), &json!("float")));
    assert_eq!(last["input"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn vectors_that_were_not_asked_for_are_errors() {
    let entry = |index: u32, vector: Value| json!({"index": index, "embedding": vector});
    for (answer, words) in [
        (json!({"data": [entry(1, json!([1]))]}), "nobody asked for"),
        (json!({"data": [entry(0, json!([1, 2])), entry(0, json!([1, 2]))]}), "nobody asked for"),
        (json!({"data": []}), "too few"),
        (json!({"data": [entry(0, json!([]))]}), "empty, zero"),
        (json!({"data": [entry(0, json!([0, 0]))]}), "empty, zero"),
        (json!({"data": [entry(0, json!([1, 2, 3]))]}), "another length"),
        (json!({"data": [entry(0, json!("AAAA"))]}), "without vectors"),
        (json!([]), "without vectors"),
    ] {
        let fake = Fake::start(move |_| Reply::json(&answer)).await;
        let (node, _) = node(config(&fake.url, "embedding", "dimension = 2"));
        let task = EmbedTask { inputs: vec!["a".into()] };
        let error = embed(&node, None, task).await.expect_err(words);
        assert!(error.to_string().contains(words), "{error} should say {words}");
    }
}
