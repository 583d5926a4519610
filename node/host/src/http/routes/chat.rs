//! `POST /v1/chat/completions`.

mod chunks;
mod logprobs;
mod messages;
pub mod request;
mod tools;
mod whole;

use axum::extract::Request;
use axum::response::Response;

use self::chunks::ChatChunks;
use self::request::ChatRequest;
use self::whole::Whole;
use super::Shared;
use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::knowledge::WireCitation;
use crate::http::running::Running;
use crate::http::{body, json, sse};

/// Answers a conversation, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = ChatRequest::parse(body::read_fields(&state, request).await?)?;
    let ChatRequest { model, mut task, choices, stream, knowledge } = request;
    let sources = state.prepare(knowledge, model.as_deref(), &mut task).await?;
    let logprobs = task.sampling.logprobs.is_some();
    let answers = gaia_core::chat_choices(&state.node, model.as_deref(), task, choices)?;
    let mut running = Running::new(&state, answers);
    let model = running.model().to_owned();
    let head = Head { id: new_id("chatcmpl-"), created: now_s(), model, logprobs, sources };
    let blame = |error| ApiError::from(error).blame("messages");
    let Some(options) = stream else {
        let (all, usage) = running.collect_all().await.map_err(blame)?;
        return Ok(json::ok(&Whole::new(&head, &all, usage)));
    };
    running.open().await.map_err(blame)?;
    Ok(sse::response(running, ChatChunks::new(head, choices, options)))
}

/// What all parts of an answer have in common.
struct Head {
    id: String,
    created: u64,
    model: String,
    /// Log probabilities were asked for.
    logprobs: bool,
    /// What the model was given to answer from.
    sources: Vec<WireCitation>,
}
