//! Answers that rest on vector stores of the asker's own, in all three APIs.

use gaia_core::Knowledge;
use gaia_core::knowledge::{Change, CollectionSpec, Point, PointId};
use serde_json::{Value, json};

use super::vector_stores::{Keeper, TEXT, good, model};
use super::*;
use crate::config::ApiKey;
use crate::http::ids::new_id;
use crate::store::VectorLimits;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// A node whose chat model answers the same each time.
async fn keeper(auth: AuthConfig) -> (Keeper, Arc<FakeModel>) {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()).counting(3));
    let folder = std::env::temp_dir().join(new_id("gaia-http-"));
    let models = vec![model(), chat.clone()];
    (Keeper::of(folder, auth, (VectorLimits::default(), models)).await, chat)
}

/// A store of one file, and that file.
async fn filled(keeper: &Keeper) -> (String, String) {
    let file = keeper.file("foxes.md").await;
    let store = keeper.store(json!({"file_ids": [file]})).await;
    keeper.settled(&format!("/v1/vector_stores/{store}")).await;
    (store, file)
}

/// A request of each API that asks the same.
fn body(path: &str, knowledge: &Value) -> Value {
    let messages = json!([{"role": "user", "content": "quick foxes"}]);
    match path {
        RESPONSES => json!({"model": "chat", "input": "quick foxes", "knowledge": knowledge}),
        MESSAGES => {
            json!({"model": "chat", "max_tokens": 99, "messages": messages, "knowledge": knowledge})
        }
        _ => json!({"model": "chat", "messages": messages, "knowledge": knowledge}),
    }
}

/// A collection that everybody sees.
async fn add_book(keeper: &Keeper) {
    let spec = CollectionSpec { dimension: 576, ..CollectionSpec::default() };
    let mut vector = vec![0.0; 576];
    vector[0] = 0.5;
    let payload = json!({"source": "quick foxes in a book", "document": "book.md", "file_id": "x"});
    let payload = payload.as_object().cloned().expect("an object");
    let point = Point { id: PointId::Number(7), vector, payload };
    keeper.knowledge.change("book", Change::Create(spec)).await.expect("new");
    keeper.knowledge.change("book", Change::Upsert(vec![point])).await.expect("written");
}

#[tokio::test]
async fn every_api_answers_from_a_store_of_the_askers_own() {
    let (keeper, chat) = keeper(AuthConfig::default()).await;
    let (store, file) = filled(&keeper).await;
    for path in [CHAT, RESPONSES, MESSAGES] {
        let wish = json!({"vector_stores": [store]});
        let answer = good(&keeper.post(path, body(path, &wish)).await);
        let cited = &answer["citations"][0];
        assert_eq!((&cited["collection"], &cited["text"]), (&json!(store), &json!(TEXT)), "{path}");
        assert_eq!((&cited["document"], &cited["file_id"]), (&json!("foxes.md"), &json!(file)));
        let Some(gaia_protocol::Task::Chat(task)) = chat.tasks().pop() else {
            panic!("a chat task")
        };
        assert!(task.messages[0].content.contains("from=\"foxes.md\""), "{path}");
        if path == RESPONSES {
            let note = &answer["output"][0]["content"][0]["annotations"][0];
            assert_eq!((&note["file_id"], &note["filename"]), (&json!(file), &json!("foxes.md")));
        }
    }
    let found = json!({"query": "foxes", "vector_stores": store});
    let found = good(&keeper.post("/v1/knowledge/search", found).await);
    assert_eq!(found["passages"][0]["file_id"], json!(file));
    let found =
        good(&keeper.post("/v1/retrieve", body(CHAT, &json!({"vector_stores": store}))).await);
    assert_eq!(found[0]["points"][0]["source"], TEXT);
}

