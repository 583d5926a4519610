//! `POST /v1/retrieve`, as gaianet's rag server has it: the passages that a chat request would be
//! answered with, without the answer.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::knowledge::{Passage, Plan, Retrieval, question, retrieve};
use gaia_protocol::ModelKind;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Shared;
use super::chat::request::ChatRequest;
use super::chat::takes;
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::{State, auth, body, json};

/// The route.
pub fn operation() -> Operation {
    let point = Schema::open().needs("source", Schema::text()).needs("score", Schema::number());
    let answer = Schema::open()
        .needs("points", Schema::list(point))
        .needs("limit", Schema::integer())
        .needs("score_threshold", Schema::number());
    let (body, example) = takes();
    Operation::post("/v1/retrieve", "retrieve")
        .tag(Tag::Knowledge)
        .says(
            "The passages that a chat request would be answered with, without the answer: takes what \
             chat completions take.",
        )
        .takes(body, example)
        .answers(Schema::list(answer.says("What one collection has.")))
}

/// Finds passages for a conversation.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let request = ChatRequest::parse(body::read_fields(&state, request).await?)?;
    let stores = ("knowledge.vector_stores", request.knowledge.vector_stores());
    let node = state.granting(&owner, stores).await?;
    let plan = plan(&state, &request)?;
    let query = question(&request.task.messages, plan.context_window);
    let mut answers = vec![];
    for target in &plan.targets {
        let retrieval = Retrieval {
            query: query.clone(),
            targets: vec![target.clone()],
            mode: plan.mode,
            filter: plan.filter.clone(),
            reranker: plan.reranker.clone(),
        };
        let work = retrieve(&node, &retrieval);
        let done = timeout(state.request_timeout, work).await;
        let passages = done.unwrap_or(Err(ServeError::TimeLimit))?;
        answers.push(json!({
            "points": passages.iter().map(point).collect::<Vec<_>>(),
            "limit": target.limit,
            "score_threshold": target.score_threshold.unwrap_or(0.0),
        }));
    }
    Ok(json::ok(&answers))
}

/// What the request asks for; which model would answer counts only for its config.
fn plan(state: &State, request: &ChatRequest) -> Result<Plan, ApiError> {
    let chosen = state.node.models.choose(request.model.as_deref(), ModelKind::Chat).ok();
    let own = chosen.as_ref().and_then(|model| state.plans.get(model.name()));
    let plan = request.knowledge.clone().over(own)?;
    plan.ok_or_else(|| {
        let message = "name the collections to search in `vdb_collection_name`: the model's config \
                       names none";
        ApiError::invalid("vdb_collection_name", message)
    })
}

fn point(passage: &Passage) -> Value {
    json!({"source": passage.text(), "score": passage.similarity.unwrap_or(passage.score)})
}
