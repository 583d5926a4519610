//! An Elasticsearch inside the test, stricter than the real one: it knows the requests that the node
//! makes, field by field, and no others. It stores, and ranks by how many words of a question a text
//! holds, more where they are a larger part of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use gaia_knowledge::keywords::ElasticSettings;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// `elastic:secret` in base64.
const LOGIN: &str = "Basic ZWxhc3RpYzpzZWNyZXQ=";

const INDEX: &str = "gaia";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    collection: String,
    point: String,
    words: String,
}

/// What is stored, and what goes wrong next.
#[derive(Default)]
pub struct Held {
    documents: Option<BTreeMap<String, Document>>,
    /// Statuses that the next requests are answered with instead.
    pub faults: VecDeque<(u16, &'static str)>,
}

type Shared = Arc<Mutex<Held>>;

/// The server; it ends when it is dropped.
pub struct Fake {
    held: Shared,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub async fn start() -> Self {
        let held = Shared::default();
        let routes = Router::new()
            .route("/{index}", put(make))
            .route("/_bulk", post(bulk))
            .route("/{index}/_search", post(search))
            .route("/{index}/_delete_by_query", post(delete_by_query))
            .with_state(held.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { held, address, _tasks: tasks }
    }

    pub fn settings(&self) -> ElasticSettings {
        let login = Some(("elastic".to_owned(), "secret".to_owned()));
        ElasticSettings { url: format!("http://{}/", self.address), index: INDEX.into(), login }
    }

    pub fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// The texts that are stored.
    pub fn texts(&self) -> usize {
        self.held().documents.as_ref().map_or(0, BTreeMap::len)
    }
}

fn lock(held: &Shared) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(status: u16, kind: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(json!({"error": {"type": kind, "reason": kind}}))).into_response()
}

/// What refuses a request: a fault, or what each must have.
fn enter(held: &Shared, headers: &HeaderMap, kind: &str) -> Option<Response> {
    if let Some((status, reason)) = lock(held).faults.pop_front() {
        return Some(refuse(status, reason));
    }
    if headers.get("authorization").is_none_or(|login| login != LOGIN) {
        return Some(refuse(401, "security_exception"));
    }
    assert_eq!(headers["content-type"], kind);
    None
}

async fn make(
    State(held): State<Shared>,
    Path(index): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = enter(&held, &headers, "application/json") {
        return refused;
    }
    let keyword = json!({"type": "keyword"});
    let properties = json!({"collection": keyword, "point": keyword, "words": {"type": "text"}});
    assert_eq!(body, json!({"mappings": {"dynamic": "strict", "properties": properties}}));
    assert_eq!(index, INDEX);
    let mut held = lock(&held);
    if held.documents.is_some() {
        return refuse(400, "resource_already_exists_exception");
    }
    held.documents = Some(BTreeMap::new());
    Json(json!({"acknowledged": true, "index": index})).into_response()
}

async fn bulk(
    State(held): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Some(refused) = enter(&held, &headers, "application/x-ndjson") {
        return refused;
    }
    assert_eq!(query, BTreeMap::from([("refresh".into(), "wait_for".into())]));
    assert!(body.ends_with('\n'), "the last line ends, too");
    let mut lines = body.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut held = lock(&held);
    let documents = held.documents.as_mut().expect("the index is made first");
    let mut items = vec![];
    while let Some(action) = lines.next() {
        let (kind, place) = action.as_object().and_then(|map| map.iter().next()).expect("one");
        assert_eq!(place["_index"], INDEX);
        let id = place["_id"].as_str().expect("an id").to_owned();
        assert!(id.len() <= 512, "Elasticsearch's limit");
        let status = match kind.as_str() {
            "index" => {
                let document = lines.next().expect("a document");
                let document: Document = serde_json::from_value(document).expect("a document");
                assert_eq!(id, format!("{}/{}", document.collection, document.point));
                documents.insert(id, document).map_or(201, |_| 200)
            }
            "delete" => documents.remove(&id).map_or(404, |_| 200),
            other => panic!("{other}"),
        };
        items.push(json!({kind: {"_index": INDEX, "status": status}}));
    }
    Json(json!({"took": 1, "errors": false, "items": items})).into_response()
}

async fn search(
    State(held): State<Shared>,
    Path(index): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = enter(&held, &headers, "application/json") {
        return refused;
    }
    assert_eq!((index.as_str(), &body["_source"]), (INDEX, &json!(["point"])));
    let size = body["size"].as_u64().expect("a size");
    assert!((1..=10_000).contains(&size), "{size}: Elasticsearch's limit");
    let query = &body["query"]["bool"];
    let collection = query["filter"][0]["term"]["collection"].as_str().expect("a collection");
    let words = query["must"][0]["match"]["words"]["query"].as_str();
    let held = lock(&held);
    let documents = held.documents.as_ref().expect("the index is made first").values();
    let mut found: Vec<_> = documents
        .filter(|document| document.collection == collection)
        .map(|document| (words.map_or(0.0, |words| score(words, &document.words)), document))
        .filter(|(score, _)| words.is_none() || *score > 0.0)
        .collect();
    match words {
        Some(_) => found.sort_by(|one, other| other.0.total_cmp(&one.0)),
        None => {
            assert_eq!(body["sort"], json!([{"point": "asc"}]));
            found.sort_by(|one, other| one.1.point.cmp(&other.1.point));
            let after = body["search_after"][0].as_str().unwrap_or_default();
            found.retain(|(_, document)| document.point.as_str() > after);
        }
    }
    let hit = |(score, document): &(f64, &Document)| {
        json!({"_index": INDEX, "_id": format!("{collection}/{}", document.point),
            "_score": words.map(|_| score), "_source": {"point": document.point}})
    };
    let size = usize::try_from(size).expect("it fits");
    let hits: Vec<_> = found.iter().take(size).map(hit).collect();
    Json(json!({"took": 1, "timed_out": false, "hits": {"hits": hits}})).into_response()
}

async fn delete_by_query(
    State(held): State<Shared>,
    Path(index): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = enter(&held, &headers, "application/json") {
        return refused;
    }
    assert_eq!(index, INDEX);
    let collection = body["query"]["term"]["collection"].as_str().expect("a collection").to_owned();
    assert_eq!(body, json!({"query": {"term": {"collection": collection}}}));
    let mut held = lock(&held);
    let documents = held.documents.as_mut().expect("the index is made first");
    documents.retain(|_, document| document.collection != collection);
    Json(json!({"took": 1, "failures": []})).into_response()
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[expect(clippy::cast_precision_loss, reason = "texts are short")]
fn score(question: &str, text: &str) -> f64 {
    let (asked, held) = (words(question), words(text));
    let hits = asked.iter().map(|word| held.iter().filter(|one| *one == word).count());
    hits.sum::<usize>() as f64 / (1.0 + held.len() as f64)
}
