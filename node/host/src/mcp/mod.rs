//! MCP: the node's use cases as tools, for editors and agents that write code.
//!
//! ```text
//! router ── guard (host, origin) ─┬─ streamable: /mcp ── rmcp: one server for each request, no session
//!                                 └─ sse: /sse, /message ── a session's task ── rmcp
//! Server::call_tool ── Jobs::begin ── a task in the set ── the tool's work ── a use case
//! ```
//!
//! A sibling of `http`: both decode requests for the same use cases, and neither knows the other. The
//! key was checked before a request comes here, and its owner stands on the request.
//!
//! Invariants: a tool is listed only if its use case is there; whoever waits for a call and goes away
//! ends its work; a job whose name was handed out lives on when who waits for it goes, until it ends, its
//! time is over or `tasks/cancel` ends it; every list, text and wait here has a limit, and
//! who meets it is told so.

mod answer;
mod call;
mod documents;
mod guard;
mod jobs;
mod prompts;
mod resources;
mod running;
mod schema;
mod server;
mod sse;
mod streamable;
#[cfg(test)]
mod tests;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use gaia_core::coder::{Budget, Coder};
use gaia_core::{Builder, Node};
use tokio::sync::watch;

use self::guard::Guard;
use self::jobs::Jobs;
use self::running::Running;
use self::sse::Sessions;
use self::tools::Tools;
use crate::compile::{Offer, Queue};
use crate::config::{McpConfig, ServerConfig};
use crate::ids::new_id;
use crate::store::{Entry, Owner, Recent};

/// Logs that are kept for who wants the whole output, and their bytes together.
const LOGS_MAX: usize = 256;
const LOGS_BYTES_MAX: usize = 64 << 20;

/// Makes the coder of an owner, with the compiler for his project.
pub type Coders = Box<dyn Fn(&Owner, Arc<dyn Builder>) -> Coder + Send + Sync>;

/// What the tools work with.
pub struct Parts {
    /// Models and knowledge bases.
    pub node: Node,
    /// The compile sandbox, or why there is none.
    pub compile: Offer,
    /// What repairs and generates.
    pub coders: Coders,
    /// The line of those who repair and generate.
    pub works: Queue,
    /// The most that one of these may take.
    pub budget: Budget,
    /// Becomes true when the node ends: streams without an end of their own end then.
    pub stopping: watch::Receiver<bool>,
}

/// What all requests share.
struct Shared {
    parts: Parts,
    config: McpConfig,
    guard: Guard,
    tools: Tools,
    jobs: Jobs,
    running: Running,
    sessions: Sessions,
    /// Whole outputs, by owner.
    logs: Recent<String>,
    body_bytes_max: usize,
    body_timeout: Duration,
}

impl Shared {
    /// Keeps a whole output for its owner: where it can be read, and its bytes.
    fn keep_log(&self, owner: &Owner, value: String) -> (String, usize) {
        let (id, bytes) = (new_id(""), value.len());
        self.logs.insert(owner, &id, Entry { value, bytes, parts: vec![] });
        (format!("log://{id}"), bytes)
    }
}

/// The routes of MCP, for a router that has checked the key.
pub fn router(parts: Parts, config: &McpConfig, server: &ServerConfig) -> Router {
    let shared = Arc::new(Shared {
        tools: Tools::of(&parts),
        parts,
        guard: Guard { hosts: config.allowed_hosts.clone(), origins: server.cors_origins.clone() },
        jobs: Jobs::new(config.jobs),
        running: Running::default(),
        sessions: Sessions::new(config.sessions),
        logs: Recent::new(LOGS_MAX, LOGS_BYTES_MAX),
        body_bytes_max: server.body_bytes_max,
        body_timeout: Duration::from_millis(server.body_timeout_ms),
        config: config.clone(),
    });
    streamable::router(&shared)
        .merge(sse::router(&shared))
        .layer(from_fn_with_state(shared, guard::check))
}
