//! MCP over a router: what is refused, listed, cancelled and told. Real clients are in tests/clients.

mod calls;
mod golden;
mod refusals;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use futures_util::FutureExt;
use gaia_core::coder::{Budget, Coder, Edits};
use gaia_core::fakes::{FakeKnowledge, FakeModel};
use gaia_core::knowledge::{CollectionSpec, Point, PointId};
use gaia_core::{Admission, Knowledge, Model, Models, Node};
use gaia_protocol::{Event, FinishReason, ModelKind, Usage};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Coders, Parts, router};
use crate::clock::HostClock;
use crate::compile::{Offer, Queue};
use crate::config::{McpConfig, QueueConfig, ServerConfig};
use crate::store::Owner;

const TEXT: &str = "A value has one owner";

/// A router without the key's check: a test says itself whose a request is.
struct Mcp {
    router: Router,
    stop: watch::Sender<bool>,
    embedder: Arc<FakeModel>,
}

impl Mcp {
    fn new() -> Self {
        Self::with(McpConfig::default(), embedder())
    }

    fn with(config: McpConfig, embedder: FakeModel) -> Self {
        let embedder = Arc::new(embedder);
        let models: Vec<Arc<dyn Model>> = vec![Arc::clone(&embedder) as Arc<dyn Model>];
        let knowledge: Arc<dyn Knowledge> = Arc::new(knowledge());
        let node = Node {
            models: Models::new(models),
            admission: Admission::new(8),
            knowledge: Some(knowledge),
        };
        let (stop, stopping) = watch::channel(false);
        let compile = Offer::Closed("no jail here".into());
        let server = ServerConfig { body_bytes_max: 4096, ..ServerConfig::default() };
        let coders: Coders = Box::new({
            let node = node.clone();
            move |_, builder| Coder {
                node: node.clone(),
                builder,
                memory: None,
                clock: Arc::new(HostClock::default()),
                model: None,
                edits: Edits::Auto,
            }
        });
        let budget = Budget::default();
        let works = Queue::new(QueueConfig { at_once: 1, waiting_max: 1, waiting_per_key_max: 1 });
        let parts = Parts { node, compile, coders, works, budget, stopping };
        let router = router(parts, &config, &server);
        Self { router, stop, embedder }
    }

    async fn send(&self, request: Request) -> Response {
        let service = TowerToHyperService::new(self.router.clone());
        service.call(request).await.expect("a router never fails")
    }

    /// Posts a message of the revision 2025-06-18.
    async fn post(&self, message: &Value) -> Answer {
        Answer::of(self.send(post(message, &[])).await).await
    }

    /// The result of a request of the revision 2025-06-18.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.post(&request(1, method, params)).await;
        answer.message()["result"].clone()
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }
}

fn embedder() -> FakeModel {
    let vector = Event::Embedding { index: 0, vector: vec![1.0, 0.0], tokens: 3 };
    let finish = Event::finish(FinishReason::Stop, Usage::default());
    FakeModel::new("embed", ModelKind::Embedding).answering(vec![Ok(vector), Ok(finish)])
}

fn knowledge() -> FakeKnowledge {
    let payload = json!({"source": TEXT, "document": "book/ch04.md", "ordinal": 0});
    let Value::Object(payload) = payload else { panic!("an object") };
    let point = Point { id: PointId::Number(1), vector: vec![1.0, 0.0], payload };
    let spec = CollectionSpec { dimension: 2, ..CollectionSpec::default() };
    FakeKnowledge::holding("rust", spec, vec![point])
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A posted message, with further headers.
fn post(message: &Value, headers: &[(&str, &str)]) -> Request {
    posted("/mcp", message.to_string(), headers)
}

fn posted(path: &str, body: String, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().method(Method::POST).uri(path);
    let own = [
        ("host", "localhost"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    for (name, value) in own.iter().filter(|(name, _)| !headers.iter().any(|(n, _)| n == name)) {
        request = request.header(*name, *value);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).expect("a request")
}

/// The same of another owner.
fn of(mut request: Request, owner: &str) -> Request {
    request.extensions_mut().insert(Owner::of_key(owner));
    request
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a whole answer");
        let body = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self { status: parts.status, headers: parts.headers, body }
    }

    /// All messages of an event stream, or the one of a JSON answer.
    fn messages(&self) -> Vec<Value> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        let lines = lines.filter(|data| !data.trim().is_empty());
        let messages: Vec<Value> =
            lines.map(|data| serde_json::from_str(data).expect("JSON")).collect();
        if messages.is_empty() {
            vec![serde_json::from_str(&self.body).expect("JSON")]
        } else {
            messages
        }
    }

    /// The last message: the answer itself.
    fn message(&self) -> Value {
        self.messages().pop().unwrap_or_else(|| panic!("no message: {}", self.body))
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result:#}"))
}
