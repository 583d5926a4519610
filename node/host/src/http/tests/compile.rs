//! Compiling: what is refused, and jobs of a sandbox that fails.

use std::path::Path;

use gaia_sandbox::builder::{Builder, Crates, Toolchain};
use gaia_sandbox::jail::{Jail, Settings};
use serde_json::{Value, json};

use super::*;
use crate::compile::{Offer, Service};
use crate::config::{ApiKey, CompileConfig};

/// The hash of `secret`.
const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const JSON: &str = "content-type: application/json\r\n";
const HELLO: &str = r#"{"code":"fn main() {}"}"#;

/// A service whose jail can't start anything: this test is no `gaia-jail`.
pub(super) fn broken() -> Offer {
    let own = std::env::current_exe().expect("a path");
    let settings = Settings { bwrap: own.clone(), ..Settings::new(own) };
    let jail = Jail::new(settings).expect("files are there");
    let toolchain = Toolchain::find(None).expect("rustc is there");
    let crates = Crates::open(Path::new("/nowhere"), &toolchain).expect("nothing is there");
    let config = CompileConfig::in_home(Path::new("/nowhere"));
    Offer::Open(Arc::new(Service::new(Builder::new(jail, toolchain, crates), config)))
}

pub(super) async fn server(offer: Offer, auth: AuthConfig) -> Server {
    let state = State::new(&ServerConfig::default(), &auth, vec![embed()], storage());
    Server::serving(state.compiling(offer)).await
}

pub(super) fn body(answer: &client::Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_closed_sandbox_answers_503_with_the_reason() {
    let offer = Offer::Closed("no jail here".into());
    let server = server(offer, AuthConfig::default()).await;
    for line in ["POST /v1/compile", "POST /v1/jobs", "GET /v1/jobs/x", "DELETE /v1/jobs/x"] {
        let answer = server.client.send(line, JSON, HELLO).await;
        assert_eq!((answer.status, &answer.error()["message"]), (503, &json!("no jail here")));
    }
    let answer = server.client.post("/compile", HELLO).await;
    assert_eq!((answer.status, body(&answer)), (503, json!({"detail": "no jail here"})));
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let server = server(broken(), AuthConfig::default()).await;
    for (request, param) in [
        ("{}", "files"),
        (r#"{"code":"","files":{}}"#, "files"),
        (r#"{"files":[]}"#, "files"),
        (r#"{"files":{"a":1}}"#, "files.a"),
        (r#"{"code":1}"#, "code"),
        (r#"{"archive":"%"}"#, "archive"),
        (r#"{"files":{},"edition":"2021"}"#, "edition"),
        (r#"{"code":"","edition":"2022"}"#, "edition"),
        (r#"{"code":"","command":"publish"}"#, "command"),
        (r#"{"code":"","detail":"all"}"#, "detail"),
        (r#"{"code":"","target":"arm"}"#, "target"),
        (r#"{"code":"","features":"a"}"#, "features"),
        (r#"{"code":"","args":[1]}"#, "args"),
        (r#"{"code":"","stdin":1}"#, "stdin"),
        (r#"{"code":"","release":1}"#, "release"),
        (r#"{"code":"","compile_time_ms":120001}"#, "compile_time_ms"),
        (r#"{"code":"","run_time_ms":0}"#, "run_time_ms"),
        (r#"{"code":"","env":{}}"#, "env"),
    ] {
        for path in ["/v1/compile", "/v1/jobs"] {
            let answer = server.client.post(path, request).await;
            assert_eq!(answer.status, 400, "{request}: {}", answer.body);
            assert_eq!(answer.error()["param"], param, "{request}");
        }
    }
}

#[tokio::test]
async fn a_project_that_is_refused_is_an_answer() {
    let server = server(broken(), AuthConfig::default()).await;
    for (request, reason) in [
        (json!({"files": {"a": ""}}), "no Cargo.toml"),
        (json!({"files": {"Cargo.toml": "", "/x": ""}}), "absolute"),
        (json!({"archive": "UEs="}), "archive"),
        (json!({"files": {"Cargo.toml": "[dependencies]\nserde = \"1\""}}), "scripts/setup"),
        (json!({"code": "", "bin": "--config"}), "no name"),
        (json!({"code": "", "target": "wasm32-wasip1", "command": "run"}), "wasm32-wasip1"),
    ] {
        let answer = server.client.post("/v1/compile", &request.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = body(&answer);
        assert_eq!(answer["verdict"], "refused");
        let said = answer["reasons"][0].as_str().expect("a reason");
        assert!(said.contains(reason), "{request}: {said}");
    }
}

#[tokio::test]
async fn rust_coders_refusals_have_its_shape() {
    let server = server(broken(), AuthConfig::default()).await;
    let answer = server.client.post("/compile", "{}").await;
    assert_eq!((answer.status, body(&answer)), (400, json!({"detail": "Missing 'code' field"})));
    let flat = r#"{"code":"[filename: ../x]\na\n"}"#;
    let answer = server.client.post("/compile", flat).await;
    assert_eq!(answer.status, 200);
    let answer = body(&answer);
    assert_eq!((&answer["success"], &answer["files"]), (&json!(false), &json!([])));
    assert_eq!(answer["error_details"]["full_error"], answer["build_output"]);
    assert!(answer["error_details"]["error_message"].as_str().is_some_and(|t| t.contains("../x")));
}

#[tokio::test]
async fn a_sandbox_that_fails_is_the_nodes_fault() {
    let server = server(broken(), AuthConfig::default()).await;
    let answer = server.client.post("/v1/compile", HELLO).await;
    assert_eq!((answer.status, &answer.error()["code"]), (503, &json!("sandbox_failed")));
    let begun = body(&server.client.post("/v1/jobs", HELLO).await);
    assert_eq!((&begun["object"], &begun["state"]), (&json!("job"), &json!("queued")));
    let id = begun["id"].as_str().expect("an id");
    let events = server.client.get(&format!("/v1/jobs/{id}/events")).await;
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(events.body.contains("event: result\ndata: "), "{}", events.body);
    assert_eq!(body(&server.client.get(&format!("/v1/jobs/{id}")).await)["state"], "failed");
    let deleted = server.client.send(&format!("DELETE /v1/jobs/{id}"), "", "").await;
    assert_eq!(body(&deleted)["deleted"], true);
    let gone = server.client.get(&format!("/v1/jobs/{id}")).await;
    assert_eq!((gone.status, &gone.error()["code"]), (404, &json!("job_not_found")));
}

#[tokio::test]
async fn a_job_belongs_to_its_key() {
    let key = |name: &str| ApiKey { name: name.into(), hash: HASH.into(), admin: false };
    let server = server(broken(), AuthConfig { keys: vec![key("a")] }).await;
    assert_eq!(server.client.post("/v1/jobs", HELLO).await.status, 401);
    let headers = format!("{JSON}authorization: Bearer secret\r\n");
    let begun = body(&server.client.send("POST /v1/jobs", &headers, HELLO).await);
    let Offer::Open(service) = &server.state.compile else { panic!("it is open") };
    let id = begun["id"].as_str().expect("an id");
    assert!(service.jobs().look(&crate::store::Owner::of_key("a"), id).is_some());
    assert!(service.jobs().look(&crate::store::Owner::of_key("b"), id).is_none());
    assert!(!service.jobs().remove(&crate::store::Owner::default(), id));
}
