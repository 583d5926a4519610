//! A model as its operator sees it: with files and reasons, which nobody else is told.

use gaia_core::{Model, ModelStatus, Served};
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
    tell_status(&mut entry, overview.status);
    entry
}

/// A model of another server: nothing of it can be changed here.
pub async fn of_upstream(served: &Served) -> Value {
    let model = &served.model;
    let (report, status) = (model.report().await, model.status());
    let mut entry = json!({
        "name": model.name(),
        "aliases": served.aliases,
        "kind": model.kind(),
        "state": word(&status),
        "is_upstream": true,
        "stats": report.stats,
    });
    tell_status(&mut entry, status);
    entry
}

fn tell_status(entry: &mut Value, status: ModelStatus) {
    match status {
        ModelStatus::Loading { share } => entry["share"] = json!(share),
        ModelStatus::Down { reason, .. } => entry["reason"] = json!(reason),
        ModelStatus::Ready(card) => entry["card"] = facts(&card),
        ModelStatus::Unloaded => {}
    }
}

fn state(overview: &Overview) -> &'static str {
    match overview.status {
        ModelStatus::Unloaded if overview.is_leaving => "unloading",
        ref status => word(status),
    }
}
