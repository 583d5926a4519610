//! Exports and imports over HTTP.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gaia_core::fakes::FakeKnowledge;
use gaia_core::knowledge::{CollectionSpec, Point, PointId};
use serde_json::{Value, json};

use super::*;
use crate::config::KnowledgeConfig;

const EXPORT: &str = "/v1/knowledge/collections/book/export";

/// A folder for exports, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(super::super::ids::new_id("gaia-portable-"));
        std::fs::create_dir_all(&folder).expect("made");
        Self(folder)
    }

    fn left(&self) -> Vec<String> {
        let downloads = self.0.join("downloads");
        let Ok(entries) = std::fs::read_dir(downloads) else { return vec![] };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("removed");
    }
}

/// A node with the collection `book`, one of whose points has a text.
async fn server(folder: &Folder, change: impl FnOnce(&mut KnowledgeConfig)) -> Server {
    server_of("embed", folder, change).await
}

/// The same, whose points were embedded by this model.
async fn server_of(
    embedder: &str,
    folder: &Folder,
    change: impl FnOnce(&mut KnowledgeConfig),
) -> Server {
    let payload = json!({"source": "a value has one owner"}).as_object().cloned().expect("one");
    let point = Point { id: PointId::Number(7), vector: vec![1.0, 0.0], payload };
    let embedder = Some(embedder.to_owned());
    let spec = CollectionSpec { dimension: 2, embedder, ..CollectionSpec::default() };
    let knowledge = Arc::new(FakeKnowledge::holding("book", spec, vec![point]));
    let mut config = KnowledgeConfig::in_folder(folder.0.clone());
    config.snapshot_dirs = vec![folder.0.clone()];
    change(&mut config);
    let (server, auth) = (ServerConfig::default(), AuthConfig::default());
    let state = State::new(&server, &auth, vec![embed()], storage());
    Server::serving(state.knowing(knowledge, config, HashMap::new())).await
}

async fn exported(server: &Server, folder: &Folder) -> PathBuf {
    let file = folder.0.join("book.jsonl.zst");
    let answer = post(server, EXPORT, &json!({"file": file})).await;
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((answer.status, &told["points"]), (200, &json!(1)), "{}", answer.body);
    file
}

/// As an operator on this machine.
async fn send(server: &Server, line: &str, body: &str) -> client::Answer {
    let headers = "content-type: application/json\r\n";
    let request =
        client::request(line, headers, body).replace("host: x\r\n", "host: localhost\r\n");
    server.client.raw(request.as_bytes()).await
}

async fn post(server: &Server, path: &str, body: &Value) -> client::Answer {
    send(server, &format!("POST {path}"), &body.to_string()).await
}

/// Sends a file as the body.
async fn upload(server: &Server, path: &str, file: &Path) -> client::Answer {
    let content = std::fs::read(file).expect("read");
    let mut bytes = format!(
        "PUT {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/zstd\r\ncontent-length: {}\r\n\r\n",
        content.len()
    )
    .into_bytes();
    bytes.extend(content);
    server.client.raw(&bytes).await
}

fn to(name: &str, query: &str) -> String {
    format!("/v1/knowledge/collections/{name}/import{query}")
}

#[tokio::test]
async fn an_exported_collection_is_imported_by_name_and_by_body() {
    let folder = Folder::new();
    let server = server(&folder, |_| {}).await;
    let file = exported(&server, &folder).await;
    let answer = post(&server, &to("one", ""), &json!({"source": file})).await;
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((answer.status, &told["reembedded"]), (200, &json!(false)), "{}", answer.body);
    assert_eq!((&told["collection"]["name"], &told["records"]), (&json!("one"), &json!(1)));
    let answer = upload(&server, &to("two", "?reembed=false"), &file).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let events = upload(&server, &to("three", "?stream=true&reembed=true"), &file).await.body;
    assert!(events.contains("event: done\n") && events.contains("\"reembedded\":true"), "{events}");
    let again = upload(&server, &to("three", "?stream=true"), &file).await.body;
    assert!(again.contains("event: error\n") && again.contains("collection_exists"), "{again}");
    let again = upload(&server, &to("three", "?replace=true"), &file).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(folder.left(), [""; 0], "nothing of an upload stays");
}

#[tokio::test]
async fn an_export_is_never_half_and_never_overwrites() {
    let folder = Folder::new();
    let server = server(&folder, |_| {}).await;
    let file = exported(&server, &folder).await;
    let again = post(&server, EXPORT, &json!({"file": file})).await;
    assert_eq!((again.status, again.error()["param"].as_str()), (400, Some("file")));
    let elsewhere = json!({"file": "/etc/book.jsonl.zst"});
    assert_eq!(post(&server, EXPORT, &elsewhere).await.status, 400);
    let unknown = send(&server, "GET /v1/knowledge/collections/no/export", "").await;
    assert_eq!((unknown.status, folder.left()), (404, vec![]));
}

#[tokio::test]
async fn wrong_options_files_and_sizes_are_refused() {
    let folder = Folder::new();
    let server = server(&folder, |config| config.snapshot_bytes_max = 1000).await;
    let file = exported(&server, &folder).await;
    for (query, param) in
        [("?replace=yes", "replace"), ("?more=1", "more"), ("?reembed=1", "reembed")]
    {
        let refused = upload(&server, &to("new", query), &file).await;
        assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some(param)));
    }
    for (body, param) in [
        (json!({}), "source"),
        (json!({"source": "/etc/passwd"}), "source"),
        (json!({"source": file, "sha256": "ab"}), "source"),
        (json!({"source": file, "replace": 1}), "replace"),
        (json!({"source": file, "colour": 1}), "colour"),
    ] {
        let refused = post(&server, &to("new", ""), &body).await;
        let named = (refused.status, refused.error()["param"].as_str().map(str::to_owned));
        assert_eq!(named, (400, Some(param.to_owned())), "{}", refused.body);
    }
    let other = folder.0.join("other");
    std::fs::write(&other, [7; 900]).expect("written");
    let refused = upload(&server, &to("new", ""), &other).await;
    assert_eq!(
        (refused.status, refused.error()["code"].as_str()),
        (422, Some("snapshot_unreadable"))
    );
    std::fs::write(&other, [7; 2000]).expect("written");
    let refused = upload(&server, &to("new", ""), &other).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(
        (server.client.get("/v1/knowledge/collections/new").await.status, folder.left()),
        (404, vec![])
    );
}

#[tokio::test]
async fn another_model_is_refused_if_the_config_says_so() {
    let folder = Folder::new();
    let server = server_of("gone", &folder, |config| config.import_reembeds = false).await;
    let file = exported(&server, &folder).await;
    let refused = upload(&server, &to("one", ""), &file).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("made by gone") && refused.body.contains("`reembed`"));
    assert_eq!(upload(&server, &to("one", "?reembed=true"), &file).await.status, 200);
}

#[tokio::test]
async fn one_more_transfer_than_allowed_is_refused() {
    let folder = Folder::new();
    let server = server(&folder, |_| {}).await;
    let file = exported(&server, &folder).await;
    let turns = &server.state.transfers;
    let held: Vec<_> = std::iter::from_fn(|| turns.try_acquire().ok()).collect();
    for refused in [
        upload(&server, &to("two", ""), &file).await,
        send(&server, &format!("GET {EXPORT}"), "").await,
    ] {
        assert_eq!((refused.status, refused.error()["code"].as_str()), (429, Some("overloaded")));
    }
    drop(held);
    assert_eq!(upload(&server, &to("two", ""), &file).await.status, 200);
}
