//! `GET /v1/info`: what this node is and has. No path and no hash is in it.

use axum::response::Response;
use gaia_core::{Model, ModelReport, ModelStatus};
use gaia_protocol::{ModelCard, WorkerStats};
use serde_json::{Value, json};

use super::Shared;
use super::health::word;
use crate::http::json;
use crate::http::openapi::{Operation, Schema, Tag};

/// The route.
pub fn operation() -> Operation {
    let model = Schema::open()
        .needs("name", Schema::text())
        .needs("kind", Schema::words(&["chat", "embedding", "rerank"]))
        .needs("takes_pictures", Schema::flag())
        .needs("state", Schema::words(&["loading", "ready", "unloaded", "down"]))
        .may("share", Schema::number().says("How much of it is loaded, from 0 to 1."))
        .needs("restarts", Schema::integer())
        .needs("stats", Schema::map(Schema::number()).says("What it counted."))
        .may("card", Schema::open().says("What it is: size, context, vocabulary."));
    let answer = Schema::open()
        .needs("node", Schema::open().needs("version", Schema::text()))
        .needs("limits", Schema::map(Schema::integer()))
        .needs("models", Schema::list(model));
    Operation::get("/v1/info", "info")
        .tag(Tag::Node)
        .says("What this node is: its version, its limits, its models and how they are.")
        .answers(answer)
}

/// The node's version and limits, and each model.
pub async fn get(axum::extract::State(state): Shared) -> Response {
    let all = state.node.models.all();
    let models = futures_util::future::join_all(all.iter().map(async |model| {
        let report = model.report().await;
        describe(model.as_ref(), report)
    }));
    json::ok(&json!({
        "node": {"version": env!("CARGO_PKG_VERSION")},
        "limits": {
            "body_bytes_max": state.body_bytes_max,
            "request_timeout_ms": u64::try_from(state.request_timeout.as_millis()).unwrap_or(u64::MAX),
        },
        "models": models.await,
    }))
}

fn describe(model: &dyn Model, report: ModelReport) -> Value {
    let status = model.status();
    let mut described = json!({
        "name": model.name(),
        "kind": model.kind(),
        "takes_pictures": model.takes_pictures(),
        "state": word(&status),
        "restarts": report.restarts,
        "stats": stats(&report.stats),
    });
    match status {
        ModelStatus::Ready(card) => described["card"] = facts(&card),
        ModelStatus::Loading { share } => described["share"] = json!(share),
        ModelStatus::Unloaded | ModelStatus::Down { .. } => {}
    }
    described
}

pub(super) fn facts(card: &ModelCard) -> Value {
    json!({
        "architecture": card.architecture,
        "description": card.description,
        "size_bytes": card.size_bytes,
        "parameters": card.parameters,
        "context_tokens": card.context_tokens,
        "context_train_tokens": card.context_train_tokens,
        "embedding_dimension": card.embedding_dimension,
        "vocabulary_tokens": card.vocabulary_tokens,
        "sequences_max": card.sequences_max,
        "queue_max": card.queue_max,
        "threads": card.threads,
        "gpu_layers": card.gpu_layers,
        "gpu_memory_bytes": card.gpu_memory_bytes,
        "devices": card.devices,
        "llama_build": card.llama_build,
    })
}

fn stats(stats: &WorkerStats) -> Value {
    serde_json::to_value(stats).expect("numbers alone")
}
