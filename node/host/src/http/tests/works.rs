//! Repairing and generating: what is refused, who waits, and how a failure is told in each way to hear
//! of it.

use serde_json::{Value, json};

use super::compile::{body, broken, server};
use super::*;
use crate::compile::{Offer, Queue};
use crate::config::QueueConfig;

const HELLO: &str = r#"{"code":"fn main() {}","without_model":true}"#;
const ROUTES: [&str; 2] = ["/v1/repair", "/v1/generate"];
const RUST_CODERS: [&str; 3] = ["/compile-and-fix", "/generate", "/generate-sync"];

/// A sandbox that can't start anything, and a chat model.
async fn working(script: Script) -> Server {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script));
    let state = State::new(&ServerConfig::default(), &AuthConfig::default(), vec![chat], storage());
    Server::serving(state.compiling(broken())).await
}

#[tokio::test]
async fn a_closed_sandbox_answers_503_with_the_reason() {
    let server = server(Offer::Closed("no jail here".into()), AuthConfig::default()).await;
    for path in ROUTES {
        let answer = server.client.post(path, HELLO).await;
        assert_eq!((answer.status, &answer.error()["message"]), (503, &json!("no jail here")));
    }
    for path in RUST_CODERS {
        let answer = server.client.post(path, HELLO).await;
        assert_eq!((answer.status, body(&answer)), (503, json!({"detail": "no jail here"})));
    }
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let server = working(paris()).await;
    let long = "a".repeat(9000);
    for (more, param) in [
        (json!({"code": null}), "files"),
        (json!({"files": {}}), "files"),
        (json!({"goal": "run"}), "goal"),
        (json!({"description": 7}), "description"),
        (json!({"description": long}), "description"),
        (json!({"attempts": 1000}), "attempts"),
        (json!({"tokens": 0}), "tokens"),
        (json!({"time_ms": 0}), "time_ms"),
        (json!({"time_ms": 3_600_001}), "time_ms"),
        (json!({"candidates": 0}), "candidates"),
        (json!({"learn": "yes"}), "learn"),
        (json!({"detail": "all"}), "detail"),
        (json!({"stream": true, "background": true}), "background"),
        (json!({"model": "none", "without_model": false}), "model"),
        (json!({"more": 1}), "more"),
    ] {
        let mut request: Value = serde_json::from_str(HELLO).expect("JSON");
        request.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        let answer = server.client.post("/v1/repair", &request.to_string()).await;
        assert!(matches!(answer.status, 400 | 404), "{more}: {}", answer.body);
        assert_eq!(answer.error()["param"], param, "{more}");
    }
    for (request, param) in [
        (json!({}), "description"),
        (json!({"description": long}), "description"),
        (json!({"description": "a", "name": "A b"}), "name"),
        (json!({"description": "a", "kind": "app"}), "kind"),
        (json!({"description": "a", "tests": 1}), "tests"),
        (json!({"description": "a", "collections": [1]}), "collections"),
        (json!({"description": "a", "code": ""}), "code"),
    ] {
        let answer = server.client.post("/v1/generate", &request.to_string()).await;
        assert_eq!(answer.status, 400, "{request}: {}", answer.body);
        assert_eq!(answer.error()["param"], param, "{request}");
    }
}

#[tokio::test]
async fn without_a_coding_model_generating_says_so() {
    let server = working(paris()).await;
    let request = r#"{"description":"a calculator"}"#;
    let answer = server.client.post("/v1/generate", request).await;
    assert_eq!((answer.status, &answer.error()["code"]), (503, &json!("no_coding_model")));
    for path in ["/generate", "/generate-sync"] {
        let answer = server.client.post(path, request).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(body(&answer)["detail"].as_str().is_some_and(|text| text.contains("coding model")));
    }
}

#[tokio::test]
async fn a_project_that_is_refused_is_an_answer() {
    let server = working(paris()).await;
    let files = json!({"files": {"/x": ""}}).to_string();
    let answer = body(&server.client.post("/v1/repair", &files).await);
    assert_eq!(
        (&answer["success"], &answer["report"]["verdict"]),
        (&json!(false), &json!("refused"))
    );
    let streamed = json!({"files": {"/x": ""}, "stream": true}).to_string();
    let streamed = server.client.post("/v1/repair", &streamed).await.body;
    assert!(streamed.starts_with("event: result\ndata: {"), "{streamed}");
    let flat = json!({"code": "[filename: ../x]\na\n", "description": "d"}).to_string();
    let answer = body(&server.client.post("/compile-and-fix", &flat).await);
    assert_eq!((&answer["success"], &answer["build_success"]), (&json!(false), &json!(false)));
    assert!(answer["build_output"].as_str().is_some_and(|text| text.contains("../x")));
}

