//! Vector stores and `/v1/create/rag` over fakes of the models and of the knowledge base.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use gaia_core::Knowledge;
use gaia_core::fakes::FakeKnowledge;
use gaia_protocol::TokenText;
use serde_json::{Value, json};

use super::*;
use crate::config::{ApiKey, KnowledgeConfig};
use crate::http::ids::new_id;
use crate::store::{VectorLimits, VectorStores};

pub(super) const TEXT: &str = "Foxes are quick.";

/// A server with stores, in a folder that goes when the test ends.
pub(super) struct Keeper {
    pub(super) server: Server,
    pub(super) knowledge: Arc<FakeKnowledge>,
    folder: PathBuf,
}

impl Keeper {
    async fn start(auth: AuthConfig, limits: VectorLimits) -> Self {
        let folder = std::env::temp_dir().join(new_id("gaia-http-"));
        Self::on(folder, auth, (limits, model())).await
    }

    async fn on(
        folder: PathBuf,
        auth: AuthConfig,
        (limits, model): (VectorLimits, Arc<FakeModel>),
    ) -> Self {
        Self::of(folder, auth, (limits, vec![model])).await
    }

    /// One that serves these models.
    pub(super) async fn of(
        folder: PathBuf,
        auth: AuthConfig,
        (limits, models): (VectorLimits, Vec<Arc<FakeModel>>),
    ) -> Self {
        let models = models.into_iter().map(|model| model as Arc<dyn Model>).collect();
        let storage = storage_of(FilesConfig::in_folder(folder.join("files")));
        let knowledge = Arc::new(FakeKnowledge::default());
        let stores = VectorStores::open(folder.join("vector_stores"), limits).expect("readable");
        let config = KnowledgeConfig::in_folder(folder.join("knowledge"));
        let state = State::new(&ServerConfig::default(), &auth, models, storage)
            .knowing(Arc::clone(&knowledge) as _, config, HashMap::new())
            .storing(stores, Arc::clone(&knowledge) as _);
        Self { server: Server::serving(state).await, knowledge, folder }
    }

