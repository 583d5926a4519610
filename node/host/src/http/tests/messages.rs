//! Anthropic's API.

use gaia_protocol::Task;
use serde_json::{Value, json};

use super::responses::{everything, frames, still};
use super::*;
use crate::config::ApiKey;

const PATH: &str = "/v1/messages";
const BODY: &str = r#"{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;

fn streamed() -> String {
    BODY.replace("{\"max", "{\"stream\":true,\"max")
}

fn error(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}

#[tokio::test]
async fn refusals_have_anthropics_shape_whoever_makes_them() {
    let server = Server::playing(paris()).await;
    let missing = server.client.post(PATH, "{}").await;
    assert_eq!(missing.body, error("invalid_request_error", "`max_tokens` is missing"));
    let none = BODY.replace("{\"max", "{\"model\":\"none\",\"max");
    let unknown: Value =
        serde_json::from_str(&server.client.post(PATH, &none).await.body).expect("JSON");
    assert_eq!(unknown["error"]["type"], "not_found_error");
    let method = server.client.get(PATH).await;
    assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    assert_eq!(method.body, error("invalid_request_error", "/v1/messages does not take GET"));
    let large = server.client.post(PATH, &" ".repeat(17 << 20)).await;
    assert_eq!((large.status, large.error()["type"].as_str()), (413, Some("request_too_large")));
    assert!(large.header("x-request-id").is_some());
    let elsewhere = server.client.get("/v1/messagesx").await;
    assert_eq!(elsewhere.error()["code"], "unknown_route");
}

#[tokio::test]
async fn anthropics_header_opens_the_door() {
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let keys = vec![ApiKey { name: "test".into(), hash: hash.into(), admin: false }];
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(ServerConfig::default(), AuthConfig { keys }, vec![chat]).await;
    let refused = server.client.post(PATH, BODY).await;
    assert_eq!(
        (refused.status, refused.error()["type"].as_str()),
        (401, Some("authentication_error"))
    );
    let headers = "x-api-key: secret\r\nanthropic-version: 2023-06-01\r\n";
    assert_eq!(server.client.send("POST /v1/messages", headers, BODY).await.status, 200);
}

#[tokio::test]
async fn a_whole_answer() {
    let server = Server::playing(everything()).await;
    let answer = server.client.post(PATH, BODY).await;
    assert_eq!(
        still(&answer.body),
        r#"{"id":"msg_","type":"message","role":"assistant","model":"chat","content":[{"type":"thinking","thinking":"Hm","signature":""},{"type":"text","text":"Let","citations":null},{"type":"tool_use","id":"toolu_","name":"f","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":7}}"#
    );
}

#[tokio::test]
async fn a_stream_tells_everything_in_order() {
    let server = Server::playing(everything()).await;
    let answer = server.client.post(PATH, &streamed()).await;
    let golden = [
        r#"{"type":"message_start","message":{"id":"msg_","type":"message","role":"assistant","model":"chat","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":0}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":null}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":7}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let told: Vec<_> = frames(&still(&answer.body));
    assert_eq!(told.iter().map(|(_, data)| data.to_string()).collect::<Vec<_>>(), golden);
    assert!(told.iter().all(|(name, data)| data["type"] == *name));
}

fn stopped(reason: FinishReason) -> Vec<Result<Event, ServeError>> {
    let (usage, stop_string) = (Usage::default(), Some("\n☃".to_owned()));
    vec![delta("Par"), Ok(Event::Finish { reason, usage, stop_string })]
}

#[tokio::test]
async fn the_stop_sequence_that_ended_it_is_told() {
    let whole = Server::playing(stopped(FinishReason::Stop)).await.client.post(PATH, BODY).await;
    let whole: Value = serde_json::from_str(&whole.body).expect("JSON");
    let server = Server::playing(stopped(FinishReason::Stop)).await;
    let streamed = frames(&server.client.post(PATH, &streamed()).await.body);
    let (_, last) = &streamed[streamed.len() - 2];
    for told in [&whole, &last["delta"]] {
        assert_eq!(
            (&told["stop_reason"], &told["stop_sequence"]),
            (&json!("stop_sequence"), &json!("\n☃"))
        );
    }
}

#[tokio::test]
async fn a_stop_sequence_beside_another_reason_is_not_believed() {
    let server = Server::playing(stopped(FinishReason::Length)).await;
    let told: Value =
        serde_json::from_str(&server.client.post(PATH, BODY).await.body).expect("JSON");
    assert_eq!(
        (&told["stop_reason"], &told["stop_sequence"]),
        (&json!("max_tokens"), &Value::Null)
    );
}

#[tokio::test]
async fn a_failure_has_a_status_before_the_first_text_and_an_event_after_it() {
    let script = vec![delta("Par"), Err(ServeError::WorkerStopped)];
    let answer = Server::playing(script).await.client.post(PATH, &streamed()).await;
    let frames = frames(&answer.body);
    let (name, last) = frames.last().expect("events");
    assert_eq!((name.as_str(), &last["error"]["type"]), ("error", &json!("api_error")));
    let script =
        vec![Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }), Err(ServeError::TimeLimit)];
    let answer = Server::playing(script).await.client.post(PATH, &streamed()).await;
    assert_eq!((answer.status, answer.error()["type"].as_str()), (504, Some("timeout_error")));
}

#[tokio::test]
async fn an_empty_answer_is_a_message_without_blocks() {
    let server = Server::playing(vec![finish(1)]).await;
    let answer = server.client.post(PATH, &streamed()).await;
    let names: Vec<_> = frames(&answer.body).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["message_start", "ping", "message_delta", "message_stop"]);
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let models: Vec<Arc<dyn Model>> = vec![Arc::clone(&chat) as Arc<dyn Model>];
    let server = Server::start(ServerConfig::default(), AuthConfig::default(), models).await;
    let body = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    let count = server.client.post("/v1/messages/count_tokens", body).await;
    assert_eq!(count.body, r#"{"input_tokens":3}"#);
    let Some(Task::Chat(task)) = chat.tasks().pop() else { panic!("a chat task") };
    assert_eq!((task.max_tokens, chat.cancelled()), (Some(0), 1));
    let refused = server.client.post("/v1/messages/count_tokens", BODY).await;
    assert_eq!(refused.status, 400, "max_tokens has no meaning here");
}
