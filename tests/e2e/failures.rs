//! Processes die: a worker, the host, a guest.

use gaia_tests::{Node, NodeOptions, app, is_alive, kill, wait_until};
use serde_json::{Value, json};

fn long_story() -> Value {
    json!({
        "model": "chat", "temperature": 0, "max_tokens": 1500, "stream": true,
        "messages": [{"role": "user", "content": "Write a long story about a fox and a crow."}],
    })
}

fn short_answer(node: &Node) -> u16 {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let request = json!({"model": "chat", "max_tokens": 2, "messages": messages});
    node.client().post("/v1/chat/completions", &request).status
}

#[test]
fn a_killed_worker_ends_its_streams_with_an_error_and_comes_back() {
    let node = Node::start(&NodeOptions::default());
    let mut stream = node.client().stream("/v1/chat/completions", &long_story()).expect("a stream");
    stream.wait_for_text();
    for worker in node.workers() {
        kill(worker, "KILL");
    }
    let mut last = Value::Null;
    while let Some(event) = stream.next_json() {
        last = event;
    }
    assert!(
        last["error"]["message"].as_str().expect("an error event").contains("worker"),
        "{last}"
    );
    assert_eq!(node.client().get("/health").status, 200, "the host goes on");
    wait_until("the worker is back", || short_answer(&node) == 200);
    assert!(node.metric("gaia_worker_restarts_total", "chat") >= 1.0);
}

#[test]
fn a_killed_host_leaves_no_worker() {
    let node = Node::start(&NodeOptions::default());
    let mut stream = node.client().stream("/v1/chat/completions", &long_story()).expect("a stream");
    stream.wait_for_text();
    let workers = node.workers();
    assert_eq!(workers.len(), 2);
    kill(node.pid(), "KILL");
    wait_until("no worker is left", || workers.iter().all(|worker| !is_alive(*worker)));
}

#[test]
fn a_terminated_node_finishes_what_runs() {
    let mut node = Node::start(&NodeOptions::default());
    let mut request = long_story();
    request["max_tokens"] = json!(60);
    let mut stream = node.client().stream("/v1/chat/completions", &request).expect("a stream");
    stream.wait_for_text();
    let workers = node.workers();
    kill(node.pid(), "TERM");
    let (text, events) = stream.collect();
    let last = events.last().expect("events");
    assert_eq!(last["choices"][0]["finish_reason"], "length", "cut short after {text}: {last}");
    assert_eq!(node.wait_for_exit(), Some(0));
    assert!(workers.iter().all(|worker| !is_alive(*worker)));
}

/// A node whose chat model is served by the app that misbehaves as its message says.
fn hostile_node(chat: &str) -> Node {
    let chat_app = Some(app("hostile"));
    Node::start(&NodeOptions { chat: chat.into(), chat_app, ..Default::default() })
}

fn provoke(node: &Node, behaviour: &str) -> (u16, Value) {
    let messages = json!([{"role": "user", "content": behaviour}]);
    let response =
        node.client().post("/v1/chat/completions", &json!({"model": "chat", "messages": messages}));
    (response.status, response.json())
}

#[test]
fn a_guest_that_misbehaves_ends_its_own_request_alone() {
    let node = hostile_node("time_ms_max = 3000");
    let workers = node.workers();
    for behaviour in ["trap", "loop", "memory", "garbage", "silent"] {
        let (status, answer) = provoke(&node, behaviour);
        assert!((500..=504).contains(&status), "{behaviour}: {status} {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(!message.is_empty(), "{behaviour}");
        let (status, answer) = provoke(&node, "ok");
        assert_eq!(status, 200, "after {behaviour}: {answer}");
    }
    assert_eq!(node.workers(), workers, "no worker died of it");
}

#[test]
fn a_truncated_model_is_a_clear_error_and_the_rest_serves() {
    let folder = std::env::temp_dir().join(format!("gaia-truncated-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("writable");
    let broken = folder.join("broken.gguf");
    let model = std::fs::read(gaia_tests::chat_model()).expect("readable");
    std::fs::write(&broken, &model[..model.len() / 2]).expect("writable");
    let worker = std::process::Command::new(gaia_tests::binary("gaia-node"))
        .args(["check", "--model"])
        .arg(format!("broken={}", broken.display()))
        .output()
        .expect("it runs");
    std::fs::remove_dir_all(&folder).expect("ours");
    assert!(!worker.status.success());
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&worker.stderr),
        String::from_utf8_lossy(&worker.stdout)
    );
    assert!(said.contains("truncated") && said.contains("broken.gguf"), "{said}");
}
