//! What is turned away, and how.

use gaia_core::ServeError;
use serde_json::json;

use super::*;
use crate::config::ApiKey;

#[tokio::test]
async fn wrong_requests_are_named() {
    let server = Server::playing(paris()).await;
    for (body, status, param, code) in [
        ("", 400, "", ""),
        ("[]", 400, "", ""),
        (r#"{"model":"chat"}"#, 400, "messages", ""),
        (&QUESTION.replace("chat", "none"), 404, "model", "model_not_found"),
        (&QUESTION.replace("chat", "embed"), 400, "model", "wrong_model_kind"),
        (&QUESTION.replace(r#"{"model""#, r#"{"n":0,"model""#), 400, "n", ""),
        (&QUESTION.replace(r#"{"model""#, r#"{"m":2,"model""#), 400, "m", "unknown_parameter"),
        (
            &QUESTION.replace(r#"{"model""#, r#"{"audio":2,"model""#),
            400,
            "audio",
            "unsupported_parameter",
        ),
    ] {
        let answer = server.client.chat(body).await;
        let error = answer.error();
        assert_eq!(answer.status, status, "{body}: {error}");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{body}: {error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{body}: {error}");
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn a_failure_before_the_first_text_has_its_status_in_a_stream_too() {
    let long = ServeError::PromptTooLong { message: "too long".into(), param: None };
    let server =
        Server::playing(vec![Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }), Err(long)]).await;
    for body in [QUESTION, STREAMED] {
        let answer = server.client.chat(body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.error()["code"], "context_length_exceeded");
        assert_eq!(answer.error()["param"], "messages");
    }
    let answer = server.client.post("/v1/completions", r#"{"prompt":"a","stream":true}"#).await;
    assert_eq!(answer.error()["param"], "prompt");
}

#[tokio::test]
async fn a_full_node_says_when_to_come_back() {
    let config = ServerConfig { requests_max: 1, ..ServerConfig::default() };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, AuthConfig::default(), vec![chat]).await;
    let permit = server.state.node.admission.admit().expect("room for one");
    let answer = server.client.chat(QUESTION).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(answer.error()["code"], "overloaded");
    drop(permit);
    assert_eq!(server.client.chat(QUESTION).await.status, 200);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_ended() {
    let config = ServerConfig { request_timeout_ms: 50, ..ServerConfig::default() };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).hanging());
    let server = Server::start(config, AuthConfig::default(), vec![chat.clone()]).await;
    let answer = server.client.chat(STREAMED).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.error()["code"], "time_limit");
    assert_eq!(chat.cancelled(), 1);
}

#[tokio::test]
async fn routes_methods_and_types_that_do_not_exist() {
    let server = Server::playing(paris()).await;
    assert_eq!(server.client.get("/v1/nothing").await.error()["code"], "unknown_route");
    let method = server.client.get("/v1/chat/completions").await;
    assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    assert_eq!(method.error()["code"], "method_not_allowed");
    let options = server.client.send("OPTIONS /v1/chat/completions", "", "").await;
    assert_eq!((options.status, options.header("allow")), (405, Some("POST")));
    let send = async |kind: &str| {
        let header = format!("content-type: {kind}\r\n");
        server.client.send("POST /v1/chat/completions", &header, QUESTION).await
    };
    assert_eq!(send("text/plain").await.error()["type"], "invalid_request_error");
    assert_eq!(send("text/plain").await.status, 415);
    assert_eq!(send("Application/JSON; charset=utf-8").await.status, 200);
    let none = server.client.send("POST /v1/chat/completions", "", QUESTION).await;
    assert_eq!(none.status, 200, "no type is taken for JSON");
}

#[tokio::test]
async fn a_huge_body_is_refused_in_a_way_that_reaches_its_sender() {
    let server = Server::playing(paris()).await;
    let huge = " ".repeat(100 << 20);
    let answer = server.client.chat(&huge).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.error()["code"], "body_too_large");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let chunked = format!("{head}{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len());
    assert_eq!(server.client.raw(chunked.as_bytes()).await.status, 413);
    assert_eq!(server.client.get("/health").await.status, 200);
}

#[tokio::test]
async fn with_keys_only_the_states_are_open() {
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let keys = vec![ApiKey { name: "test".into(), hash: hash.into(), admin: false }];
    let (config, auth) = (ServerConfig::default(), AuthConfig { keys });
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, auth, vec![chat]).await;
    let get = async |path: &str, key: &str| {
        let header = format!("authorization: Bearer {key}\r\n");
        server.client.send(&format!("GET {path}"), &header, "").await
    };
    for path in ["/v1/models", "/metrics", "/v1/nothing", "/mcp", "/sse"] {
        let refused = get(path, "guess").await;
        assert_eq!((refused.status, &refused.error()["code"]), (401, &"invalid_api_key".into()));
        assert!(!refused.body.contains("guess"));
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    for path in ["/mcp", "/sse"] {
        assert_eq!(server.client.get(path).await.header("www-authenticate"), Some("Bearer"));
    }
    // MCP clients that are refused look here for another way in.
    let ways =
        ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];
    for path in ways {
        assert_eq!(
            (server.client.get(path).await.status, get(path, "guess").await.status),
            (404, 404)
        );
    }
    assert_eq!(get("/v1/models", "secret").await.status, 200);
    assert_eq!(server.client.get("/health").await.status, 200);
    assert_eq!(server.client.get("/ready").await.status, 200);
    let huge = server.client.chat(&" ".repeat(8 << 20)).await;
    assert_eq!(huge.status, 401, "the refusal reaches a sender that writes");
}

#[tokio::test]
async fn browsers_hear_which_pages_may_call() {
    let ask = "access-control-request-method: POST\r\naccess-control-request-headers: a,b\r\n";
    let config = ServerConfig { cors_origins: vec!["https://a".into()], ..Default::default() };
    let server = Server::start(config, AuthConfig::default(), vec![]).await;
    let preflight = async |server: &Server, origin: &str| {
        let headers = format!("origin: {origin}\r\n{ask}");
        server.client.send("OPTIONS /v1/chat/completions", &headers, "").await
    };
    let known = preflight(&server, "https://a").await;
    assert_eq!(known.status, 204);
    assert_eq!(known.header("access-control-allow-origin"), Some("https://a"));
    assert_eq!(known.header("access-control-allow-headers"), Some("a,b"));
    let methods = known.header("access-control-allow-methods").expect("said");
    assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|method| methods.contains(method)));
    assert_eq!(known.header("vary"), Some("origin"));
    let foreign = preflight(&server, "https://b").await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    let own = Server::playing(vec![]).await;
    assert_eq!(preflight(&own, "https://b").await.header("access-control-allow-origin"), None);
    let local = preflight(&own, "http://localhost:5173").await;
    assert_eq!(local.header("access-control-allow-origin"), Some("http://localhost:5173"));
    let config = ServerConfig { cors_origins: vec!["*".into()], ..Default::default() };
    let everyone = Server::start(config, AuthConfig::default(), vec![]).await;
    let any = preflight(&everyone, "https://b").await;
    assert_eq!(any.header("access-control-allow-origin"), Some("*"));
    let get = everyone.client.send("GET /health", "origin: https://b\r\n", "").await;
    assert_eq!(get.header("access-control-allow-origin"), Some("*"));
}

/// A question as a page of `origin` sends it, without asking first, to the node that it calls `host`.
async fn ask_from(server: &Server, (host, origin): (&str, &str)) -> client::Answer {
    let origin = if origin.is_empty() { String::new() } else { format!("origin: {origin}\r\n") };
    let request = client::request("POST /v1/chat/completions", &origin, QUESTION);
    let request = request.replace("host: x\r\n", &format!("host: {host}\r\n"));
    server.client.raw(request.as_bytes()).await
}

#[tokio::test]
async fn without_keys_pages_of_strangers_are_refused() {
    let server = Server::playing(paris()).await;
    for (from, code) in [
        (("localhost:8080", "https://evil.org"), "unknown_origin"),
        (("localhost:8080", "null"), "unknown_origin"),
        (("evil.org:8080", "http://evil.org:8080"), "unknown_host"),
        (("evil.org:8080", ""), "unknown_host"),
    ] {
        let refused = ask_from(&server, from).await;
        assert_eq!((refused.status, &refused.error()["code"]), (403, &code.into()), "{from:?}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    for from in [
        ("localhost:8080", "http://localhost:5173"),
        ("192.168.0.7:8080", "http://192.168.0.7:8080"),
        ("127.0.0.1:8080", ""),
    ] {
        assert_eq!(ask_from(&server, from).await.status, 200, "{from:?}");
    }
    let path = "/v1/messages";
    let anthropic = server.client.send(&format!("POST {path}"), "origin: null\r\n", "{}").await;
    assert_eq!(anthropic.error()["type"], "permission_error");
}

#[tokio::test]
async fn the_config_can_let_every_page_in_and_a_key_does() {
    let foreign = ("evil.org", "https://evil.org");
    let chat = || Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let config = ServerConfig { cors_origins: vec!["*".into()], ..Default::default() };
    let everyone = Server::start(config, AuthConfig::default(), vec![chat()]).await;
    assert_eq!(ask_from(&everyone, foreign).await.status, 200);
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let keys = vec![ApiKey { name: "test".into(), hash: hash.into(), admin: false }];
    let keyed = Server::start(ServerConfig::default(), AuthConfig { keys }, vec![chat()]).await;
    assert_eq!(ask_from(&keyed, foreign).await.status, 401, "the key is what counts");
    let open = ServerConfig { listen: ([0, 0, 0, 0], 0).into(), ..ServerConfig::default() };
    let open = Server::start(open, AuthConfig::default(), vec![chat()]).await;
    assert_eq!(ask_from(&open, ("gaia.example.org", "")).await.status, 200);
    assert_eq!(ask_from(&open, ("gaia.example.org", "https://evil.org")).await.status, 403);
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let server = Server::playing(vec![]).await;
    let id = async |given: &str| {
        let header = format!("x-request-id: {given}\r\n");
        let answer = server.client.send("GET /health", &header, "").await;
        answer.header("x-request-id").expect("always there").to_owned()
    };
    assert_eq!(id("mine-1").await, "mine-1");
    assert!(id("not mine").await.starts_with("req-"));
}

/// The core names OpenAI's older field, of which these routes know nothing.
#[tokio::test]
async fn a_schema_that_is_too_large_is_called_as_the_route_calls_it() {
    let server = Server::playing(paris()).await;
    let schema = json!({"description": "x".repeat(257 << 10)});
    let format = json!({"type": "json_schema", "name": "a", "schema": schema});
    let responses = json!({"input": "Hi", "text": {"format": format}});
    let refused = server.client.post("/v1/responses", &responses.to_string()).await;
    assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some("text.format")));
    let format = json!({"type": "json_schema", "schema": schema});
    let messages = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
        "output_config": {"format": format}});
    let refused = server.client.post("/v1/messages", &messages.to_string()).await;
    let message = refused.error()["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with("output_config.format: a schema has"), "{message}");
}
