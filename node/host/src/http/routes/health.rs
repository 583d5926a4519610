//! `GET /health` and `GET /ready`: open to everyone.

use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::ModelStatus;
use serde_json::{Value, json};

use super::Shared;
use crate::http::json;
use crate::http::openapi::{Operation, Schema, Tag};

/// The routes' descriptions: of `/health` and of `/ready`.
pub fn operations() -> (Operation, Operation) {
    let health = Operation::get("/health", "health")
        .says("Whether the node runs.")
        .answers(Schema::open().needs("status", Schema::words(&["ok"])));
    let model = Schema::open()
        .needs("name", Schema::text())
        .needs("state", Schema::words(&["loading", "ready", "unloaded", "down"]))
        .may("share", Schema::number().says("How much of it is loaded, from 0 to 1."));
    let answer = Schema::open()
        .needs("status", Schema::words(&["ready", "not_ready"]))
        .needs("models", Schema::list(model));
    let ready = Operation::get("/ready", "ready")
        .says("Whether all models answer: 200, or 503 with the same body.")
        .answers(answer);
    (health.tag(Tag::Node).for_everyone(), ready.tag(Tag::Node).for_everyone())
}

/// The host runs.
pub async fn health() -> Response {
    json::ok(&json!({"status": "ok"}))
}

/// Every model that the node must serve answers; one that was unloaded is not waited for.
pub async fn ready(axum::extract::State(state): Shared) -> Response {
    let all = state.node.models.all();
    let states: Vec<_> = all.iter().map(|model| (model.name(), model.status())).collect();
    let ready = state.node.models.are_ready();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "not_ready" };
    let models: Vec<_> = states.iter().map(|(name, status)| entry(name, status)).collect();
    json::response(code, &json!({"status": word, "models": models}))
}

fn entry(name: &str, status: &ModelStatus) -> Value {
    let mut entry = json!({"name": name, "state": word(status)});
    if let ModelStatus::Loading { share } = status {
        entry["share"] = json!(share);
    }
    entry
}

/// A model's state in a word. Why it is down is for the operator's log: it may name files.
pub fn word(status: &ModelStatus) -> &'static str {
    match status {
        ModelStatus::Loading { .. } => "loading",
        ModelStatus::Ready(_) => "ready",
        ModelStatus::Unloaded => "unloaded",
        ModelStatus::Down { .. } => "down",
    }
}
