//! OpenAI's responses API.

use gaia_protocol::{Channel, Role, Task, TokenLogprob, TokenText};
use serde_json::{Value, json};

use super::*;
use crate::config::ApiKey;

const PATH: &str = "/v1/responses";

/// Thinks, speaks with probabilities, and calls a function.
pub fn everything() -> Script {
    let token = |text: &str| TokenText { id: 1, bytes: text.into() };
    let logprobs = vec![TokenLogprob {
        token: token("Let"),
        logprob: Some(-0.5),
        top: vec![(token("Let"), -0.5)],
    }];
    let (content, reasoning) = (Channel::Content, Channel::Reasoning);
    let usage =
        Usage { prompt_tokens: 9, completion_tokens: 7, cached_tokens: 4, reasoning_tokens: 2 };
    vec![
        Ok(Event::Prompt { tokens: 9, cached_tokens: 4 }),
        Ok(Event::Delta { text: "Hm".into(), tokens: 2, channel: reasoning, logprobs: vec![] }),
        Ok(Event::Delta { text: "Let".into(), tokens: 1, channel: content, logprobs }),
        Ok(Event::ToolCall { index: 0, name: "f".into(), tokens: 1 }),
        Ok(Event::ToolArguments { index: 0, text: "{\"a\"".into(), tokens: 1 }),
        Ok(Event::ToolArguments { index: 0, text: ":1}".into(), tokens: 1 }),
        Ok(Event::finish(FinishReason::ToolCalls, usage)),
    ]
}

/// Ids and times are new each time.
pub fn still(text: &str) -> String {
    let mut still = text.to_owned();
    for prefix in ["resp_", "msg_", "rs_", "fc_", "call_", "toolu_", "file-"] {
        let parts: Vec<_> = still.split(prefix).collect();
        let cut = |part: &str| match part.get(..24) {
            Some(id) if id.bytes().all(|byte| byte.is_ascii_hexdigit()) => part[24..].to_owned(),
            _ => part.to_owned(),
        };
        let rest = parts[1..].iter().map(|part| format!("{prefix}{}", cut(part)));
        still = [parts[0].to_owned()].into_iter().chain(rest).collect();
    }
    for name in ["\"created_at\":", "\"completed_at\":"] {
        let parts: Vec<_> = still.split(name).collect();
        let rest = parts[1..]
            .iter()
            .map(|part| format!("{name}{}", part.trim_start_matches(|c: char| c.is_ascii_digit())));
        still = [parts[0].to_owned()].into_iter().chain(rest).collect();
    }
    still
}

