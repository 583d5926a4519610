//! What the node says of itself.

use gaia_tests::{Node, NodeOptions, Request};

#[test]
fn models_info_and_metrics_tell_the_truth() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let models = client.get("/v1/models").json();
    let mut ids: Vec<_> =
        models["data"].as_array().expect("data").iter().map(|model| model["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ids, ["chat", "embed"]);
    assert_eq!(client.get("/v1/models/chat").json()["object"], "model");
    assert_eq!(client.get("/v1/models/none").status, 404);
    let info = client.get("/v1/info");
    assert_eq!(info.status, 200);
    for secret in ["/tmp/", ".cache", "sha256:"] {
        assert!(!info.body.contains(secret), "{secret} in {}", info.body);
    }
    assert!(info.body.contains("llama"), "{}", info.body);
    let metrics = client.get("/metrics").body;
    for name in [
        "gaia_requests_total",
        "gaia_prompt_tokens_total",
        "gaia_generated_tokens_total",
        "gaia_sequences_active",
        "gaia_sequences_queued",
        "gaia_time_to_first_token_seconds",
        "gaia_worker_restarts_total",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
}

#[test]
fn preflight_requests_of_browsers_are_answered() {
    let node = Node::start(&NodeOptions::default());
    let headers = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let answer = node.client().send(&Request {
        method: "OPTIONS",
        path: "/v1/chat/completions",
        headers: &headers,
        body: b"",
    });
    assert!(answer.status < 300, "{answer:?}");
    assert!(answer.header("access-control-allow-origin").is_some());
}
