//! The exact words of good answers.

use gaia_core::ServeError;

use super::*;

/// Ids and times are new each time.
pub fn still(text: &str) -> String {
    let mut text = text.to_owned();
    for (start, end, mark) in [
        ("\"id\":\"chatcmpl-", '"', "ID"),
        ("\"id\":\"cmpl-", '"', "ID"),
        ("\"id\":\"call_", '"', "ID"),
        ("\"created\":", ',', "TIME"),
    ] {
        let mut from = 0;
        while let Some(found) = text[from..].find(start) {
            let at = from + found + start.len();
            let length = text[at..].find(end).expect("the value ends");
            text.replace_range(at..at + length, mark);
            from = at;
        }
    }
    text
}

#[tokio::test]
async fn a_whole_answer() {
    let server = Server::playing(paris()).await;
    let answer = server.client.chat(QUESTION).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        still(&answer.body),
        r#"{"id":"chatcmpl-ID","object":"chat.completion","created":TIME,"model":"chat","choices":[{"index":0,"message":{"role":"assistant","content":"Paris","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#
    );
}

#[tokio::test]
async fn a_stream_with_usage() {
    let server = Server::playing(paris()).await;
    let body = r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#;
    let answer = server.client.chat(body).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let chunk = |rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-ID\",\"object\":\"chat.completion.chunk\",\
             \"created\":TIME,\"model\":\"chat\",\"choices\":{rest}}}\n\n"
        )
    };
    let golden = [
        chunk(
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chunk(
            r#"[{"index":0,"delta":{"content":"Par"},"logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chunk(
            r#"[{"index":0,"delta":{"content":"is"},"logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chunk(r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null"#),
        chunk(
            r#"[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#,
        ),
        "data: [DONE]\n\n".into(),
    ];
    assert_eq!(still(&answer.body), golden.concat());
}

#[tokio::test]
async fn a_stream_without_usage_does_not_speak_of_it() {
    let server = Server::playing(paris()).await;
    let answer = server.client.chat(STREAMED).await;
    assert!(!answer.body.contains("usage"), "{}", answer.body);
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_failure_in_the_middle_is_one_event_and_the_end() {
    let script = vec![delta("Par"), Err(ServeError::WorkerStopped)];
    let answer = Server::playing(script).await.client.chat(STREAMED).await;
    let last = answer.body.trim_end().rsplit("\n\n").next().expect("events");
    assert_eq!(
        last,
        r#"data: {"error":{"message":"the model's worker stopped while it answered; it is being restarted, try again","type":"server_error","param":null,"code":"worker_stopped"}}"#
    );
}

#[tokio::test]
async fn a_continued_text_whole_and_streamed() {
    let server = Server::playing(paris()).await;
    let whole = server.client.post("/v1/completions", r#"{"prompt":"a"}"#).await;
    assert_eq!(
        still(&whole.body),
        r#"{"id":"cmpl-ID","object":"text_completion","created":TIME,"model":"chat","choices":[{"text":"Paris","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#
    );
    let streamed = server.client.post("/v1/completions", r#"{"prompt":"a","stream":true}"#).await;
    let chunk = |text: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"cmpl-ID\",\"object\":\"text_completion\",\"created\":TIME,\
             \"model\":\"chat\",\"choices\":[{{\"text\":\"{text}\",\"index\":0,\
             \"logprobs\":null,\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let golden = [
        chunk("Par", "null"),
        chunk("is", "null"),
        chunk("", "\"stop\""),
        "data: [DONE]\n\n".into(),
    ];
    assert_eq!(still(&streamed.body), golden.concat());
}

#[tokio::test]
async fn vectors_as_numbers_and_as_base64() {
    let server = Server::playing(vec![]).await;
    let float = server.client.post("/v1/embeddings", r#"{"input":"a"}"#).await;
    assert!(float.body.contains("[1.0,-0.5]"), "{}", float.body);
    let body = r#"{"input":["a"],"encoding_format":"base64","model":"embed"}"#;
    let base64 = server.client.post("/v1/embeddings", body).await;
    assert!(base64.body.contains(r#""embedding":"AACAPwAAAL8=""#), "{}", base64.body);
}

#[tokio::test]
async fn models_and_states() {
    let server = Server::playing(vec![]).await;
    let models = server.client.get("/v1/models").await;
    assert_eq!(
        still(&models.body),
        r#"{"object":"list","data":[{"id":"chat","object":"model","created":TIME,"owned_by":"gaia"},{"id":"embed","object":"model","created":TIME,"owned_by":"gaia"}]}"#
    );
    assert_eq!(server.client.get("/v1/models/chat").await.status, 200);
    assert_eq!(server.client.get("/v1/models/none").await.error()["code"], "model_not_found");
    assert_eq!(server.client.get("/health").await.body, r#"{"status":"ok"}"#);
    assert_eq!(server.client.get("/ready").await.status, 200);
    let info: serde_json::Value =
        serde_json::from_str(&server.client.get("/v1/info").await.body).expect("JSON");
    assert_eq!(info["models"][0]["card"]["architecture"], "llama");
    assert_eq!(info["models"][1]["kind"], "embedding");
}

#[tokio::test]
async fn a_node_that_loads_is_not_ready_and_says_when_to_come_back() {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat));
    chat.set_status(gaia_core::ModelStatus::Loading { share: 0.5 });
    let (server, auth) = (ServerConfig::default(), AuthConfig::default());
    let server = Server::start(server, auth, vec![chat]).await;
    let ready = server.client.get("/ready").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains(r#"{"name":"chat","state":"loading","share":0.5}"#), "{ready:?}");
    let refused = server.client.chat(QUESTION).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
    assert_eq!(refused.error()["code"], "model_unavailable");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let stats = gaia_protocol::WorkerStats { cached_tokens_total: 5, ..Default::default() };
    let report = gaia_core::ModelReport { stats, ..Default::default() };
    let chat = FakeModel::new("chat", ModelKind::Chat).answering(paris()).reporting(report);
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    let server = Server::start(config, auth, vec![Arc::new(chat), embed()]).await;
    let info = server.client.get("/v1/info").await;
    assert!(info.body.contains("\"cached_tokens_total\":5"), "{}", info.body);
    server.client.chat(QUESTION).await;
    server.client.get("/v1/nothing").await;
    let metrics = server.client.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "# TYPE gaia_requests_total counter",
        "gaia_requests_total{route=\"/v1/chat/completions\",status=\"200\"} 1",
        "gaia_requests_total{route=\"other\",status=\"404\"} 1",
        "gaia_requests_active 0",
        "gaia_answers_total{model=\"chat\",finish_reason=\"stop\"} 1",
        "gaia_cached_tokens_total{model=\"chat\"} 5",
        "gaia_cache_hits_total{model=\"chat\"} 0",
        "gaia_draft_tokens_total{model=\"chat\"} 0",
        "gaia_draft_accepted_total{model=\"chat\"} 0",
        "gaia_sequences_active{model=\"chat\"} 0",
        "gaia_worker_restarts_total{model=\"embed\"} 0",
        "# TYPE gaia_time_to_first_token_seconds histogram",
        "gaia_time_to_first_token_seconds_count{model=\"chat\"} 1",
        "gaia_time_between_tokens_seconds_count{model=\"chat\"} 1",
        "gaia_request_seconds_count{route=\"/v1/chat/completions\"} 1",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line}: {}", metrics.body);
    }
}
