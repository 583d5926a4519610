//! `POST /v1/completions`.

mod request;

use axum::extract::Request;
use axum::response::Response;
use gaia_protocol::{FinishReason, Usage};
use serde::Serialize;

use self::request::CompletionRequest;
use super::Shared;
use super::wire::{self, WireUsage};
use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::running::Running;
use crate::http::{body, json, sse};

/// Continues a text, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = CompletionRequest::parse(body::read_fields(&state, request).await?)?;
    let answer = gaia_core::complete(&state.node, request.model.as_deref(), request.task)?;
    let mut running = Running::new(&state, answer);
    let blame = |error| ApiError::from(error).blame("prompt");
    let head = Head { id: new_id("cmpl-"), created: now_s(), model: running.model().into() };
    let Some(options) = request.stream else {
        let whole = running.collect().await.map_err(blame)?;
        let choice = Choice::new(&whole.text, Some(whole.reason));
        return Ok(json::ok(&head.chunk(&[choice], Some(Some(whole.usage)))));
    };
    running.open().await.map_err(blame)?;
    Ok(sse::response(running, TextChunks { head, include_usage: options.include_usage }))
}

/// What all chunks of an answer have in common.
struct Head {
    id: String,
    created: u64,
    model: String,
}

/// A chunk and a whole answer look the same.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// In a stream absent unless usage was asked for; then null until the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WireUsage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

impl<'a> Choice<'a> {
    fn new(text: &'a str, reason: Option<FinishReason>) -> Self {
        Self { text, index: 0, logprobs: (), finish_reason: reason.map(wire::reason) }
    }
}

impl Head {
    fn chunk<'a>(&'a self, choices: &'a [Choice<'a>], usage: Option<Option<Usage>>) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: "text_completion",
            created: self.created,
            model: &self.model,
            choices,
            usage: usage.map(|usage| usage.map(WireUsage::from)),
        }
    }
}

struct TextChunks {
    head: Head,
    include_usage: bool,
}

impl TextChunks {
    fn choice(&self, text: &str, reason: Option<FinishReason>) -> String {
        let no_usage = self.include_usage.then_some(None);
        sse::json(&self.head.chunk(&[Choice::new(text, reason)], no_usage))
    }
}

impl sse::Chunks for TextChunks {
    fn start(&self) -> Option<String> {
        None
    }

    fn delta(&self, text: &str) -> String {
        self.choice(text, None)
    }

    fn finish(&self, reason: FinishReason) -> String {
        self.choice("", Some(reason))
    }

    fn usage(&self, usage: Usage) -> Option<String> {
        self.include_usage.then(|| sse::json(&self.head.chunk(&[], Some(Some(usage)))))
    }
}