    async fn open() -> Self {
        Self::start(AuthConfig::default(), VectorLimits::default()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> client::Answer {
        self.server.client.post(path, &body.to_string()).await
    }

    async fn send(&self, line: &str) -> client::Answer {
        self.server.client.send(line, "", "").await
    }

    /// A good answer.
    async fn get(&self, path: &str) -> Value {
        good(&self.send(&format!("GET {path}")).await)
    }

    /// The id of a new store.
    pub(super) async fn store(&self, body: Value) -> String {
        id(&good(&self.post("/v1/vector_stores", body).await))
    }

    /// The id of a new file.
    pub(super) async fn file(&self, name: &str) -> String {
        let part = format!("name=\"file\"; filename=\"{name}\"");
        id(&good(&self.form("/v1/files", "", &[(&part, TEXT)]).await))
    }

    async fn form(&self, path: &str, headers: &str, parts: &[(&str, &str)]) -> client::Answer {
        let part = |(name, text): &(&str, &str)| {
            format!("--b\r\ncontent-disposition: form-data; {name}\r\n\r\n{text}\r\n")
        };
        let body = parts.iter().map(part).collect::<String>() + "--b--\r\n";
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}");
        let length = body.len();
        let kind = "content-type: multipart/form-data; boundary=b";
        let request = format!("{head}{kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.server.client.raw(request.as_bytes()).await
    }

    /// Waits until something of this place is no longer under way.
    pub(super) async fn settled(&self, path: &str) -> Value {
        for _ in 0..500 {
            let found = self.get(path).await;
            if found["status"] != "in_progress" {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} stays under way")
    }

    /// Waits until the collections hold so many points together.
    async fn points(&self, wanted: u64) -> usize {
        for _ in 0..500 {
            let collections = self.knowledge.collections().await.expect("a fake");
            if collections.iter().map(|one| one.points).sum::<u64>() == wanted {
                return collections.len();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there are never {wanted} points")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Cuts one text, and makes the same vector of every text.
pub(super) fn model() -> Arc<FakeModel> {
    let token = TokenText { id: 1, bytes: TEXT.into() };
    let tokens = vec![Ok(Event::Tokens { tokens: vec![token] }), finish(0)];
    let mut vector = vec![0.0; 576];
    vector[0] = 1.0;
    let embedding = Event::Embedding { index: 0, vector, tokens: 3 };
    let vectors = vec![Ok(embedding), finish(0)];
    let mut scripts = vec![tokens, vectors.clone()];
    scripts.extend(vec![vectors; 50]);
    Arc::new(FakeModel::new("embed", ModelKind::Embedding).answering_in_turn(scripts))
}

pub(super) fn good(answer: &client::Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let keeper = Keeper::open().await;
    let stores = "/v1/vector_stores".to_owned();
    let store = format!("{stores}/{}", keeper.store(json!({})).await);
    let (files, batches) = (format!("{store}/files"), format!("{store}/file_batches"));
    let search = format!("{store}/search");
    let pairs: serde_json::Map<_, _> = (0..17).map(|n| (n.to_string(), json!("x"))).collect();
    let sizes = |most: u32, overlap: u32| json!({"type": "static", "static": {"max_chunk_size_tokens": most, "chunk_overlap_tokens": overlap}});
    for (path, body, param) in [
        (&stores, json!({"name": "x".repeat(257)}), "name"),
        (&stores, json!({"metadata": pairs}), "metadata"),
        (&stores, json!({"metadata": {"a": 1}}), "metadata.a"),
        (&stores, json!({"file_ids": "x"}), "file_ids"),
        (&stores, json!({"file_ids": ["none"]}), "file_id"),
        (&stores, json!({"expires_after": {"days": 1}}), "expires_after.anchor"),
        (
            &stores,
            json!({"expires_after": {"anchor": "last_active_at", "days": 366}}),
            "expires_after.days",
        ),
        (&stores, json!({"more": 1}), "more"),
        (&store, json!({"file_ids": []}), "file_ids"),
        (&files, json!({}), "file_id"),
        (&files, json!({"file_id": "none"}), "file_id"),
        (&files, json!({"file_id": "x", "attributes": {"a": []}}), "attributes.a"),
        (&files, json!({"file_id": "x", "attributes": {"a.b": 1}}), "attributes"),
        (&files, json!({"file_id": "x", "chunking_strategy": {}}), "chunking_strategy.type"),
        (
            &files,
            json!({"file_id": "x", "chunking_strategy": sizes(99, 1)}),
            "chunking_strategy.static.max_chunk_size_tokens",
        ),
        (
            &files,
            json!({"file_id": "x", "chunking_strategy": sizes(100, 51)}),
            "chunking_strategy.static.chunk_overlap_tokens",
        ),
        (&batches, json!({}), "file_ids"),
        (&batches, json!({"file_ids": []}), "file_ids"),
        (&batches, json!({"files": [{"file_id": 7}]}), "files[0].file_id"),
        (&batches, json!({"files": [], "file_ids": []}), "files"),
        (&search, json!({}), "query"),
        (&search, json!({"query": ""}), "query"),
        (&search, json!({"query": ["a", 7]}), "query"),
        (&search, json!({"query": "a", "max_num_results": 51}), "max_num_results"),
        (&search, json!({"query": "a", "rewrite_query": true}), "rewrite_query"),
        (&search, json!({"query": "a", "filters": {"type": "is"}}), "filters.type"),
        (
            &search,
            json!({"query": "a", "ranking_options": {"score_threshold": 2}}),
            "ranking_options.score_threshold",
        ),
    ] {
        let answer = keeper.post(path, body.clone()).await;
        assert_eq!(answer.error()["param"], param, "{path} {body}: {}", answer.body);
    }
    for line in ["limit=101", "filter=x", "after=x", "before=x"] {
        let answer = keeper.send(&format!("GET {files}?{line}")).await;
        assert_eq!(answer.status, 400, "{line}");
    }
    for path in ["/none", "/none/files", "/none/files/x", "/none/file_batches/x"] {
        assert_eq!(keeper.send(&format!("GET /v1/vector_stores{path}")).await.status, 404);
    }
}

#[tokio::test]
async fn nobody_reaches_what_is_anothers() {
    // The hashes of `secret` and `abc`.
    let key = |name: &str, hash: &str| ApiKey {
        name: name.into(),
        hash: format!("sha256:{hash}"),
        admin: true,
    };
    let keys = vec![
        key("one", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        key("two", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ];
    let keeper = Keeper::start(AuthConfig { keys }, VectorLimits::default()).await;
    let one = "authorization: Bearer secret\r\ncontent-type: application/json\r\n";
    let two = "authorization: Bearer abc\r\ncontent-type: application/json\r\n";
    let client = &keeper.server.client;
    let store = id(&good(&client.send("POST /v1/vector_stores", one, "{}").await));
    for line in ["", "/files", "/files/x", "/file_batches/x"] {
        let line = format!("GET /v1/vector_stores/{store}{line}");
        assert_eq!(client.send(&line, two, "").await.status, 404, "{line}");
    }
    let line = format!("POST /v1/vector_stores/{store}/search");
    assert_eq!(client.send(&line, two, r#"{"query":"x"}"#).await.status, 404);
    assert_eq!(
        client.send(&format!("DELETE /v1/vector_stores/{store}"), two, "").await.status,
        404
    );
    let list = good(&client.send("GET /v1/vector_stores", two, "").await);
    assert_eq!(list["data"], json!([]));
    // Nor through the knowledge base, whoever asks.
    let collections = client.send("GET /v1/knowledge/collections", one, "").await;
    assert!(!collections.body.contains("vs_"), "{}", collections.body);
    let body = json!({"query": "x", "collections": [store]}).to_string();
    let answer = client.send("POST /v1/knowledge/search", two, &body).await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    for path in ["", "/documents"] {
        let line = format!("GET /v1/knowledge/collections/{store}{path}");
        let answer = client.send(&line, one, "").await;
        assert_eq!(answer.status, 404, "{line}");
    }
    let line = format!("DELETE /v1/knowledge/collections/{store}");
    assert_eq!(client.send(&line, one, "").await.status, 404);
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let limits = VectorLimits { stores: 1, files: 1, waiting: 1 };
    let keeper = Keeper::start(AuthConfig::default(), limits).await;
    let store = keeper.store(json!({})).await;
    let answer = keeper.post("/v1/vector_stores", json!({})).await;
    assert_eq!((answer.status, &answer.error()["code"]), (507, &json!("storage_full")));
    let (one, two) = (keeper.file("a.txt").await, keeper.file("b.txt").await);
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let answer = keeper.post(&path, json!({"file_ids": [one, two]})).await;
    assert_eq!((answer.status, &answer.error()["code"]), (507, &json!("storage_full")));
    assert_eq!(keeper.get(&format!("/v1/vector_stores/{store}/files")).await["data"], json!([]));
    let answer = keeper.send(&format!("DELETE /v1/vector_stores/{store}")).await;
    assert_eq!(good(&answer)["object"], "vector_store.deleted");
    keeper.store(json!({})).await;
}

#[tokio::test]
async fn a_file_is_brought_in_found_and_let_go() {
    let keeper = Keeper::open().await;
    let file = keeper.file("notes.txt").await;
    let body = json!({"name": "n", "metadata": {"a": "b"}, "file_ids": [file]});
    let path = format!("/v1/vector_stores/{}", keeper.store(body).await);
    let store = keeper.settled(&path).await;
    assert_eq!(
        store["file_counts"]["completed"],
        1,
        "{}",
        keeper.get(&format!("{path}/files")).await
    );
    assert_eq!((&store["status"], &store["usage_bytes"]), (&json!("completed"), &json!(16)));
    let attributes = json!({"attributes": {"year": 2020, "lang": "en", "ok": true}});
    let changed = keeper.post(&format!("{path}/files/{file}"), attributes.clone()).await;
    assert_eq!(good(&changed)["attributes"], attributes["attributes"]);
    let content = keeper.get(&format!("{path}/files/{file}/content")).await;
    assert_eq!(content["data"], json!([{"type": "text", "text": TEXT}]));
    let find = |filter: Value| {
        let body = json!({"query": ["quick", "foxes"], "filters": filter});
        let path = format!("{path}/search");
        let keeper = &keeper;
        async move { keeper.post(&path, body).await }
    };
    let found = good(&find(json!({"type": "eq", "key": "lang", "value": "en"})).await);
    assert_eq!(found["search_query"], json!(["quick", "foxes"]));
    let result = &found["data"][0];
    assert_eq!((&result["file_id"], &result["filename"]), (&json!(file), &json!("notes.txt")));
    assert_eq!((&result["score"], &result["content"][0]["text"]), (&json!(1.0), &json!(TEXT)));
    let none = good(&find(json!({"type": "gt", "key": "year", "value": 2020})).await);
    assert_eq!(none["data"], json!([]));
    let answer = keeper.send(&format!("DELETE /v1/files/{file}")).await;
    good(&answer);
    assert_eq!(keeper.send(&format!("GET {path}/files/{file}")).await.status, 404);
    assert_eq!(keeper.points(0).await, 1);
}

#[tokio::test]
async fn a_file_that_could_not_be_let_go_can_be_deleted_again() {
    let keeper = Keeper::open().await;
    let file = keeper.file("notes.txt").await;
    let path = format!("/v1/vector_stores/{}", keeper.store(json!({"file_ids": [file]})).await);
    assert_eq!(keeper.settled(&path).await["file_counts"]["completed"], 1);
    let (folder, aside) = (keeper.folder.join("vector_stores"), keeper.folder.join("aside"));
    std::fs::rename(&folder, &aside).expect("put aside");
    std::fs::write(&folder, "in the way").expect("written");
    let line = format!("DELETE /v1/files/{file}");
    assert_eq!(keeper.send(&line).await.status, 500);
    assert_eq!(keeper.get(&format!("/v1/files/{file}")).await["id"], json!(file));
    std::fs::remove_file(&folder).expect("removed");
    std::fs::rename(&aside, &folder).expect("put back");
    good(&keeper.send(&line).await);
    assert_eq!(keeper.send(&format!("GET {path}/files/{file}")).await.status, 404);
    assert_eq!(keeper.points(0).await, 1);
}

#[tokio::test]
async fn what_can_not_be_read_fails_with_its_reason() {
    let keeper = Keeper::open().await;
    let file = keeper.file("notes.png").await;
    let path = format!("/v1/vector_stores/{}", keeper.store(json!({})).await);
    let batch =
        good(&keeper.post(&format!("{path}/file_batches"), json!({"file_ids": [file]})).await);
    let batch = keeper.settled(&format!("{path}/file_batches/{}", id(&batch))).await;
    assert_eq!((&batch["status"], &batch["file_counts"]["failed"]), (&json!("failed"), &json!(1)));
    let failed = keeper.get(&format!("{path}/files/{file}")).await;
    assert_eq!(failed["last_error"]["code"], "unsupported_file", "{failed}");
    let content = keeper.send(&format!("GET {path}/files/{file}/content")).await;
    assert_eq!(content.error()["code"], "file_not_ready");
}

#[tokio::test]
async fn a_batch_can_be_given_up_and_a_restart_goes_on() {
    let folder = std::env::temp_dir().join(new_id("gaia-http-"));
    let stuck = || {
        let model = FakeModel::new("embed", ModelKind::Embedding).answering(vec![]).hanging();
        (VectorLimits::default(), Arc::new(model))
    };
    let mut first = Keeper::on(folder.clone(), AuthConfig::default(), stuck()).await;
    let path = format!("/v1/vector_stores/{}", first.store(json!({})).await);
    let batches = format!("{path}/file_batches");
    let body = json!({"file_ids": [first.file("a.txt").await]});
    let given_up = format!("{batches}/{}", id(&good(&first.post(&batches, body).await)));
    let cancelled = good(&first.post(&format!("{given_up}/cancel"), json!({})).await);
    assert_eq!(cancelled["status"], "cancelled");
    let body = json!({"files": [{"file_id": first.file("b.txt").await, "attributes": {"a": 1}}]});
    let batch = good(&first.post(&batches, body).await);
    assert_eq!(
        batch["file_counts"],
        json!({"in_progress": 1, "completed": 0, "cancelled": 0, "failed": 0, "total": 1})
    );
    first.folder = std::env::temp_dir().join(new_id("gaia-http-"));
    drop(first);
    let limits = VectorLimits::default();
    let second = Keeper::on(folder, AuthConfig::default(), (limits, model())).await;
    assert_eq!(second.settled(&path).await["file_counts"]["completed"], 1);
    assert_eq!(second.get(&given_up).await["status"], "cancelled");
    let files = second.get(&format!("{batches}/{}/files", id(&batch))).await;
    assert_eq!(files["data"][0]["attributes"], json!({"a": 1}));
    assert_eq!(second.points(1).await, 1);
}

#[tokio::test]
async fn gaianets_form_makes_a_collection_once() {
    const FILE: &str = r#"name="file"; filename="a.txt""#;
    const NAME: &str = r#"name="vdb_collection_name""#;
    let keeper = Keeper::open().await;
    for (parts, param) in [
        (vec![(NAME, "book")], "file"),
        (vec![(FILE, TEXT)], "vdb_collection_name"),
        (vec![(FILE, TEXT), (NAME, "a/b")], "vdb_collection_name"),
        (vec![(r#"name="file"; filename="a.pdf""#, TEXT), (NAME, "book")], "file"),
        (vec![(r#"name="vdb_server_url""#, "http://x")], "vdb_server_url"),
        (vec![(r#"name="vdb_api_key""#, "x")], "vdb_api_key"),
        (vec![(r#"name="kw_search_url""#, "http://x")], "kw_search_url"),
        (vec![(FILE, TEXT), (FILE, TEXT)], "file"),
        (vec![(r#"name="more""#, "x")], "more"),
    ] {
        let answer = keeper.form("/v1/create/rag", "", &parts).await;
        assert_eq!((answer.status, &answer.error()["param"]), (400, &json!(param)));
    }
    let hidden = format!("vs_{}", "0".repeat(24));
    let answer = keeper.form("/v1/create/rag", "", &[(FILE, TEXT), (NAME, &hidden)]).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    let forwarded = "x-real-ip: 1.2.3.4\r\n";
    let parts = [(NAME, "book"), (FILE, TEXT)];
    assert_eq!(keeper.form("/v1/create/rag", forwarded, &parts).await.status, 403);
    let made = good(&keeper.form("/v1/create/rag", "", &parts).await);
    let embeddings = &made["embeddings"];
    assert_eq!(embeddings["data"][0]["embedding"].as_array().map(Vec::len), Some(576));
    assert_eq!((&embeddings["model"], &embeddings["object"]), (&json!("embed"), &json!("list")));
    assert_eq!(embeddings["usage"]["total_tokens"], 3);
    assert_eq!(keeper.points(1).await, 1);
}