#[tokio::test]
async fn a_sandbox_that_fails_is_told_in_each_way() {
    let server = working(paris()).await;
    let whole = server.client.post("/v1/repair", HELLO).await;
    assert_eq!((whole.status, &whole.error()["code"]), (503, &json!("sandbox_failed")));
    let streamed = r#"{"code":"fn main() {}","without_model":true,"stream":true}"#;
    let streamed = server.client.post("/v1/repair", streamed).await;
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    let first = "event: progress\ndata: {\"step\":\"compiling\",\"stage\":\"given\"}\n\n";
    assert!(streamed.body.starts_with(first), "{}", streamed.body);
    assert!(streamed.body.contains("event: error\ndata: "), "{}", streamed.body);
    let later = r#"{"code":"fn main() {}","without_model":true,"background":true}"#;
    let begun = server.client.post("/v1/repair", later).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let id = body(&begun)["id"].as_str().expect("an id").to_owned();
    let events = server.client.get(&format!("/v1/jobs/{id}/events")).await;
    assert!(events.body.contains("event: result\ndata: "), "{}", events.body);
    assert_eq!(body(&server.client.get(&format!("/v1/jobs/{id}")).await)["state"], "failed");
    let download = server.client.get(&format!("/v1/jobs/{id}/download")).await;
    assert_eq!((download.status, &download.error()["code"]), (404, &json!("no_project")));
    let project = body(&server.client.get(&format!("/project/{id}")).await);
    assert_eq!((&project["project_id"], &project["status"]), (&json!(id), &json!("error")));
    let deleted = server.client.send(&format!("DELETE /v1/jobs/{id}"), "", "").await;
    assert_eq!(deleted.status, 200);
}

#[tokio::test]
async fn a_full_line_is_429_and_a_turn_that_never_comes_too() {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let state = State::new(&ServerConfig::default(), &AuthConfig::default(), vec![chat], storage());
    let mut state = state.compiling(broken());
    state.works = Queue::new(QueueConfig { at_once: 1, waiting_max: 1, waiting_per_key_max: 1 });
    let server = Server::serving(state).await;
    let owner = crate::store::Owner::default();
    let running = server.state.works.enter(&owner).expect("free");
    let short = r#"{"code":"fn main() {}","time_ms":50}"#;
    let late = server.client.post("/v1/repair", short).await;
    assert_eq!((late.status, &late.error()["code"]), (429, &json!("overloaded")));
    let _waiting = server.state.works.enter(&owner).expect("room for one");
    let full = server.client.post("/v1/repair", HELLO).await;
    assert_eq!(full.status, 429, "{}", full.body);
    assert!(full.header("retry-after").is_some());
    let full = server.client.post("/compile-and-fix", r#"{"code":"","description":""}"#).await;
    assert_eq!(full.status, 429, "{}", full.body);
    drop(running);
}

#[tokio::test]
async fn rust_coders_refusals_have_its_shape() {
    let server = working(paris()).await;
    for (path, request) in [
        ("/compile-and-fix", r#"{"code":"fn main() {}"}"#),
        ("/compile-and-fix", r#"{"description":"d"}"#),
        ("/generate", "{}"),
        ("/generate-sync", "{}"),
    ] {
        let answer = server.client.post(path, request).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert_eq!(body(&answer), json!({"detail": "Missing required fields"}));
    }
    for path in ["/project/x", "/project/x/files/src/main.rs", "/project/x/download"] {
        let answer = server.client.get(path).await;
        assert_eq!((answer.status, body(&answer)), (404, json!({"detail": "Project not found"})));
    }
}

#[tokio::test]
async fn a_model_that_writes_nothing_of_use_makes_no_program() {
    let server = working(paris()).await;
    let request = json!({"description": "a calculator", "model": "chat", "attempts": 1});
    let answer = body(&server.client.post("/v1/generate", &request.to_string()).await);
    assert_eq!((&answer["success"], &answer["files"]), (&json!(false), &json!({})), "{answer:#}");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("wrote no project")));
    assert_eq!((&answer["combined_text"], &answer["kind"]), (&json!(null), &json!("bin")));
}