async fn ask(server: &Server, body: Value) -> Value {
    let answer = server.client.post(PATH, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn wrong_requests_are_named() {
    let server = Server::playing(paris()).await;
    for (body, status, param, code) in [
        (json!({}), 400, "input", ""),
        (json!({"input": "Hi", "n": 1}), 400, "n", "unknown_parameter"),
        (json!({"input": "Hi", "model": "none"}), 404, "model", "model_not_found"),
        (
            json!({"input": "Hi", "previous_response_id": "resp_1"}),
            400,
            "previous_response_id",
            "previous_response_not_found",
        ),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), 404, "input[0].id", ""),
    ] {
        let answer = server.client.post(PATH, &body.to_string()).await;
        let error = answer.error();
        assert_eq!(answer.status, status, "{body}: {error}");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{body}: {error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{body}: {error}");
    }
    for (line, status) in [
        ("GET /v1/responses/resp_1", 404),
        ("GET /v1/responses/resp_1?stream=true", 400),
        ("DELETE /v1/responses/resp_1", 404),
        ("GET /v1/responses/resp_1/input_items", 404),
        ("GET /v1/responses/resp_1/input_items?limit=0", 400),
    ] {
        assert_eq!(server.client.send(line, "", "").await.status, status, "{line}");
    }
}

#[tokio::test]
async fn a_whole_answer() {
    let server = Server::playing(everything()).await;
    let body = r#"{"input":"Hi","include":["message.output_text.logprobs"]}"#;
    let answer = server.client.post(PATH, body).await;
    assert_eq!(
        still(&answer.body),
        r#"{"id":"resp_","object":"response","created_at":,"completed_at":,"status":"completed","error":null,"incomplete_details":null,"model":"chat","output":[{"type":"reasoning","id":"rs_","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}],"status":"completed"},{"type":"message","id":"msg_","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5,"top_logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5}]}],"text":"Let"}]},{"type":"function_call","id":"fc_","call_id":"call_","name":"f","arguments":"{\"a\":1}","status":"completed"}],"background":false,"frequency_penalty":0.0,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":0.8,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":0.95,"truncation":"disabled","user":null,"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}"#
    );
}

/// The frames of a stream: names and data.
pub fn frames(body: &str) -> Vec<(String, Value)> {
    let frame = |frame: &str| {
        let (name, data) = frame.split_once('\n').expect("a name and data");
        let name = name.strip_prefix("event: ").expect("a name").to_owned();
        let data = data.strip_prefix("data: ").expect("data");
        (name, serde_json::from_str(data).expect("JSON"))
    };
    body.trim_end().split("\n\n").map(frame).collect()
}

#[tokio::test]
async fn a_stream_tells_everything_in_order() {
    let server = Server::playing(everything()).await;
    let answer = server.client.post(PATH, r#"{"input":"Hi","stream":true}"#).await;
    let frames = frames(&still(&answer.body).replace("_at\":,", "_at\":0,"));
    for (number, (name, data)) in frames.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let golden = [
        r#"response.created"#,
        r#"response.in_progress"#,
        r#"response.output_item.added {"output_index":0,"item":{"type":"reasoning","id":"rs_","summary":[],"content":[],"status":"in_progress"}}"#,
        r#"response.content_part.added {"item_id":"rs_","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":""}}"#,
        r#"response.reasoning_text.delta {"item_id":"rs_","output_index":0,"content_index":0,"delta":"Hm"}"#,
        r#"response.reasoning_text.done {"item_id":"rs_","output_index":0,"content_index":0,"text":"Hm"}"#,
        r#"response.content_part.done {"item_id":"rs_","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":"Hm"}}"#,
        r#"response.output_item.done {"output_index":0,"item":{"type":"reasoning","id":"rs_","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}],"status":"completed"}}"#,
        r#"response.output_item.added {"output_index":1,"item":{"type":"message","id":"msg_","status":"in_progress","role":"assistant","content":[]}}"#,
        r#"response.content_part.added {"item_id":"msg_","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}"#,
        r#"response.output_text.delta {"item_id":"msg_","output_index":1,"content_index":0,"delta":"Let","logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5,"top_logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5}]}]}"#,
        r#"response.output_text.done {"item_id":"msg_","output_index":1,"content_index":0,"text":"Let","logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5,"top_logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5}]}]}"#,
        r#"response.content_part.done {"item_id":"msg_","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5,"top_logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5}]}],"text":"Let"}}"#,
        r#"response.output_item.done {"output_index":1,"item":{"type":"message","id":"msg_","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5,"top_logprobs":[{"token":"Let","bytes":[76,101,116],"logprob":-0.5}]}],"text":"Let"}]}}"#,
        r#"response.output_item.added {"output_index":2,"item":{"type":"function_call","id":"fc_","call_id":"call_","name":"f","arguments":"","status":"in_progress"}}"#,
        r#"response.function_call_arguments.delta {"item_id":"fc_","output_index":2,"delta":"{\"a\""}"#,
        r#"response.function_call_arguments.delta {"item_id":"fc_","output_index":2,"delta":":1}"}"#,
        r#"response.function_call_arguments.done {"item_id":"fc_","output_index":2,"name":"f","arguments":"{\"a\":1}"}"#,
        r#"response.output_item.done {"output_index":2,"item":{"type":"function_call","id":"fc_","call_id":"call_","name":"f","arguments":"{\"a\":1}","status":"completed"}}"#,
        r#"response.completed"#,
    ];
    let told = frames.into_iter().map(|(name, mut data)| {
        let map = data.as_object_mut().expect("an object");
        map.retain(|name, _| !["type", "sequence_number", "response"].contains(&name.as_str()));
        if map.is_empty() { name } else { format!("{name} {data}") }
    });
    assert_eq!(told.collect::<Vec<_>>(), golden);
}

#[tokio::test]
async fn a_cut_answer_is_incomplete_and_a_broken_one_failed() {
    let mut script = paris();
    script.pop();
    let mut cut = script.clone();
    cut.push(Ok(Event::finish(FinishReason::Length, Usage::default())));
    let server = Server::playing(cut).await;
    let whole = ask(&server, json!({"input": "Hi"})).await;
    assert_eq!(whole["status"], "incomplete");
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(whole["output"][0]["status"], "incomplete");
    script.push(Err(ServeError::WorkerStopped));
    let server = Server::playing(script).await;
    let answer = server.client.post(PATH, r#"{"input":"Hi","stream":true}"#).await;
    let frames = frames(&answer.body);
    let (name, last) = frames.last().expect("events");
    assert_eq!(name, "response.failed");
    assert_eq!(last["response"]["error"]["code"], "server_error");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "Paris");
    assert_eq!(server.client.post(PATH, r#"{"input":"Hi"}"#).await.status, 503);
}

#[tokio::test]
async fn an_answer_is_kept_and_gone_on_from() {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(everything()));
    let models: Vec<Arc<dyn Model>> = vec![Arc::clone(&chat) as Arc<dyn Model>];
    let server = Server::start(ServerConfig::default(), AuthConfig::default(), models).await;
    let first = ask(&server, json!({"input": "one", "instructions": "be brief"})).await;
    let id = first["id"].as_str().expect("an id");
    let call = first["output"][2]["call_id"].as_str().expect("a call");
    let output = json!([{"type": "function_call_output", "call_id": call, "output": "2"}]);
    let second = ask(&server, json!({"input": output, "previous_response_id": id})).await;
    let Some(Task::Chat(task)) = chat.tasks().pop() else { panic!("a chat task") };
    let roles: Vec<_> = task.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool], "instructions are not inherited");
    assert_eq!(task.messages[1].tool_calls[0].id, call);
    let kept = server.client.get(&format!("{PATH}/{id}")).await;
    assert_eq!(serde_json::from_str::<Value>(&kept.body).expect("JSON"), first);
    let second = second["id"].as_str().expect("an id");
    let items = server.client.get(&format!("{PATH}/{second}/input_items?order=asc")).await;
    let items: Value = serde_json::from_str(&items.body).expect("JSON");
    assert_eq!(items["data"][0]["output"], "2");
    assert_eq!((&items["has_more"], &items["first_id"]), (&json!(false), &items["last_id"]));
    let reference = json!([{"type": "item_reference", "id": first["output"][1]["id"]}]);
    ask(&server, json!({"input": reference})).await;
    let deleted = server.client.send(&format!("DELETE {PATH}/{id}"), "", "").await;
    assert_eq!(deleted.body, format!(r#"{{"id":"{id}","object":"response","deleted":true}}"#));
    let broken = json!({"input": "Hi", "previous_response_id": second}).to_string();
    let broken = server.client.post(PATH, &broken).await;
    assert_eq!(broken.error()["code"], "previous_response_not_found");
}

#[tokio::test]
async fn what_is_taken_from_the_store_has_the_limit_of_a_body() {
    let config = ServerConfig { body_bytes_max: 4096, ..ServerConfig::default() };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, AuthConfig::default(), vec![chat]).await;
    let long = "x".repeat(3000);
    let first = ask(&server, json!({"input": long})).await;
    let second = ask(&server, json!({"input": long, "previous_response_id": first["id"]})).await;
    let third = json!({"input": "Hi", "previous_response_id": second["id"]});
    let refused = server.client.post(PATH, &third.to_string()).await;
    assert_eq!(refused.error()["param"], "previous_response_id", "{}", refused.body);
    let path = format!("{PATH}/{}/input_items", first["id"].as_str().expect("an id"));
    let items: Value = serde_json::from_str(&server.client.get(&path).await.body).expect("JSON");
    let reference = json!({"type": "item_reference", "id": items["data"][0]["id"]});
    let twice = json!({"input": [reference, reference]}).to_string();
    let refused = server.client.post(PATH, &twice).await;
    assert_eq!(refused.error()["param"], "input[1].id", "{}", refused.body);
}

/// What a search looked for is nothing to a model, but each reference copies it.
#[tokio::test]
async fn what_references_copy_counts_whole() {
    let config = ServerConfig { body_bytes_max: 8192, ..ServerConfig::default() };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, AuthConfig::default(), vec![chat]).await;
    let search = json!({"type": "file_search_call", "id": "fs_1", "queries": ["x".repeat(3000)]});
    let question = json!({"role": "user", "content": "Hi"});
    ask(&server, json!({"input": [search, question]})).await;
    let reference = json!({"type": "item_reference", "id": "fs_1"});
    ask(&server, json!({"input": [reference, reference, question]})).await;
    let thrice = json!({"input": [reference, reference, reference, question]});
    let refused = server.client.post(PATH, &thrice.to_string()).await;
    let param = refused.error()["param"].clone();
    assert_eq!((refused.status, param), (400, json!("input[2].id")), "{}", refused.body);
}

#[tokio::test]
async fn an_answer_is_its_keys_alone_and_kept_only_if_wanted() {
    let key = |name: &str, hash: &str| ApiKey {
        name: name.into(),
        hash: format!("sha256:{hash}"),
        admin: false,
    };
    // The hashes of `secret` and of `other`.
    let keys = vec![
        key("ada", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        key("bob", "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"),
    ];
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(ServerConfig::default(), AuthConfig { keys }, vec![chat]).await;
    let send = async |key: &str, line: &str, body: &str| {
        let headers = format!("authorization: Bearer {key}\r\n");
        server.client.send(line, &headers, body).await
    };
    let id_of = |answer: client::Answer| -> String {
        let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
        answer["id"].as_str().expect("an id").to_owned()
    };
    let kept = id_of(send("secret", "POST /v1/responses", r#"{"input":"Hi"}"#).await);
    let path = format!("GET /v1/responses/{kept}");
    assert_eq!(send("other", &path, "").await.status, 404);
    assert_eq!(send("secret", &path, "").await.status, 200);
    let body = r#"{"input":"Hi","store":false}"#;
    let not_kept = id_of(send("secret", "POST /v1/responses", body).await);
    assert_eq!(send("secret", &format!("GET /v1/responses/{not_kept}"), "").await.status, 404);
}
