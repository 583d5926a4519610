//! Uploads, and cutting them into chunks.

use std::path::PathBuf;

use gaia_protocol::TokenText;
use serde_json::Value;

use super::responses::still;
use super::*;
use crate::config::ApiKey;
use crate::http::ids::new_id;

/// A server with a folder for files that goes when the test ends.
struct Keeper {
    server: Server,
    folder: PathBuf,
}

impl Keeper {
    /// Takes files of 100 bytes, 250 bytes together and 3 at most.
    async fn start(auth: AuthConfig, models: Vec<Arc<dyn Model>>) -> Self {
        let folder = std::env::temp_dir().join(new_id("gaia-http-"));
        let files = FilesConfig {
            bytes_max: 100,
            total_bytes_max: 250,
            count_max: 3,
            folder: folder.clone(),
        };
        let config = ServerConfig { body_bytes_max: 1024, ..ServerConfig::default() };
        let state = State::new(&config, &auth, models, storage_of(files));
        Self { server: Server::serving(state).await, folder }
    }

    async fn open() -> Self {
        Self::start(AuthConfig::default(), vec![]).await
    }

    async fn send(&self, line: &str) -> client::Answer {
        self.server.client.send(line, "", "").await
    }

    async fn upload(&self, parts: &[(&str, &str)]) -> client::Answer {
        self.upload_with("", parts).await
    }

    async fn upload_with(&self, headers: &str, parts: &[(&str, &str)]) -> client::Answer {
        let part = |(name, text): &(&str, &str)| {
            format!("--b\r\ncontent-disposition: form-data; {name}\r\n\r\n{text}\r\n")
        };
        let body = parts.iter().map(part).collect::<String>() + "--b--\r\n";
        let headers = format!("{headers}content-type: multipart/form-data; boundary=b\r\n");
        self.server.client.send("POST /v1/files", &headers, &body).await
    }

