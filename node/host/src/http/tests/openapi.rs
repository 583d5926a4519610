//! The document, held against what the routes do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gaia_core::fakes::FakeKnowledge;
use gaia_protocol::TokenText;
use serde_json::{Map, Value, json};

use super::compile::broken;
use super::*;
use crate::config::{ApiKey, Config, KnowledgeConfig, Places};
use crate::http::ids::new_id;
use crate::store::{VectorLimits, VectorStores};
use crate::workers::Workers;

/// A model that waits for a request that does not come.
const CONFIG: &str = r#"
[worker]
binary = "/bin/false"
[[models]]
name = "m"
kind = "chat"
path = "models/m.gguf"
app = "apps/chat.wasm"
load = "demand"
"#;

/// A node that has everything a node can have.
struct Whole {
    server: Server,
    _workers: Workers,
}

impl Whole {
    async fn start() -> Self {
        let places = Places {
            node_home: "/no/such/home".into(),
            user_home: "/home/ada".into(),
            config_folder: "/etc/gaia".into(),
        };
        let config = Config::parse("the test's config", CONFIG, places);
        let workers = Workers::start(&config.expect("it is valid")).expect("the program is there");
        let folder = std::env::temp_dir().join(new_id("gaia-http-"));
        let stores = VectorStores::open(folder.join("stores"), VectorLimits::default());
        let knowledge = Arc::new(FakeKnowledge::default());
        let storage = storage_of(FilesConfig::in_folder(folder.join("files")));
        let mut state =
            State::new(&ServerConfig::default(), &AuthConfig::default(), vec![], storage)
                .managed(workers.manager())
                .knowing(knowledge.clone(), KnowledgeConfig::in_folder(folder), HashMap::new())
                .compiling(broken());
        state.node.models = gaia_core::Models::new(vec![embedder()]);
        let state = state.storing(stores.expect("nothing is there yet"), knowledge);
        Self { server: Server::serving(state).await, _workers: workers }
    }

    async fn send(&self, line: &str, body: &Value) -> client::Answer {
        let body = body.to_string();
        let headers = "host: localhost\r\ncontent-type: application/json\r\n";
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\n{headers}connection: close\r\n");
        let request = format!("{head}content-length: {length}\r\n\r\n{body}");
        self.server.client.raw(request.as_bytes()).await
    }

    async fn document(&self) -> Value {
        let answer = self.server.client.get("/openapi.json").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Values of the paths' parts that lead to something.
    async fn places(&self) -> BTreeMap<&'static str, String> {
        let form = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\na\r\n--b--\r\n";
        let kind = "content-type: multipart/form-data; boundary=b\r\n";
        let file = id(&self.server.client.send("POST /v1/files", kind, form).await);
        let line = "POST /v1/vector_stores";
        let store = id(&self.send(line, &json!({"file_ids": [file]})).await);
        let line = format!("POST /v1/vector_stores/{store}/file_batches");
        let batch = id(&self.send(&line, &json!({"file_ids": [file]})).await);
        BTreeMap::from([
            ("{id}", store),
            ("{file}", file),
            ("{batch}", batch),
            ("{name}", "a".into()),
        ])
    }
}

fn id(answer: &client::Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    body["id"].as_str().expect("an id").to_owned()
}

fn embedder() -> Arc<dyn Model> {
    let vector = Event::Embedding { index: 0, vector: vec![1.0, 0.0], tokens: 1 };
    let tokens = Event::Tokens { tokens: vec![TokenText { id: 1, bytes: b"a".to_vec() }] };
    let script = vec![Ok(vector), Ok(tokens), finish(0)];
    Arc::new(FakeModel::new("embed", ModelKind::Embedding).answering(script))
}

/// All operations: a line such as `POST /v1/chat/completions`, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().expect("operations");
            operations.iter().map(move |(method, operation)| {
                (format!("{} {path}", method.to_uppercase()), operation)
            })
        })
        .collect()
}

/// The schema of the JSON object that an operation takes, and its example.
fn body(operation: &Value) -> Option<(&Map<String, Value>, &Value)> {
    let content = &operation["requestBody"]["content"]["application/json"];
    Some((content["schema"].as_object()?, &content["example"]))
}

fn with(example: &Value, name: &str, value: Value) -> Value {
    let mut body = example.clone();
    body[name] = value;
    body
}

