//! `GET /v1/models` and `GET /v1/models/{id}`.

use axum::extract::Path;
use axum::response::Response;
use serde::Serialize;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::json;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// All models.
pub async fn list(axum::extract::State(state): Shared) -> Response {
    let models = state.node.models.all().iter();
    let data = models.map(|model| entry(model.name(), state.started_s)).collect();
    json::ok(&List { object: "list", data })
}

/// One model.
pub async fn one(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let model = state.node.models.find(&id)?;
    Ok(json::ok(&entry(model.name(), state.started_s)))
}

fn entry(id: &str, created: u64) -> Entry<'_> {
    Entry { id, object: "model", created, owned_by: "gaia" }
}
