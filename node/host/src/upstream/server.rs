//! One server: how it is called, whether it can be reached, what it was asked for.

use std::mem::discriminant;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use gaia_core::{ModelStatus, ServeError};
use gaia_net::{
    Auth, Call, CallError, Client, ClientOptions, EventLimits, Events, Method, PrivateAddresses,
    TransportError,
};
use gaia_protocol::{GuestModel, ModelCard, ModelKind, Usage, WorkerStats};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::error::to_client;
use crate::config::{ApiKeySource, KeyHeader, UpstreamConfig, key_from_environment};

/// Waits before a connection that could not be made is tried again; nothing had been sent.
const CONNECT_WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// When to ask again where there is no room.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When to ask again where the server can't be used; the probe finds it about then.
const GONE_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Bytes of an answer that is no stream: a batch of long vectors as text takes a few megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes of one stream: far above what `gaia_core` takes of an answer's text.
const STREAM_BYTES_MAX: usize = 256 << 20;

/// A server behind a model.
pub struct Server {
    config: UpstreamConfig,
    client: Client,
    auth: Auth,
    room: Arc<Semaphore>,
    reach: Mutex<Reach>,
    dimension: OnceLock<u32>,
    counts: Counts,
}

/// Whether the server was there the last time.
#[derive(Clone)]
enum Reach {
    Unknown,
    There,
    Gone { reason: String },
}

#[derive(Default)]
struct Counts {
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    cache_hits: AtomicU64,
    generated_tokens: AtomicU64,
    embeddings: AtomicU64,
    cancelled: AtomicU64,
}

/// A request's place among those that the server gets at once. Dropped before its end, it counts as
/// cancelled.
pub struct Place {
    server: Arc<Server>,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Server {
    /// Reads the key and makes the client.
    pub fn open(config: UpstreamConfig) -> Result<Self> {
        let auth = auth(&config)?;
        let options = ClientOptions {
            connect_timeout: config.connect_timeout,
            // The operator wrote the address.
            private_addresses: PrivateAddresses::Allow,
            ..ClientOptions::default()
        };
        let room = usize::try_from(config.requests_max).unwrap_or(Semaphore::MAX_PERMITS);
        let dimension = config.dimension.map_or_else(OnceLock::new, OnceLock::from);
        let server = Self {
            client: Client::new(options)?,
            auth,
            room: Arc::new(Semaphore::new(room)),
            reach: Mutex::new(Reach::Unknown),
            dimension,
            counts: Counts::default(),
            config,
        };
        server.call("", Value::Null).check().context("headers")?;
        Ok(server)
    }

    pub fn config(&self) -> &UpstreamConfig {
        &self.config
    }

    /// A request with a body, to a path below the server's URL.
    pub fn call(&self, path: &str, body: Value) -> Call {
        Call {
            body: Some(body),
            auth: self.auth.clone(),
            headers: self.config.headers.clone(),
            timeout: self.config.silence_timeout,
            bytes_max: ANSWER_BYTES_MAX,
            ..Call::new(Method::Post, format!("{}{path}", self.config.url))
        }
    }

    /// A place for one request.
    ///
    /// # Errors
    /// [`ServeError::UpstreamBusy`]: there is none.
    pub fn place(self: &Arc<Self>) -> Result<Place, ServeError> {
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let most = self.config.requests_max;
            let message =
                format!("this node sends it {most} requests at once, and they are running");
            ServeError::UpstreamBusy { retry_after: BUSY_RETRY_AFTER, message }
        })?;
        Ok(Place { server: Arc::clone(self), has_ended: false, _permit: permit })
    }

    /// Makes a call and reads the JSON of its answer.
    pub async fn json(&self, call: &Call) -> Result<Value, CallError> {
        let answer = self.connecting(|| self.client.json(call)).await;
        self.note(answer.as_ref().err());
        answer
    }

    /// Makes a call whose answer is a stream.
    pub async fn events(&self, call: &Call) -> Result<Events, CallError> {
        let limits = EventLimits {
            idle_timeout: self.config.silence_timeout,
            stream_bytes_max: STREAM_BYTES_MAX,
            ..EventLimits::default()
        };
        let events = self.connecting(|| self.client.events(call, limits)).await;
        self.note(events.as_ref().err());
        events
    }

    /// What a failure is to the sender of the request; the operator finds the whole of it in the log.
    pub fn failed(&self, error: &CallError) -> ServeError {
        tracing::warn!(model = self.config.name, %error, "the upstream failed");
        to_client(error)
    }

    /// The server answered in a way that makes no answer possible.
    pub fn note_gone(&self, reason: &str) {
        self.set(Reach::Gone { reason: reason.to_owned() });
    }

    /// It can be reached, or not.
    fn note(&self, error: Option<&CallError>) {
        self.set(match error.filter(|error| is_gone(error)) {
            Some(error) => Reach::Gone { reason: error.to_string() },
            None => Reach::There,
        });
    }

    fn set(&self, reach: Reach) {
        let before = {
            let mut now = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, reach.clone())
        };
        let model = &self.config.name;
        match (before, reach) {
            (before, after) if discriminant(&before) == discriminant(&after) => {}
            (_, Reach::There) => tracing::info!(model, "the upstream answers"),
            (_, Reach::Gone { reason }) => tracing::warn!(model, reason, "no use of the upstream"),
            (_, Reach::Unknown) => {}
        }
    }

    /// Whether it still has to be asked how long its vectors are.
    pub fn lacks_dimension(&self) -> bool {
        self.config.kind == ModelKind::Embedding && self.dimension.get().is_none()
    }

    /// Notes how long a vector is; false if it was said otherwise.
    pub fn learn_dimension(&self, dimension: u32) -> bool {
        *self.dimension.get_or_init(|| dimension) == dimension
    }

    pub fn status(&self) -> ModelStatus {
        match &*self.reach.lock().unwrap_or_else(PoisonError::into_inner) {
            Reach::There if !self.lacks_dimension() => ModelStatus::Ready(Box::new(self.card())),
            Reach::There | Reach::Unknown => ModelStatus::Loading { share: 0.0 },
            Reach::Gone { reason } => {
                ModelStatus::Down { retry_after: GONE_RETRY_AFTER, reason: reason.clone() }
            }
        }
    }

    pub fn stats(&self) -> WorkerStats {
        let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let most = usize::try_from(self.config.requests_max).unwrap_or(Semaphore::MAX_PERMITS);
        let running = most.saturating_sub(self.room.available_permits());
        WorkerStats {
            sequences_active: u32::try_from(running).unwrap_or(u32::MAX),
            prompt_tokens_total: counted(&self.counts.prompt_tokens),
            cached_tokens_total: counted(&self.counts.cached_tokens),
            cache_hits_total: counted(&self.counts.cache_hits),
            generated_tokens_total: counted(&self.counts.generated_tokens),
            embeddings_total: counted(&self.counts.embeddings),
            cancelled_total: counted(&self.counts.cancelled),
            ..WorkerStats::default()
        }
    }

    async fn connecting<T, Work>(&self, attempt: impl Fn() -> Work) -> Result<T, CallError>
    where
        Work: Future<Output = Result<T, CallError>>,
    {
        let started = Instant::now();
        for wait in CONNECT_WAITS {
            let done = attempt().await;
            let is_refused =
                matches!(&done, Err(CallError::Transport(TransportError::Connect { .. })));
            if !is_refused || started.elapsed() >= self.config.connect_timeout {
                return done;
            }
            sleep(wait).await;
        }
        attempt().await
    }

    /// What is known of a model that is not here: little.
    fn card(&self) -> ModelCard {
        let config = &self.config;
        let context_tokens = config.context_tokens.unwrap_or(0);
        ModelCard {
            name: config.name.clone(),
            kind: config.kind,
            architecture: "upstream".into(),
            description: format!("{}, served by another server", config.model),
            size_bytes: 0,
            parameters: 0,
            context_tokens,
            context_train_tokens: 0,
            embedding_dimension: self.dimension.get().copied().unwrap_or(0),
            vocabulary_tokens: 0,
            sequences_max: config.requests_max,
            queue_max: 0,
            threads: 0,
            gpu_layers: 0,
            gpu_memory_bytes: 0,
            devices: vec![],
            llama_build: String::new(),
            takes_pictures: config.pictures,
            picture_tokens_max: None,
            guest: GuestModel {
                name: config.name.clone(),
                context_tokens,
                ..GuestModel::default()
            },
        }
    }
}

