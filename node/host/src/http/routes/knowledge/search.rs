//! `POST /v1/knowledge/search`: passages for a question.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::knowledge::{Passage, Plan, Retrieval, retrieve};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing};
use crate::http::knowledge::{Changes, WirePassage, describe_changes};
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::routes::Shared;
use crate::http::{auth, body, json};

/// The answer.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "FoundPassages")]
struct Found {
    query: String,
    passages: Vec<WirePassage>,
}

/// The route.
pub fn operation() -> Operation {
    let body = Schema::object()
        .needs("query", Schema::text().says("A question, or words."))
        .with(describe_changes);
    Operation::post("/v1/knowledge/search", "search_knowledge")
        .tag(Tag::Knowledge)
        .says("Finds passages for a question in the node's knowledge bases, the best first.")
        .takes(body, json!({"query": "a", "collections": ["notes"]}))
        .answers_with::<Found>()
}

/// Finds passages.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let (query, changes) = parse(body::read_fields(&state, request).await?)?;
    let node = state.granting(&owner, ("vector_stores", changes.vector_stores())).await?;
    let retrieval = retrieval(query, changes.over(None)?);
    let work = retrieve(&node, &retrieval);
    let done = timeout(state.request_timeout, work).await;
    let passages: Vec<Passage> = done.unwrap_or(Err(ServeError::TimeLimit))?;
    let passages = passages.iter().map(WirePassage::from).collect();
    Ok(json::ok(&Found { query: retrieval.query, passages }))
}

fn parse(mut fields: Fields) -> Result<(String, Changes), ApiError> {
    let query = fields.string("query")?.ok_or_else(|| missing("query"))?;
    Ok((query, Changes::take(fields)?))
}

fn retrieval(query: String, plan: Plan) -> Retrieval {
    Retrieval {
        query,
        targets: plan.targets,
        mode: plan.mode,
        filter: plan.filter,
        reranker: plan.reranker,
    }
}
