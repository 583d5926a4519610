//! API keys, and who may listen beyond loopback.

use std::process::Command;

use gaia_tests::{Node, NodeOptions, Request, binary};
use serde_json::json;

/// A new key and its line for the config.
fn new_key() -> (String, String) {
    let output = Command::new(binary("gaia-node")).args(["keys", "new"]).output().expect("it runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let word = |wanted: &dyn Fn(&str) -> bool| {
        let mut words = text.split(|c: char| c.is_whitespace() || c == '"');
        words.find(|word| wanted(word)).unwrap_or_else(|| panic!("not found in {text}")).to_owned()
    };
    (word(&|word| word.starts_with("gaia-")), word(&|word| word.starts_with("sha256:")))
}

#[test]
fn with_keys_set_only_a_key_opens_the_door() {
    let (key, hash) = new_key();
    let more = format!("[auth]\nkeys = [{{ name = \"test\", hash = {hash:?} }}]");
    let node = Node::start(&NodeOptions { more, ..Default::default() });
    let client = node.client();
    for refused in [client.get("/v1/models"), client.with_key("gaia-wrong").get("/v1/models")] {
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json()["error"]["code"], "invalid_api_key");
        assert!(!refused.body.contains("gaia-wrong"));
    }
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let request = json!({"model": "chat", "max_tokens": 1, "messages": messages});
    assert_eq!(client.post("/v1/chat/completions", &request).status, 401);
    assert_eq!(client.with_key(&key).get("/v1/models").status, 200);
    assert_eq!(client.with_key(&key).post("/v1/chat/completions", &request).status, 200);
    assert_eq!(client.get("/health").status, 200);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for keyless in [&client, &client.with_key("gaia-wrong")] {
        assert_eq!((keyless.post("/mcp", &ping).status, keyless.get("/sse").status), (401, 401));
        assert_eq!(keyless.get("/.well-known/oauth-protected-resource").status, 404);
    }
    let headers =
        &[("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let body = ping.to_string();
    let request = Request { method: "POST", path: "/mcp", headers, body: body.as_bytes() };
    assert_eq!(client.with_key(&key).send(&request).status, 200);
    assert!(!node.log().contains(&key), "a key is never logged");
}

#[test]
fn listening_beyond_loopback_without_a_key_is_refused() {
    let output = Command::new(binary("gaia-node"))
        .args(["start", "--listen", "0.0.0.0:0"])
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("allow_unauthenticated_remote"), "{said}");
}
