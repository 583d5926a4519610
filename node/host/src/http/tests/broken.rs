//! A collection that is there but can't be read.

use std::collections::HashMap;

use gaia_core::fakes::FakeKnowledge;
use gaia_core::knowledge::{CollectionSpec, Plan};
use serde_json::{Value, json};

use super::*;
use crate::config::KnowledgeConfig;

const COLLECTIONS: &str = "/v1/knowledge/collections";
const REASON: &str = "manifest.json is damaged";

/// A server with the collections `book` and `gone`, of which one is broken.
async fn server() -> Server {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let spec = CollectionSpec { dimension: 2, ..CollectionSpec::default() };
    let knowledge = FakeKnowledge::holding("book", spec, vec![]).breaking("gone", REASON);
    let config = KnowledgeConfig::in_folder(std::env::temp_dir());
    let (server, auth) = (ServerConfig::default(), AuthConfig::default());
    let state = State::new(&server, &auth, vec![chat, embed()], storage());
    let plans: HashMap<String, Plan> = HashMap::new();
    Server::serving(state.knowing(Arc::new(knowledge), config, plans)).await
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.client.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn it_is_listed_with_its_reason() {
    let server = server().await;
    let list = get(&server, COLLECTIONS).await;
    let state =
        |place: usize| (&list["collections"][place]["name"], &list["collections"][place]["state"]);
    assert_eq!(state(0), (&json!("book"), &json!("ready")));
    assert_eq!(state(1), (&json!("gone"), &json!("broken")));
    let one = get(&server, &format!("{COLLECTIONS}/gone")).await;
    assert_eq!((&one["state"], &one["reason"]), (&json!("broken"), &json!(REASON)));
}

#[tokio::test]
async fn whatever_needs_it_is_told_why_it_cannot_be_had() {
    let server = server().await;
    let asked = json!({"collections": ["book", "gone"]});
    let messages = json!([{"role": "user", "content": "Who?"}]);
    let search = json!({"query": "a", "collections": ["gone"]});
    let requests = [
        ("/v1/knowledge/search", search),
        ("/v1/chat/completions", json!({"messages": messages, "knowledge": asked})),
        ("/v1/responses", json!({"input": "Who?", "knowledge": asked})),
        ("/v1/retrieve", json!({"messages": messages, "vdb_collection_name": ["gone"]})),
    ];
    for (path, body) in requests {
        let answer = server.client.post(path, &body.to_string()).await;
        let error = answer.error();
        assert_eq!(
            (answer.status, error["code"].as_str()),
            (503, Some("collection_broken")),
            "{path}"
        );
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("`gone`") && message.contains(REASON), "{path}: {message}");
    }
}

#[tokio::test]
async fn whatever_changes_it_is_told_the_same() {
    let server = server().await;
    for (method, path) in [("PUT", "documents?name=a.txt"), ("POST", "optimize"), ("GET", "export")]
    {
        let line = format!("{method} {COLLECTIONS}/gone/{path}");
        // As an operator on this machine.
        let request =
            client::request(&line, "", "a text").replace("host: x\r\n", "host: localhost\r\n");
        let answer = server.client.raw(request.as_bytes()).await;
        let code = answer.error()["code"].clone();
        assert_eq!((answer.status, code), (503, json!("collection_broken")), "{line}");
    }
}