#[tokio::test]
async fn an_unknown_part_of_the_document_is_refused() {
    let server = Server::playing(paris()).await;
    for (path, param) in [("/openapi.json?only=nothing", "only"), ("/openapi.json?x=1", "x")] {
        let answer = server.client.get(path).await;
        assert_eq!((answer.status, &answer.error()["param"]), (400, &json!(param)));
    }
}

#[tokio::test]
async fn the_configured_address_is_told_to_everyone() {
    let url = "https://example.org/gaia";
    let config = ServerConfig { public_url: Some(url.into()), ..ServerConfig::default() };
    let server = Server::start(config, AuthConfig::default(), vec![]).await;
    let answer = server.client.get("/openapi.json?only=health").await;
    let document: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(document["servers"], json!([{"url": url}]));
}

#[tokio::test]
async fn the_document_needs_no_key_and_says_that_others_do() {
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let key = ApiKey { name: "ada".into(), hash: hash.into(), admin: false };
    let auth = AuthConfig { keys: vec![key] };
    let server = Server::start(ServerConfig::default(), auth, vec![]).await;
    let answer = server.client.get("/openapi.json?only=list_models,health").await;
    let document: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(document["security"], json!([{"bearer": []}]));
    assert_eq!(document["paths"]["/health"]["get"]["security"], json!([]));
    assert_eq!(document["paths"].as_object().map(Map::len), Some(2));
    assert_eq!(server.client.get("/v1/models").await.status, 401);
}

#[tokio::test]
async fn every_route_is_there_and_answers_under_its_own_name() {
    let whole = Whole::start().await;
    let document = whole.document().await;
    let operations = operations(&document);
    assert!(operations.len() > 60, "{} operations", operations.len());
    let names: BTreeSet<_> =
        operations.iter().map(|(_, said)| said["operationId"].as_str()).collect();
    assert_eq!(names.len(), operations.len(), "names are unique");
    let places = whole.places().await;
    for (line, said) in &operations {
        assert!(said["description"].as_str().is_some_and(|text| text.len() > 10), "{line}");
        let line =
            places.iter().fold(line.clone(), |line, (part, value)| line.replace(part, value));
        let answer = whole.send(&line, &json!({})).await;
        let is_unknown = answer.body.contains("\"unknown_route\"") || answer.status == 405;
        assert!(!is_unknown, "{line}: {}", answer.body);
    }
}

#[tokio::test]
async fn bodies_take_the_fields_that_the_document_names_and_no_others() {
    let whole = Whole::start().await;
    let document = whole.document().await;
    let places = whole.places().await;
    let mut checked = 0;
    for (line, operation) in operations(&document) {
        let Some((schema, example)) = body(operation) else { continue };
        // Rust Coder ignores what it does not know; a model's keys are the config's to refuse.
        if schema.get("additionalProperties") != Some(&json!(false)) {
            let of_rust_coder =
                operation["tags"] == json!(["Rust Coder"]) && !line.contains("/v1/");
            assert!(line.contains("/admin/models") || of_rust_coder, "{line}");
            continue;
        }
        let line = places.iter().fold(line, |line, (part, value)| line.replace(part, value));
        let answer = whole.send(&line, &with(example, "no_such_field", json!(1))).await;
        assert!(answer.body.contains("no_such_field"), "{line}: {}", answer.body);
        let (_, taken) = answer.body.split_once("it takes ").expect("the names");
        let taken: BTreeSet<_> = taken.split('`').skip(1).step_by(2).collect();
        let named = schema["properties"].as_object().expect("fields");
        let named: BTreeSet<_> = named.keys().map(String::as_str).collect();
        assert_eq!(taken, named, "{line}");
        checked += 1;
    }
    assert!(checked >= 20, "{checked} bodies");
}

#[tokio::test]
async fn the_document_has_nothing_that_proxies_stumble_over() {
    let document = Whole::start().await.document().await;
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    assert!(!properties.contains_key("key"), "{properties:?}");
                }
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let place = reference.strip_prefix('#').expect("inside the document");
                    assert!(document.pointer(place).is_some(), "{reference}");
                }
                open.extend(map.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    for (line, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        assert_eq!(content.len(), 1, "{line}: one form of body");
        if let Some((schema, example)) = body(operation) {
            assert_eq!(schema["type"], "object", "{line}");
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(!example[name.as_str().expect("a name")].is_null(), "{line}: {name}");
            }
        }
    }
    assert_eq!(document["servers"], json!([{"url": "http://x"}]));
}