impl Place {
    /// The server that it is a place at.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The answer came to its end and took so much.
    pub fn ended(&mut self, usage: &Usage) {
        self.has_ended = true;
        let counts = &self.server.counts;
        let add = |count: &AtomicU64, tokens: u32| {
            count.fetch_add(tokens.into(), Ordering::Relaxed);
        };
        // What was found in a cache was not computed.
        add(&counts.prompt_tokens, usage.prompt_tokens.saturating_sub(usage.cached_tokens));
        add(&counts.cached_tokens, usage.cached_tokens);
        add(&counts.cache_hits, u32::from(usage.cached_tokens > 0));
        add(&counts.generated_tokens, usage.completion_tokens);
    }

    /// The answer failed.
    pub fn failed(&mut self) {
        self.has_ended = true;
    }

    /// So many texts were embedded.
    pub fn embedded(&self, texts: usize) {
        let texts = u64::try_from(texts).unwrap_or(u64::MAX);
        self.server.counts.embeddings.fetch_add(texts, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.has_ended {
            self.server.counts.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether the next request would fare no better, whatever it asks.
fn is_gone(error: &CallError) -> bool {
    match error {
        CallError::Status { status, .. } => matches!(status, 401 | 403 | 500..),
        CallError::Refused(_) | CallError::Transport(_) | CallError::Timeout { .. } => true,
        _ => false,
    }
}

fn auth(config: &UpstreamConfig) -> Result<Auth> {
    let key = match &config.api_key {
        None => return Ok(Auth::None),
        Some(ApiKeySource::Variable(name)) => key_from_environment(name).context("api_key_env")?,
        Some(ApiKeySource::File(file)) => {
            let read = std::fs::read_to_string(file);
            let read = read.with_context(|| format!("api_key_file: reading {}", file.display()))?;
            let key = read.trim();
            anyhow::ensure!(!key.is_empty(), "api_key_file: {} holds nothing", file.display());
            key.to_owned()
        }
    };
    Ok(match config.api_key_header {
        KeyHeader::Authorization => Auth::Bearer(key),
        KeyHeader::ApiKey => Auth::ApiKey(key),
    })
}
