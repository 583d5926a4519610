//! `GET /v1/models` and `GET /v1/models/{id}`.

use axum::extract::Path;
use axum::response::Response;
use gaia_core::Served;
use schemars::JsonSchema;
use serde::Serialize;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::json;
use crate::http::openapi::Operation;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Models")]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Model")]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    /// Whose alias this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a str>,
}

/// The routes' descriptions: of the list, and of one.
pub fn operations() -> (Operation, Operation) {
    let list = Operation::get("/v1/models", "list_models")
        .says("Lists the models of this node, each followed by its other names.")
        .answers_with::<List<'static>>();
    let one = Operation::get("/v1/models/{id}", "get_model")
        .says("Tells whether a model of this name is there.")
        .segment("id", "The model's name, or another name of it.")
        .answers_with::<Entry<'static>>();
    (list, one)
}

/// All models, each followed by its aliases: clients offer what they find here.
pub async fn list(axum::extract::State(state): Shared) -> Response {
    let served = state.node.models.served();
    let mut data = vec![];
    for Served { model, aliases } in served.iter() {
        data.push(entry(model.name(), model.name(), state.started_s));
        data.extend(aliases.iter().map(|alias| entry(alias, model.name(), state.started_s)));
    }
    json::ok(&List { object: "list", data })
}

/// One model, or one alias.
pub async fn one(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let model = state.node.models.find(&id)?;
    Ok(json::ok(&entry(&id, model.name(), state.started_s)))
}

fn entry<'a>(id: &'a str, name: &'a str, created: u64) -> Entry<'a> {
    let root = (id != name).then_some(name);
    Entry { id, object: "model", created, owned_by: "gaia", root }
}
