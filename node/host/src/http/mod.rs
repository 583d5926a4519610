//! HTTP: OpenAI's API over the use cases of `gaia_core`.
//!
//! A request passes, from outside in: span, id and count ([`observe`]) → browsers' rules ([`cors`])
//! → what is left unread ([`body`]) → foreign pages ([`origins`]) → the key ([`auth`]) → what is
//! ignored ([`ignored`]) → its route, which parses the body into a task, starts it and words the
//! answer.
//!
//! Invariants: a refusal names the field at fault; nothing of a body or a key is logged; when a
//! client goes away its answer is dropped, and with it the work; no connection, body or answer is
//! without a limit in size or time.

mod auth;
mod body;
mod coder;
mod cors;
mod error;
mod fields;
mod format;
mod functions;
mod generate;
mod guarded;
mod histogram;
mod ignored;
mod inputs;
mod json;
mod knowledge;
mod metrics;
mod object;
mod observe;
mod openapi;
mod origins;
mod patient;
mod pictures;
mod query;
mod routes;
mod running;
mod sampling;
mod server;
mod sse;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use gaia_core::coder::fixes::FixSettings;
use gaia_core::knowledge::{Conversation, Plan};
use gaia_core::{Admission, Knowledge, Model, Models, Node, ServeError};
use gaia_protocol::{ChatTask, ModelKind};
use tokio::sync::Semaphore;

use self::auth::Auth;
use self::coder::Coding;
use self::error::ApiError;
pub(crate) use self::histogram::Histograms;
use self::knowledge::Wish;
use self::metrics::Metrics;
pub(crate) use self::metrics::head as metric_head;
use self::pictures::{Gallery, Pictures};
use self::routes::responses::stored::Stored;
use self::routes::vector_stores::store_in_use;
use self::running::Running;
pub use self::server::{serve, serve_with};
use crate::coder::{FixKeeper, seeds};
use crate::compile::{Offer, Queue};
use crate::config::{
    AuthConfig, CoderConfig, KnowledgeConfig, PicturesConfig, QueueConfig, ResponsesConfig,
    ServerConfig,
};
use crate::ids;
pub(crate) use crate::ids::now_s;
use crate::ingest::Ingester;
use crate::store::{Files, Owner, Recent, VectorStores};
use crate::vector_stores::{Granted, Hidden, Tools, VectorStoreKeeper};
use crate::workers::Manager;

/// Repairs and generations at once: each has up to four jobs in the line of the sandbox. Twenty that
/// one key sends together wait for their turns.
const WORKS: QueueConfig = QueueConfig { at_once: 3, waiting_max: 64, waiting_per_key_max: 32 };

/// Exports and imports at once: each takes room on the disk and a core.
const TRANSFERS_MAX: usize = 2;

/// What is kept for users between requests.
pub struct Storage {
    /// How many answers are kept.
    pub responses: ResponsesConfig,
    /// The files that users uploaded.
    pub files: Files,
}

/// What all requests share.
pub struct State {
    node: Node,
    auth: Auth,
    metrics: Metrics,
    body_bytes_max: usize,
    body_timeout: Duration,
    request_timeout: Duration,
    open_patience: Duration,
    header_timeout: Duration,
    connections_max: usize,
    cors_origins: Vec<String>,
    ignore_fields: Arc<[String]>,
    started_s: u64,
    listens_on_loopback: bool,
    public_url: Option<String>,
    manager: Option<Arc<Manager>>,
    responses: Recent<Stored>,
    files: Files,
    pictures: Gallery,
    /// By the names of models: what each knows before it answers.
    plans: HashMap<String, Plan>,
    knowledge: Option<KnowledgeConfig>,
    ingester: Option<Ingester>,
    /// Exports and imports under way.
    transfers: Arc<Semaphore>,
    compile: Offer,
    /// Repairs and generations, which wait in a line of their own.
    works: Queue,
    vector_stores: Option<VectorStoreKeeper>,
    coding: Coding,
}

