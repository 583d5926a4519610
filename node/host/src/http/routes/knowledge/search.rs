//! `POST /v1/knowledge/search`: passages for a question.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::knowledge::{Passage, Retrieval, retrieve};
use serde_json::json;
use tokio::time::timeout;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing};
use crate::http::knowledge::{Changes, WirePassage};
use crate::http::routes::Shared;
use crate::http::{body, json};

/// Finds passages.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let retrieval = parse(body::read_fields(&state, request).await?)?;
    let work = retrieve(&state.node, &retrieval);
    let done = timeout(state.request_timeout, work).await;
    let passages: Vec<Passage> = done.unwrap_or(Err(ServeError::TimeLimit))?;
    let passages: Vec<_> = passages.iter().map(WirePassage::from).collect();
    Ok(json::ok(&json!({"query": retrieval.query, "passages": passages})))
}

fn parse(mut fields: Fields) -> Result<Retrieval, ApiError> {
    let query = fields.string("query")?.ok_or_else(|| missing("query"))?;
    let plan = Changes::take(fields)?.over(None)?;
    Ok(Retrieval {
        query,
        targets: plan.targets,
        mode: plan.mode,
        filter: plan.filter,
        reranker: plan.reranker,
    })
}