#[tokio::test]
async fn a_store_stands_beside_collections() {
    let (keeper, _) = keeper(AuthConfig::default()).await;
    let (store, _) = filled(&keeper).await;
    add_book(&keeper).await;
    let wish = json!({"collections": ["book"], "vector_stores": [store], "limit": [1, 2]});
    let answer = good(&keeper.post(CHAT, body(CHAT, &wish)).await);
    let cited = answer["citations"].as_array().expect("a list");
    let mut of: Vec<_> =
        cited.iter().map(|one| one["collection"].as_str().expect("a name")).collect();
    of.sort_unstable();
    assert_eq!(of, ["book", store.as_str()]);
    let book = cited.iter().find(|one| one["collection"] == "book").expect("cited");
    assert!(book.get("file_id").is_none(), "{book}");
    for (wish, param) in [
        (json!({"vector_stores": [store], "limit": [1, 2]}), "knowledge.limit"),
        (json!({"vector_stores": []}), "knowledge.vector_stores"),
        (json!({"vector_stores": 7}), "knowledge.vector_stores"),
    ] {
        let refused = keeper.post(CHAT, body(CHAT, &wish)).await;
        assert_eq!(
            (refused.status, refused.error()["param"].as_str()),
            (400, Some(param)),
            "{wish}"
        );
    }
}

#[tokio::test]
async fn a_file_that_left_its_store_is_not_cited() {
    let (keeper, _) = keeper(AuthConfig::default()).await;
    let (store, file) = filled(&keeper).await;
    let wish = json!({"vector_stores": [store]});
    let before = good(&keeper.post(CHAT, body(CHAT, &wish)).await);
    assert_eq!(before["citations"][0]["collection"], json!(store));
    let line = format!("DELETE /v1/vector_stores/{store}/files/{file}");
    good(&keeper.server.client.send(&line, "", "").await);
    assert_eq!(good(&keeper.post(CHAT, body(CHAT, &wish)).await)["citations"], json!([]));
}

#[tokio::test]
async fn nobody_searches_anothers_store_by_any_name() {
    // The hashes of `secret` and `abc`.
    let key = |name: &str, hash: &str| ApiKey {
        name: name.into(),
        hash: format!("sha256:{hash}"),
        admin: false,
    };
    let keys = vec![
        key("one", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        key("two", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ];
    let (keeper, _) = keeper(AuthConfig { keys }).await;
    let client = &keeper.server.client;
    let one = "authorization: Bearer secret\r\ncontent-type: application/json\r\n";
    let two = "authorization: Bearer abc\r\ncontent-type: application/json\r\n";
    let store = good(&client.send("POST /v1/vector_stores", one, "{}").await)["id"].clone();
    let own = good(&client.send("POST /v1/vector_stores", two, "{}").await)["id"].clone();
    let missing = |param: &str, wish: Value| (param.to_owned(), wish);
    let wishes = [
        missing("knowledge.vector_stores", json!({"vector_stores": [store]})),
        missing("knowledge.vector_stores", json!({"vector_stores": [own, store]})),
        missing("knowledge.vector_stores", json!({"vector_stores": ["vs_none"]})),
        missing("collection", json!({"collections": [store]})),
        missing("collection", json!({"vector_stores": [own], "collections": [store]})),
    ];
    for path in [CHAT, RESPONSES, MESSAGES] {
        for (param, wish) in &wishes {
            let line = format!("POST {path}");
            let refused = client.send(&line, two, &body(path, wish).to_string()).await;
            assert_eq!(refused.status, 404, "{path} {wish}: {}", refused.body);
            assert!(!refused.body.contains("fox"), "{}", refused.body);
            if path != MESSAGES {
                assert_eq!(
                    refused.error()["param"].as_str(),
                    Some(param.as_str()),
                    "{path} {wish}"
                );
            }
        }
        // By words: the fake embeds in a set order.
        let wish = json!({"vector_stores": [own], "mode": "words"});
        assert_eq!(
            client.send(&format!("POST {path}"), two, &body(path, &wish).to_string()).await.status,
            200
        );
    }
}
