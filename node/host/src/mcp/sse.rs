//! `GET /sse` and `POST /message`: the pair of HTTP and events of the revision 2024-11-05, which proxies
//! and older clients speak.
//!
//! A session is the stream that `GET /sse` opened: rmcp serves it as it serves two pipes, in a task of
//! the table. It ends with the stream, when nothing was posted for too long, or with the node; what it
//! was doing ends with it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use rmcp::serve_server;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex,
};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::Shared;
use super::server::Server;
use super::streamable::body_of;
use crate::config::SessionsConfig;
use crate::ids::new_id;
use crate::store::Owner;

/// Bytes between rmcp and the stream: when the client does not read them, answers wait.
const PIPE_BYTES: usize = 64 << 10;
/// Messages that were taken and not yet read; one more is answered 429.
const INBOX_MAX: usize = 32;
/// Proxies give a silent connection up after half a minute or a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The routes.
pub fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/sse", get(open))
        .route("/message", post(message))
        .with_state(Arc::clone(shared))
}

/// The sessions of all keys. Dropping it ends them all.
pub struct Sessions {
    config: SessionsConfig,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<String, Session>,
    tasks: JoinSet<()>,
}

struct Session {
    owner: Owner,
    inbox: mpsc::Sender<String>,
    /// When a message came last.
    used: Instant,
    task: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An open session's stream. Dropping it ends the session.
struct Opened {
    id: String,
    answers: Lines<BufReader<ReadHalf<DuplexStream>>>,
    table: Weak<Mutex<Table>>,
    idle: Duration,
    stopping: watch::Receiver<bool>,
    is_greeted: bool,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            let session = lock(&table).sessions.remove(&self.id);
            drop(session);
        }
    }
}

impl Sessions {
    /// No session yet.
    pub fn new(config: SessionsConfig) -> Self {
        Self { config, table: Arc::default() }
    }

    /// Opens a session, unless there are too many, of all keys or of this one.
    fn open(&self, owner: &Owner, shared: &Arc<Shared>) -> Option<Opened> {
        let SessionsConfig { max, per_key_max, idle } = self.config;
        let mut table = lock(&self.table);
        let own = table.sessions.values().filter(|session| session.owner == *owner).count();
        if table.sessions.len() >= max || own >= per_key_max {
            return None;
        }
        let (theirs, ours) = duplex(PIPE_BYTES);
        let (answers, requests) = tokio::io::split(ours);
        let (inbox, messages) = mpsc::channel(INBOX_MAX);
        let server = Server::new(Arc::clone(shared), owner.clone());
        let task = table.tasks.spawn(run(server, theirs, (requests, messages)));
        let id = new_id("sse-");
        let session = Session { owner: owner.clone(), inbox, used: Instant::now(), task };
        table.sessions.insert(id.clone(), session);
        let answers = BufReader::new(answers).lines();
        let (table, stopping) = (Arc::downgrade(&self.table), shared.parts.stopping.clone());
        Some(Opened { id, answers, table, idle, stopping, is_greeted: false })
    }

    /// Gives a session a message.
    fn post(&self, owner: &Owner, id: &str, message: String) -> Result<(), Unheard> {
        let mut table = lock(&self.table);
        let session = table.sessions.get_mut(id).filter(|session| session.owner == *owner);
        let session = session.ok_or(Unheard::NoSession)?;
        session.used = Instant::now();
        session.inbox.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unheard::Full,
            mpsc::error::TrySendError::Closed(_) => Unheard::NoSession,
        })
    }
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
enum Unheard {
    NoSession,
    Full,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    while table.tasks.try_join_next().is_some() {}
    table
}

/// Serves a session until one of its ends is gone.
async fn run(
    server: Server,
    theirs: DuplexStream,
    (mut requests, mut messages): (WriteHalf<DuplexStream>, mpsc::Receiver<String>),
) {
    let feed = async {
        while let Some(message) = messages.recv().await {
            if requests.write_all(message.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    let serve = async {
        match serve_server(server, theirs).await {
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!(%error, "a session did not begin"),
        }
    };
    tokio::select! {
        () = feed => {}
        () = serve => {}
    }
}

/// Opens a session: its stream tells first where to post.
async fn open(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let owner = owner(&request);
    let Some(opened) = shared.sessions.open(&owner, &shared) else {
        let message = "too many event streams are open: close one, or use /mcp, which needs none";
        return (StatusCode::TOO_MANY_REQUESTS, message).into_response();
    };
    let mut response = Body::from_stream(stream::unfold(opened, Opened::next)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Opened {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if !self.is_greeted {
            self.is_greeted = true;
            let text = format!("event: endpoint\ndata: /message?sessionId={}\n\n", self.id);
            return Some((Ok(Bytes::from(text)), self));
        }
        let line = tokio::select! {
            line = timeout(KEEP_ALIVE, self.answers.next_line()) => line,
            // Also when its owner is gone.
            _ = self.stopping.wait_for(|stop| *stop) => return None,
        };
        match line {
            Ok(Ok(Some(line))) => {
                let text = format!("event: message\ndata: {line}\n\n");
                Some((Ok(Bytes::from(text)), self))
            }
            Ok(_) => None,
            Err(_) if self.is_idle() => None,
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), self)),
        }
    }

    fn is_idle(&self) -> bool {
        let Some(table) = self.table.upgrade() else { return true };
        let table = lock(&table);
        table.sessions.get(&self.id).is_none_or(|session| session.used.elapsed() > self.idle)
    }
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "sessionId")]
    session_id: String,
}

/// Takes a message: the answer comes on the session's stream.
async fn message(
    State(shared): State<Arc<Shared>>,
    Query(Address { session_id }): Query<Address>,
    request: Request,
) -> Response {
    let owner = owner(&request);
    let bytes = match body_of(&shared, request.into_body()).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    // A line is a message: one that was written over several lines becomes one.
    let Ok(message) = serde_json::from_slice::<Value>(&bytes) else {
        return (StatusCode::BAD_REQUEST, "the message is no JSON").into_response();
    };
    match shared.sessions.post(&owner, &session_id, format!("{message}\n")) {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(Unheard::NoSession) => {
            (StatusCode::NOT_FOUND, "there is no such session: open one at /sse").into_response()
        }
        Err(Unheard::Full) => {
            let message = "too many messages of this session wait: send them more slowly";
            (StatusCode::TOO_MANY_REQUESTS, message).into_response()
        }
    }
}

fn owner(request: &Request) -> Owner {
    request.extensions().get().cloned().unwrap_or_default()
}
