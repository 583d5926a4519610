//! A model as its operator sees it: with files and reasons, which nobody else is told.

use gaia_core::{Model, ModelStatus};
use serde_json::{Value, json};

use crate::http::routes::health::word;
use crate::http::routes::info::facts;
use crate::workers::{Overview, Slot};

/// What it is, how it is, what it counted.
pub async fn of(slot: &Slot) -> Value {
    let report = slot.report().await;
    let overview = slot.overview();
    let config = &overview.config;
    let mut entry = json!({
        "name": config.model.name,
        "aliases": config.aliases,
        "kind": config.model.kind,
        "state": state(&overview),
        "path": config.model.path,
        "app": config.app.path,
        "load": config.load,
        "idle_unload_s": config.idle_unload.map(|limit| limit.as_secs()),
        "idle_s": overview.idle.map(|idle| idle.as_secs()),
        "restarts": report.restarts,
        "last_error": overview.last_error,
        "stats": report.stats,
    });
    match overview.status {
        ModelStatus::Loading { share } => entry["share"] = json!(share),
        ModelStatus::Down { reason, .. } => entry["reason"] = json!(reason),
        ModelStatus::Ready(card) => entry["card"] = facts(&card),
        ModelStatus::Unloaded => {}
    }
    entry
}

fn state(overview: &Overview) -> &'static str {
    match overview.status {
        ModelStatus::Unloaded if overview.is_leaving => "unloading",
        ref status => word(status),
    }
}
