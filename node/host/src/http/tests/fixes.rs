//! The memory of fixes over HTTP.

use gaia_core::fakes::FakeKnowledge;
use serde_json::{Value, json};

use super::*;
use crate::config::{ApiKey, CoderConfig};

/// The hashes of `secret` and `other`.
const SECRET: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const OTHER: &str = "sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
const KIND: &str = "content-type: application/json\r\n";
const IMPORT: &str = "POST /v1/fixes/import";

/// A node of two keys: `ada`, who manages it, and `bob`.
async fn server(config: CoderConfig) -> Server {
    let key =
        |name: &str, hash: &str, admin| ApiKey { name: name.into(), hash: hash.into(), admin };
    let keys = vec![key("ada", SECRET, true), key("bob", OTHER, false)];
    let state = State::new(&ServerConfig::default(), &AuthConfig { keys }, vec![], storage());
    Server::serving(state.coding(config, Some(Arc::new(FakeKnowledge::default())))).await
}

async fn send(server: &Server, line: &str, (key, body): (&str, &Value)) -> client::Answer {
    let headers = format!("{KIND}authorization: Bearer {key}\r\n");
    server.client.send(line, &headers, &body.to_string()).await
}

async fn good(server: &Server, line: &str, (key, body): (&str, &Value)) -> Value {
    let answer = send(server, line, (key, body)).await;
    assert_eq!(answer.status, 200, "{line}: {}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn line(before: &str) -> String {
    json!({"code": "E9999", "message": "m", "before": before, "after": "c", "used": 4, "helped": 3})
        .to_string()
}

fn import(lines: &str, trusted: bool) -> Value {
    json!({"origin": "club.jsonl", "lines": lines, "trusted": trusted})
}

/// The fixes of the tests' error code.
async fn listed(server: &Server, key: &str) -> Vec<Value> {
    let (mut ours, mut path) = (vec![], "/v1/fixes?limit=200".to_owned());
    loop {
        let page = good(server, &format!("GET {path}"), (key, &Value::Null)).await;
        let all = page["fixes"].as_array().expect("a list");
        ours.extend(all.iter().filter(|fix| fix["code"] == "E9999").cloned());
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/fixes?limit=200&from={next}"),
            None => return ours,
        }
    }
}

#[tokio::test]
async fn a_node_without_memory_says_why() {
    let off = CoderConfig { memory: false, ..CoderConfig::default() };
    let server = server(off).await;
    let body = import(&line("a"), false);
    for line in ["GET /v1/fixes", "GET /v1/fixes/export", IMPORT, "DELETE /v1/fixes/x"] {
        let answer = send(&server, line, ("secret", &body)).await;
        assert_eq!((answer.status, &answer.error()["code"]), (503, &json!("memory_closed")));
        assert!(answer.body.contains("coder.memory is false"), "{}", answer.body);
    }
    let none = State::new(&ServerConfig::default(), &AuthConfig::default(), vec![], storage());
    let none = Server::serving(none.coding(CoderConfig::default(), None)).await;
    assert!(none.client.get("/v1/fixes").await.body.contains("no knowledge base"));
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let server = server(CoderConfig::default()).await;
    let lines = line("a");
    let many = "{}\n".repeat(10_001);
    for (body, param) in [
        (json!({"lines": lines}), "origin"),
        (json!({"lines": lines, "origin": "seed"}), "origin"),
        (json!({"lines": lines, "origin": "a b"}), "origin"),
        (json!({"lines": lines, "origin": "a".repeat(65)}), "origin"),
        (json!({"origin": "a"}), "lines"),
        (json!({"origin": "a", "lines": ""}), "lines"),
        (json!({"origin": "a", "lines": "x"}), "lines"),
        (json!({"origin": "a", "lines": many}), "lines"),
        (json!({"origin": "a", "lines": lines, "trusted": 1}), "trusted"),
        (json!({"origin": "a", "lines": lines, "x": 1}), "x"),
    ] {
        let answer = send(&server, IMPORT, ("secret", &body)).await;
        assert_eq!((answer.status, &answer.error()["param"]), (400, &json!(param)));
    }
    for (line, param) in [
        ("GET /v1/fixes?limit=0", "limit"),
        ("GET /v1/fixes?limit=201", "limit"),
        ("GET /v1/fixes?from=x", "id"),
        ("GET /v1/fixes?x=1", "x"),
        ("GET /v1/fixes/export?x=1", "x"),
        ("DELETE /v1/fixes/x", "id"),
    ] {
        let answer = send(&server, line, ("secret", &Value::Null)).await;
        assert_eq!((answer.status, &answer.error()["param"]), (400, &json!(param)), "{line}");
    }
}

#[tokio::test]
async fn importing_takes_trust_and_quarantine_holds() {
    let server = server(CoderConfig::default()).await;
    let refused = send(&server, IMPORT, ("other", &import(&line("a"), true))).await;
    assert_eq!((refused.status, &refused.error()["code"]), (403, &json!("admin_only")));
    let hostile = json!({"message": "m", "before": "a", "after": "\u{1b}[2J"}).to_string();
    let lines = [line("a"), hostile, line("a")].join("\n");
    let done = good(&server, IMPORT, ("secret", &import(&lines, false))).await;
    assert_eq!((&done["imported"], &done["known"]), (&json!(1), &json!(1)));
    assert_eq!((&done["refused"][0]["fix"], &done["refused_count"]), (&json!(2), &json!(1)));
    assert_eq!(listed(&server, "other").await, Vec::<Value>::new());
    let own = &listed(&server, "secret").await[0];
    assert_eq!((&own["origin"], &own["used"]), (&json!("club.jsonl"), &json!(0)));
    let line = format!("DELETE /v1/fixes/{}", own["id"].as_str().expect("an id"));
    let refused = send(&server, &line, ("other", &Value::Null)).await;
    assert_eq!((refused.status, &refused.error()["code"]), (404, &json!("fix_not_found")));
    assert_eq!(good(&server, &line, ("secret", &Value::Null)).await["deleted"], true);
    assert_eq!(listed(&server, "secret").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_export_comes_in_elsewhere_as_it_was() {
    let config = CoderConfig { trusted_keys: vec!["bob".into()], ..CoderConfig::default() };
    let (one, other) = (server(config.clone()).await, server(config).await);
    let lines: Vec<_> = (0..450).map(|n| line(&format!("line {n}"))).collect();
    good(&one, IMPORT, ("other", &import(&lines.join("\n"), true))).await;
    assert_eq!(listed(&one, "secret").await[0]["origin"], "club.jsonl");
    let export = send(&one, "GET /v1/fixes/export", ("secret", &Value::Null)).await;
    assert_eq!(export.header("content-type"), Some("application/jsonl"));
    assert!(!export.body.contains("club"), "where they came from is this node's matter");
    let done = good(&other, IMPORT, ("secret", &import(&export.body, true))).await;
    assert_eq!(done["imported"], 450, "the seeds are there: {done}");
    let again = send(&other, "GET /v1/fixes/export", ("secret", &Value::Null)).await;
    assert_eq!(again.body, export.body);
    let mine = listed(&other, "other").await;
    assert_eq!((mine.len(), &mine[0]["helped"], &mine[0]["origin"]), (450, &json!(3), &json!("")));
}
