//! Explaining and scoring: what is refused, and what is said without a sandbox or a model.

use serde_json::json;

use super::compile::{body, broken, server};
use super::*;
use crate::compile::Offer;

fn closed() -> Offer {
    Offer::Closed("no jail here".into())
}

#[tokio::test]
async fn each_wrong_field_of_an_explanation_is_named() {
    let server = server(closed(), AuthConfig::default()).await;
    let long = json!({"question": "a".repeat(5000)}).to_string();
    for (request, param) in [
        ("{}", "code"),
        (r#"{"question":" "}"#, "code"),
        (r#"{"code":7}"#, "code"),
        (r#"{"code":{}}"#, "code"),
        (r#"{"code":"E0502","files":{}}"#, "code"),
        (r#"{"files":[]}"#, "files"),
        (r#"{"files":{"a":""}}"#, "files"),
        (r#"{"archive":"%"}"#, "archive"),
        (r#"{"question":7}"#, "question"),
        (&long, "question"),
        (r#"{"question":"a","collections":"rust"}"#, "collections"),
        (r#"{"question":"a","collections":[1]}"#, "collections"),
        (r#"{"question":"a","stream":1}"#, "stream"),
        (r#"{"question":"a","max_tokens":0}"#, "max_tokens"),
        (r#"{"question":"a","model":"none"}"#, "model"),
        (r#"{"question":"a","more":1}"#, "more"),
    ] {
        let answer = server.client.post("/v1/explain", request).await;
        assert!(matches!(answer.status, 400 | 404), "{request}: {}", answer.body);
        assert_eq!(answer.error()["param"], param, "{request}");
    }
}

#[tokio::test]
async fn an_explanation_does_without_a_model_and_without_a_sandbox_and_says_so() {
    let server = server(closed(), AuthConfig::default()).await;
    let answer = server.client.post("/v1/explain", r#"{"code":"E0502"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = body(&answer);
    assert_eq!((&answer["model"], &answer["codes"]), (&json!(null), &json!(["E0502"])));
    let notes = answer["notes"].to_string();
    for part in ["no jail here", "no knowledge base", "no model"] {
        assert!(notes.contains(part), "{notes}");
    }
    let project = json!({"files": {"Cargo.toml": "[package]\nname = \"a\"\n"}}).to_string();
    let answer = server.client.post("/v1/explain", &project).await;
    assert_eq!((answer.status, &answer.error()["code"]), (503, &json!("compile_closed")));
}

#[tokio::test]
async fn the_compiler_explains_what_no_model_does() {
    let server = server(broken(), AuthConfig::default()).await;
    let said = json!({"code": "error[E0502]: cannot borrow `x`"}).to_string();
    let answer = body(&server.client.post("/v1/explain", &said).await);
    assert!(answer["explanations"]["E0502"].as_str().is_some_and(|text| text.contains("borrow")));
    assert_eq!(answer["codes"], json!(["E0502"]));
    assert!(answer["answer"].as_str().is_some_and(|text| text.contains("## E0502")));
    let streamed = json!({"code": {"code": {"code": "E0502"}, "message": "m"}, "stream": true});
    let streamed = server.client.post("/v1/explain", &streamed.to_string()).await;
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    assert!(streamed.body.contains("## E0502"), "{}", streamed.body);
    assert!(streamed.body.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_model_answers_whole_and_streamed() {
    let script = vec![delta("Because"), delta(" so."), finish(2)];
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script).counting(3));
    let state = State::new(&ServerConfig::default(), &AuthConfig::default(), vec![chat], storage());
    let server = Server::serving(state).await;
    let answer = body(&server.client.post("/v1/explain", r#"{"question":"Why?"}"#).await);
    assert_eq!((&answer["answer"], &answer["model"]), (&json!("Because so."), &json!("chat")));
    assert_eq!(answer["usage"]["completion_tokens"], 2);
    let request = r#"{"question":"Why?","stream":true}"#;
    let streamed = server.client.post("/v1/explain", request).await.body;
    let (said, end) = (r#""delta":{"content":" so."}"#, "data: [DONE]\n\n");
    assert!(streamed.contains(said) && streamed.ends_with(end), "{streamed}");
    let without = r#"{"question":"Why?","without_model":true}"#;
    let plain = body(&server.client.post("/v1/explain", without).await);
    assert_eq!(plain["model"], json!(null));
}

#[tokio::test]
async fn each_wrong_field_of_a_batch_is_named() {
    let server = server(broken(), AuthConfig::default()).await;
    let many = json!({"candidates": vec![json!({"code": ""}); 65]}).to_string();
    for (request, param) in [
        ("{}", "candidates"),
        (r#"{"candidates":[]}"#, "candidates"),
        (&many, "candidates"),
        (r#"{"candidates":[{"code":""},{}]}"#, "candidates[1].files"),
        (r#"{"candidates":[{"files":{"a":1}}]}"#, "candidates[0].files.a"),
        (r#"{"candidates":[{"archive":"%"}]}"#, "candidates[0].archive"),
        (r#"{"candidates":[{"code":"","edition":"1"}]}"#, "candidates[0].edition"),
        (r#"{"candidates":[{"code":"","x":1}]}"#, "candidates[0].x"),
        (r#"{"candidates":[{"code":""}],"tests":1}"#, "tests"),
        (r#"{"candidates":[{"code":""}],"tests":{"a":1}}"#, "tests.a"),
        (r#"{"candidates":[{"code":""}],"weights":{"tests":-1}}"#, "weights.tests"),
        (r#"{"candidates":[{"code":""}],"weights":{"style":1}}"#, "weights.style"),
        (r#"{"candidates":[{"code":""}],"weights":{"tests":0}}"#, "weights"),
        (r#"{"candidates":[{"code":""}],"more":1}"#, "more"),
    ] {
        let answer = server.client.post("/v1/score", request).await;
        assert_eq!(answer.status, 400, "{request}: {}", answer.body);
        assert_eq!(answer.error()["param"], param, "{request}");
    }
}

#[tokio::test]
async fn a_candidate_that_is_refused_or_unknown_leaves_the_others_alone() {
    let server = server(broken(), AuthConfig::default()).await;
    let candidates = json!([{"files": {"/x": ""}}, {"code": "fn main() {}"}, {"files": {}}]);
    let request = json!({"candidates": candidates}).to_string();
    let answer = body(&server.client.post("/v1/score", &request).await);
    let results = answer["results"].as_array().expect("a list");
    assert_eq!((&results[0]["score"], &results[0]["verdict"]), (&json!(0.0), &json!("refused")));
    assert_eq!(results[1]["score"], json!(null), "{results:?}");
    assert_eq!(results[1]["error"]["code"], "sandbox_failed");
    let places: Vec<_> = results.iter().map(|result| result["index"].clone()).collect();
    assert_eq!(places, [0, 1, 2]);
}

#[tokio::test]
async fn a_closed_sandbox_scores_nothing() {
    let server = server(closed(), AuthConfig::default()).await;
    let answer = server.client.post("/v1/score", r#"{"candidates":[{"code":""}]}"#).await;
    assert_eq!((answer.status, &answer.error()["code"]), (503, &json!("compile_closed")));
}