    /// Uploads a good file and gives its id.
    async fn keep(&self, filename: &str, text: &str) -> String {
        let file = format!("name=\"file\"; filename=\"{filename}\"");
        let answer = self.upload(&[(&file, text)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        json(&answer)["id"].as_str().expect("an id").to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn json(answer: &client::Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

const FILE: &str = r#"name="file"; filename="a.txt""#;
const PURPOSE: &str = r#"name="purpose""#;

#[tokio::test]
async fn wrong_forms_are_named() {
    let keeper = Keeper::open().await;
    let long = "x".repeat(101);
    let longer = "x".repeat(100_000);
    for (parts, status, param, code) in [
        (vec![], 400, "file", ""),
        (vec![(PURPOSE, "batch")], 400, "file", ""),
        (vec![(r#"name="file""#, "no name")], 400, "file", ""),
        (vec![(FILE, "a"), (FILE, "b")], 400, "file", ""),
        (vec![(PURPOSE, "fun"), (FILE, "a")], 400, "purpose", ""),
        (vec![(PURPOSE, longer.as_str())], 413, "file", "file_too_large"),
        (vec![(FILE, "a"), (r#"name="more""#, "")], 400, "more", "unknown_parameter"),
        (vec![(FILE, long.as_str())], 413, "file", "file_too_large"),
        (vec![(FILE, longer.as_str())], 413, "file", "file_too_large"),
    ] {
        let answer = keeper.upload(&parts).await;
        let error = answer.error();
        assert_eq!(answer.status, status, "{error}");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{error}");
    }
    let client = &keeper.server.client;
    assert_eq!(client.post("/v1/files", "{}").await.status, 400, "no form");
    let cut = "content-type: multipart/form-data; boundary=b\r\n";
    assert_eq!(client.send("POST /v1/files", cut, "--b\r\n").await.status, 400, "no end");
    for line in ["GET /v1/files/x", "DELETE /v1/files/x", "GET /v1/files/x/content"] {
        assert_eq!(keeper.send(line).await.status, 404, "{line}");
    }
    for line in ["GET /v1/files/..%2f..%2fsecret/content", "GET /v1/files/download/x"] {
        assert_eq!(keeper.send(line).await.status, 404, "{line}");
    }
    assert_eq!(keeper.send("GET /v1/files?limit=0").await.error()["param"], "limit");
    let left = std::fs::read_dir(&keeper.folder).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing is left of what was refused");
}

#[tokio::test]
async fn bytes_of_a_form_without_a_field_are_refused() {
    let keeper = Keeper::open().await;
    let head = "POST /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n";
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    for start in ["", "7\r\n--b\r\nx:\r\n"] {
        let request = format!("{head}{start}{}0\r\n\r\n", chunk.repeat(20));
        let answer = keeper.server.client.raw(request.as_bytes()).await;
        assert_eq!((answer.status, &answer.error()["code"]), (413, &"form_too_large".into()));
    }
}

#[tokio::test]
async fn a_file_comes_back_as_it_was() {
    let keeper = Keeper::open().await;
    let name = r#"name="file"; filename="../a b.md""#;
    let answer = keeper.upload(&[(PURPOSE, "user_data"), (name, "# Hi\r\n\u{e4}")]).await;
    let id = json(&answer)["id"].as_str().expect("an id").to_owned();
    let golden = r#"{"id":"file-","object":"file","bytes":8,"created_at":,"expires_at":null,"filename":"../a b.md","purpose":"user_data","status":"processed","status_details":null}"#;
    assert_eq!(still(&answer.body), golden);
    assert_eq!(still(&keeper.send(&format!("GET /v1/files/{id}")).await.body), golden);
    let content = keeper.send(&format!("GET /v1/files/{id}/content")).await;
    assert_eq!(content.body, "# Hi\r\n\u{e4}");
    assert_eq!(content.header("content-type"), Some("application/octet-stream"));
    assert_eq!(content.header("content-length"), Some("8"));
    let download = keeper.send(&format!("GET /v1/files/download/{id}")).await;
    assert_eq!(download.header("content-type"), Some("text/markdown; charset=utf-8"));
    let disposition = "attachment; filename*=UTF-8''..%2Fa%20b.md";
    assert_eq!(download.header("content-disposition"), Some(disposition));
    let deleted = keeper.send(&format!("DELETE /v1/files/{id}")).await;
    assert_eq!(deleted.body, format!(r#"{{"id":"{id}","object":"file","deleted":true}}"#));
    assert_eq!(keeper.send(&format!("GET /v1/files/{id}")).await.status, 404);
}

#[tokio::test]
async fn lists_are_filtered_and_a_full_store_says_so() {
    let keeper = Keeper::open().await;
    let first = keeper.keep("a.txt", "1").await;
    keeper.upload(&[(FILE, "2"), (PURPOSE, "batch")]).await;
    let list = json(&keeper.send("GET /v1/files?purpose=batch").await);
    assert_eq!(
        (list["data"].as_array().map(Vec::len), &list["has_more"]),
        (Some(1), &false.into())
    );
    let page = json(&keeper.send("GET /v1/files?limit=1").await);
    assert_eq!((&page["has_more"], &page["first_id"]), (&true.into(), &page["last_id"]));
    keeper.keep("b.txt", "3").await;
    let full = keeper.upload(&[(FILE, "4")]).await;
    assert_eq!((full.status, full.error()["code"].as_str()), (507, Some("storage_full")));
    keeper.send(&format!("DELETE /v1/files/{first}")).await;
    keeper.keep("c.txt", "4").await;
}

#[tokio::test]
async fn a_file_is_its_keys_alone() {
    let key = |name: &str, hash: &str| ApiKey {
        name: name.into(),
        hash: format!("sha256:{hash}"),
        admin: false,
    };
    // The hashes of `secret` and of `other`.
    let keys = vec![
        key("ada", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
        key("bob", "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"),
    ];
    let keeper = Keeper::start(AuthConfig { keys }, vec![]).await;
    let (ada, bob) = ("authorization: Bearer secret\r\n", "authorization: Bearer other\r\n");
    assert_eq!(keeper.upload(&[(FILE, "a")]).await.status, 401);
    let answer = keeper.upload_with(ada, &[(FILE, "a")]).await;
    let id = json(&answer)["id"].as_str().expect("an id").to_owned();
    let client = &keeper.server.client;
    let list = client.send("GET /v1/files", bob, "").await;
    assert_eq!(json(&list)["data"].as_array().map(Vec::len), Some(0));
    for line in [
        format!("GET /v1/files/{id}"),
        format!("GET /v1/files/{id}/content"),
        format!("GET /v1/files/download/{id}"),
        format!("DELETE /v1/files/{id}"),
    ] {
        assert_eq!(client.send(&line, bob, "").await.status, 404, "{line}");
    }
    assert_eq!(client.send(&format!("GET /v1/files/{id}"), ada, "").await.status, 200);
}

/// Models whose tokens of any text are these.
fn tokenizing(words: &[&str]) -> Vec<Arc<dyn Model>> {
    let token = |word: &&str| TokenText { id: 0, bytes: (*word).into() };
    let tokens = Event::Tokens { tokens: words.iter().map(token).collect() };
    let embed =
        FakeModel::new("embed", ModelKind::Embedding).answering(vec![Ok(tokens), finish(0)]);
    vec![Arc::new(FakeModel::new("chat", ModelKind::Chat)), Arc::new(embed)]
}

#[tokio::test]
async fn wrong_wishes_for_chunks_are_named() {
    let keeper = Keeper::start(AuthConfig::default(), tokenizing(&["a"])).await;
    let text = keeper.keep("a.txt", "a").await;
    let image = keeper.keep("a.png", "a").await;
    for (body, status, param) in [
        (r#"{"chunk_capacity":5}"#.to_owned(), 400, "id"),
        (format!(r#"{{"id":"{text}"}}"#), 400, "chunk_capacity"),
        (format!(r#"{{"id":"{text}","chunk_capacity":0}}"#), 400, "chunk_capacity"),
        (r#"{"id":"file-1","chunk_capacity":5}"#.into(), 404, "id"),
        (format!(r#"{{"id":"{image}","chunk_capacity":5}}"#), 400, "id"),
        (format!(r#"{{"id":"{text}","filename":"b.txt","chunk_capacity":5}}"#), 400, "filename"),
        (format!(r#"{{"id":"{text}","model":"none","chunk_capacity":5}}"#), 404, "model"),
        (format!(r#"{{"id":"{text}","overlap":1,"chunk_capacity":5}}"#), 400, "overlap"),
    ] {
        let answer = keeper.server.client.post("/v1/chunks", &body).await;
        let error = answer.error();
        assert_eq!((answer.status, error["param"].as_str()), (status, Some(param)), "{body}");
    }
}

#[tokio::test]
async fn a_text_is_cut_by_the_tokens_of_the_embedding_model() {
    let words = ["#", "One", "a", "b", "c", ".", "d", "e", "f", "."];
    let keeper = Keeper::start(AuthConfig::default(), tokenizing(&words)).await;
    let id = keeper.keep("a.md", "# One\n\na b c. d e f.").await;
    let body = format!(r#"{{"id":"{id}","filename":"a.md","chunk_capacity":4}}"#);
    let answer = keeper.server.client.post("/v1/chunks", &body).await;
    assert_eq!(
        answer.body,
        format!(r##"{{"id":"{id}","filename":"a.md","chunks":["# One","a b c.","d e f."]}}"##)
    );
}
