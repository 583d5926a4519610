//! `POST /v1/chat/completions`.

mod chunks;
mod describe;
mod logprobs;
mod messages;
pub mod request;
mod tools;
mod whole;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::knowledge::Sources;

use self::chunks::ChatChunks;
pub use self::describe::{operation, takes};
use self::request::ChatRequest;
use self::whole::Whole;
use super::Shared;
use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::{Asked, auth, body, json, sse};

/// Answers a conversation, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let request = ChatRequest::parse(body::read_fields(&state, request).await?)?;
    let ChatRequest { model, task, pictures, choices, stream, knowledge: wish } = request;
    let logprobs = task.sampling.logprobs.is_some();
    let asked = Asked { owner, model, task, pictures, choices, wish };
    let mut running = state.answer(asked).await?;
    let (model, sources) = (running.model().to_owned(), running.sources().clone());
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
    sources: Sources,
}