impl State {
    /// Serves `models` within the limits of `server`, to whom `auth` lets in, and keeps in `storage`
    /// what they want kept.
    #[must_use]
    pub fn new(
        server: &ServerConfig,
        auth: &AuthConfig,
        models: Vec<Arc<dyn Model>>,
        storage: Storage,
    ) -> Self {
        let Storage { responses, files } = storage;
        let metrics = Metrics::new(models.iter().map(|model| model.name()));
        let admission = Admission::new(server.requests_max);
        Self {
            node: Node { models: Models::new(models), admission, knowledge: None },
            auth: Auth::new(auth, server.metrics_public),
            metrics,
            body_bytes_max: server.body_bytes_max,
            body_timeout: Duration::from_millis(server.body_timeout_ms),
            request_timeout: Duration::from_millis(server.request_timeout_ms),
            open_patience: running::OPEN_PATIENCE,
            header_timeout: Duration::from_millis(server.header_timeout_ms),
            connections_max: server.connections_max,
            cors_origins: origins::known(server),
            ignore_fields: server.ignore_fields.clone().into(),
            started_s: ids::now_s(),
            listens_on_loopback: server.listen.ip().is_loopback(),
            public_url: server.public_url.clone(),
            manager: None,
            responses: Recent::new(responses.stored_max, responses.stored_bytes_max),
            files,
            pictures: Gallery::new(PicturesConfig::default()),
            plans: HashMap::new(),
            knowledge: None,
            ingester: None,
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
            compile: Offer::Closed("this node compiles nothing".into()),
            works: Queue::new(WORKS),
            vector_stores: None,
            coding: Coding::default(),
        }
    }

    /// The same with other limits on pictures.
    #[must_use]
    pub fn showing(self, pictures: PicturesConfig) -> Self {
        Self { pictures: Gallery::new(pictures), ..self }
    }

    /// The same with knowledge bases, and what each model answers with.
    #[must_use]
    pub fn knowing(
        mut self,
        knowledge: Arc<dyn Knowledge>,
        config: KnowledgeConfig,
        plans: HashMap<String, Plan>,
    ) -> Self {
        self.node.knowledge = Some(Arc::new(Hidden::new(knowledge)));
        self.plans = plans;
        self.ingester = Some(Ingester::new(config.document_bytes_max));
        self.knowledge = Some(config);
        self
    }

    /// The same with a compile sandbox, or with the reason why there is none.
    #[must_use]
    pub fn compiling(self, compile: Offer) -> Self {
        Self { compile, ..self }
    }

    /// The same with vector stores, whose collections are in `knowledge`; a node without knowledge
    /// bases has none. Starts the task that works for them: call it last, inside a runtime.
    #[must_use]
    pub fn storing(mut self, stores: VectorStores, knowledge: Arc<dyn Knowledge>) -> Self {
        let (Some(ingester), Some(config)) = (&self.ingester, &self.knowledge) else { return self };
        let tools = Tools {
            stores,
            files: self.files.clone(),
            node: Node {
                models: self.node.models.clone(),
                admission: self.node.admission.clone(),
                knowledge: Some(knowledge),
            },
            ingester: ingester.clone(),
            document_bytes_max: config.document_bytes_max,
        };
        self.vector_stores = Some(VectorStoreKeeper::start(tools));
        self
    }

    /// The same with a coder, whose memory of fixes is in `knowledge`, if there is one. Starts the task
    /// that keeps it: call it last, inside a runtime.
    #[must_use]
    pub fn coding(mut self, config: CoderConfig, knowledge: Option<Arc<dyn Knowledge>>) -> Self {
        let fixes = match knowledge {
            _ if !config.memory => {
                Err("this node remembers no fixes: coder.memory is false in its config")
            }
            None => Coding::default().fixes,
            Some(knowledge) => {
                let settings = FixSettings {
                    name: config.collection.clone(),
                    fixes_max: config.fixes_max,
                    seeds: seeds(),
                };
                let node = Node { knowledge: Some(knowledge), ..self.node.clone() };
                Ok(Arc::new(FixKeeper::start(node, settings)))
            }
        };
        self.coding = Coding { config, fixes };
        self
    }

    /// The line of those who repair and generate.
    #[must_use]
    pub fn works(&self) -> &Queue {
        &self.works
    }

