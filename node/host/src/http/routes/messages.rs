//! `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's API for conversations.
//!
//! A request becomes a chat task ([`request`], [`conversation`], [`tools`]); its events become blocks
//! ([`answer`]), told one by one ([`stream`]) or all at once. Every refusal on these paths, whoever
//! makes it, is worded as Anthropic does ([`error`]).

mod answer;
mod conversation;
mod describe;
mod error;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_protocol::{ChatTask, Event, ModelKind};
use serde_json::json;

use self::answer::Answer;
pub use self::describe::routes;
pub use self::error::reword;
use self::request::Asked;
use self::stream::Stream;
use super::Shared;
use crate::http::error::ApiError;
use crate::http::ids::new_id;
use crate::http::running::Running;
use crate::http::{self, auth, body, json, sse};

/// Answers, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let asked = Asked::parse(body::read_fields(&state, request).await?)?;
    let Asked { model, task, pictures, streamed, knowledge: wish } = asked;
    let asked = http::Asked { owner, model, task, pictures, choices: 1, wish };
    let running = state.answer(asked).await.map_err(rename)?;
    let answered = if streamed { stream(running).await } else { whole(running).await };
    answered.map_err(blame)
}

/// Counts the tokens of a request: its prompt is rendered and tokenized as for an answer, which is
/// then not made.
pub async fn count_tokens(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let asked = Asked::parse_count(body::read_fields(&state, request).await?)?;
    // Nothing is computed then.
    let task = ChatTask { max_tokens: Some(0), ..asked.task };
    let Asked { model, pictures, knowledge: wish, .. } = asked;
    counts_tokens(&state, model.as_deref())?;
    let asked = http::Asked { owner, model, task, pictures, choices: 1, wish };
    let mut running = state.answer(asked).await?;
    while let Some(next) = running.next().await {
        let tokens = match next.map_err(blame)? {
            (_, Event::Prompt { tokens, .. }) => tokens,
            (_, Event::Finish { usage, .. }) => usage.prompt_tokens,
            _ => continue,
        };
        return Ok(json::ok(&json!({"input_tokens": tokens})));
    }
    Err(blame(ServeError::App { message: "it did not say how long the prompt is".into() }))
}

/// A server of others counts by answering, which costs.
fn counts_tokens(state: &http::State, model: Option<&str>) -> Result<(), ServeError> {
    let model = state.node.models.choose(model, ModelKind::Chat)?;
    if model.has_tokenizer() {
        return Ok(());
    }
    let name = model.name();
    let message = format!("tokens can't be counted: `{name}` is served by another server");
    Err(ServeError::Invalid { message, param: Some("model".into()) })
}

fn blame(error: ServeError) -> ApiError {
    rename(ApiError::from(error).blame("messages"))
}

/// What the core and its apps have another name for.
fn rename(error: ApiError) -> ApiError {
    error.rename(&[("response_format", "output_config.format")])
}

async fn whole(mut running: Running) -> Result<Response, ServeError> {
    let mut answer = Answer::new(new_id("msg_"), &running);
    while let Some(next) = running.next().await {
        let (_choice, event) = next?;
        answer.apply(event);
    }
    Ok(json::ok(&answer.message()))
}

/// The prompt's tokens are told in the first words, if they are known by then, and again in the last.
async fn stream(mut running: Running) -> Result<Response, ServeError> {
    let mut answer = Answer::new(new_id("msg_"), &running);
    if let Some(prompt) = running.open().await? {
        answer.apply(prompt);
    }
    Ok(sse::response(running, Stream::new(answer)))
}
