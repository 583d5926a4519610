//! Bad requests: each gets a clear answer, and the node goes on.

use std::io::{Read, Write};

use gaia_tests::{Client, Node, NodeOptions, Request, Response, wait_until};
use serde_json::json;

fn post(client: &Client, body: &str) -> Response {
    client.send(&Request {
        method: "POST",
        path: "/v1/chat/completions",
        headers: &[("content-type", "application/json")],
        body: body.as_bytes(),
    })
}

/// Body, status, the field named, a word of the message.
const REFUSED: &[(&str, u16, &str, &str)] = &[
    ("", 400, "", "JSON"),
    ("{", 400, "", "JSON"),
    ("[]", 400, "", ""),
    (r#"{"model":"chat"}"#, 400, "messages", ""),
    (r#"{"model":"chat","messages":[]}"#, 400, "messages", ""),
    (r#"{"model":"chat","messages":"hi"}"#, 400, "messages", ""),
    (r#"{"model":"chat","messages":[{"role":"king","content":"hi"}]}"#, 400, "messages", "king"),
    (r#"{"model":"chat","messages":[{"role":"user","content":7}]}"#, 400, "messages", "content"),
    (r#"{"model":"none","messages":[{"role":"user","content":"hi"}]}"#, 404, "model", "chat"),
    (r#"{"model":"embed","messages":[{"role":"user","content":"hi"}]}"#, 400, "model", ""),
    (
        r#"{"model":"chat","temperature":"warm","messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "temperature",
        "",
    ),
    (
        r#"{"model":"chat","temperature":9,"messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "temperature",
        "",
    ),
    (
        r#"{"model":"chat","max_tokens":0,"messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "max_tokens",
        "",
    ),
    (
        r#"{"model":"chat","max_tokens":-1,"messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "max_tokens",
        "",
    ),
    (r#"{"model":"chat","n":17,"messages":[{"role":"user","content":"hi"}]}"#, 400, "n", ""),
    (
        r#"{"model":"chat","tools":[{}],"messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "tools",
        "",
    ),
    (
        r#"{"model":"chat","no_such_field":1,"messages":[{"role":"user","content":"hi"}]}"#,
        400,
        "no_such_field",
        "",
    ),
];

#[test]
fn every_bad_request_is_named() {
    let node = Node::start(&NodeOptions::default());
    for (body, status, param, word) in REFUSED {
        let refused = post(&node.client(), body);
        assert_eq!(refused.status, *status, "{body}: {}", refused.body);
        let error = &refused.json()["error"];
        assert!(
            error["message"].as_str().is_some_and(|text| text.contains(word)),
            "{body}: {error}"
        );
        let named = error["param"].as_str().unwrap_or_default();
        assert!(named.starts_with(param), "{body}: {error}");
        assert!(refused.header("x-request-id").is_some());
    }
    let unknown = node.client().get("/v1/nothing");
    assert_eq!((unknown.status, unknown.json()["error"]["type"].is_string()), (404, true));
    assert_eq!(node.client().get("/v1/chat/completions").status, 405);
}

#[test]
fn huge_and_deep_bodies_are_refused() {
    let node = Node::start(&NodeOptions::default());
    let huge = post(&node.client(), &" ".repeat(100 << 20));
    assert_eq!(huge.status, 413, "{}", huge.body);
    let deep = post(&node.client(), &"[".repeat(1 << 20));
    assert_eq!(deep.status, 400);
    assert_eq!(node.client().get("/health").status, 200);
}

#[test]
fn slow_headers_and_a_thousand_idle_connections_keep_nobody_out() {
    let server = "header_timeout_ms = 1000".into();
    let node = Node::start(&NodeOptions { server, ..Default::default() });
    let idle: Vec<_> = (0..1000).map(|_| node.client().connect()).collect();
    let mut slow = node.client().connect();
    slow.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost:").expect("it listens");
    assert_eq!(node.client().get("/health").status, 200);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let request = json!({"model": "chat", "max_tokens": 2, "messages": messages});
    assert_eq!(node.client().post("/v1/chat/completions", &request).status, 200);
    let mut rest = vec![];
    slow.read_to_end(&mut rest).expect("the node hangs up on slow headers");
    drop(idle);
    wait_until("it serves", || node.client().get("/health").status == 200);
}