    /// What the use cases work with.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Starts to answer a conversation with what the model is to know.
    async fn answer(self: &Arc<Self>, asked: Asked) -> Result<Running, ApiError> {
        let Asked { owner, model, mut task, pictures, choices, wish } = asked;
        let chosen = self.node.models.choose(model.as_deref(), ModelKind::Chat)?;
        if let Some(param) = pictures.first().filter(|_| !chosen.takes_pictures()) {
            return Err(takes_none(param, chosen.name()));
        }
        match chosen.is_own() {
            true => task.pictures = self.pictures.decode(pictures, choices).await?,
            false => task.picture_urls = self.pictures.pack(pictures, choices).await?,
        }
        // Vector stores are hidden from everybody but their owners, who were asked for.
        let node = match (&wish, &self.vector_stores) {
            (Wish::Stores(_), Some(keeper)) => keeper.node().clone(),
            _ => self.granting(&owner, ("knowledge.vector_stores", wish.vector_stores())).await?,
        };
        let plan = wish.over(self.plans.get(chosen.name()))?;
        let conversation = Conversation { task, choices, plan };
        let work = gaia_core::knowledge::converse(&node, model.as_deref(), conversation);
        let done = tokio::time::timeout(self.request_timeout, work).await;
        Ok(Running::new(self, done.unwrap_or(Err(ServeError::TimeLimit))?))
    }

    /// The node with a knowledge base in which these vector stores can be searched, too, if they are the
    /// owner's; `param` is the field that names them.
    async fn granting(
        &self,
        owner: &Owner,
        (param, ids): (&str, &[String]),
    ) -> Result<Node, ApiError> {
        let mut node = self.node.clone();
        let mut stores = vec![];
        for id in ids {
            let store = store_in_use(self, owner, id).await;
            stores
                .push(store.map_err(|error| ApiError { param: Some(param.to_owned()), ..error })?);
        }
        if let (Some(keeper), false) = (&self.vector_stores, stores.is_empty()) {
            let inner = keeper.node().knowledge.clone();
            node.knowledge = inner.map(|inner| Arc::new(Granted::new(inner, stores)) as _);
        }
        Ok(node)
    }

    /// The same with the models of `manager`, which the operator may load and unload.
    #[must_use]
    pub fn managed(mut self, manager: Arc<Manager>) -> Self {
        self.node.models = manager.models().clone();
        self.manager = Some(manager);
        self
    }
}

/// What a request asks of a chat model.
struct Asked {
    /// Who asks.
    owner: Owner,
    /// The model's name, if one is given.
    model: Option<String>,
    task: ChatTask,
    /// The pictures that its messages show.
    pictures: Pictures,
    /// Answers that are wanted.
    choices: u32,
    /// What it says about knowledge bases.
    wish: Wish,
}

/// The refusal of a picture that nobody would look at.
fn takes_none(param: &str, model: &str) -> ApiError {
    let message = format!(
        "`{param}` is a picture, and the model `{model}` takes none: name a model whose `takes_pictures` \
         in /v1/info is true, or leave it out"
    );
    ApiError::invalid(param, message).with_code("no_pictures")
}

/// All routes, those of others too, and what is around them; the last layer is the outermost.
fn router(state: &Arc<State>, others: Router) -> Router {
    routes::all(state)
        .merge(others.with_state(()))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(state), ignored::tell))
        .layer(from_fn_with_state(Arc::clone(state), auth::check))
        .layer(from_fn_with_state(Arc::clone(state), origins::check))
        .layer(from_fn_with_state(Arc::clone(state), body::drain))
        .layer(from_fn(routes::messages::reword))
        .layer(from_fn_with_state(Arc::clone(state), cors::check))
        .layer(from_fn_with_state(Arc::clone(state), observe::watch))
        .with_state(Arc::clone(state))
}

async fn unknown_route(request: Request) -> ApiError {
    let message = format!("there is no route {} on this node", request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, message).with_code("unknown_route")
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} does not take {}", request.uri().path(), request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message).with_code("method_not_allowed")
}
