//! `POST /v1/completions`.

mod request;

use axum::extract::Request;
use axum::response::Response;
use gaia_protocol::{Event, FinishReason, Usage};
use serde::Serialize;

use self::request::CompletionRequest;
use super::Shared;
use super::wire::{self, WireUsage};
use crate::http::error::ApiError;
use crate::http::generate::StreamOptions;
use crate::http::ids::{new_id, now_s};
use crate::http::running::Running;
use crate::http::sse::{self, Frame};
use crate::http::{body, json};

/// Continues a text, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = CompletionRequest::parse(body::read_fields(&state, request).await?)?;
    let answer = gaia_core::complete(&state.node, request.model.as_deref(), vec![request.task], 1)?;
    let mut running = Running::new(&state, answer);
    let blame = |error| ApiError::from(error).blame("prompt");
    let head = Head { id: new_id("cmpl-"), created: now_s(), model: running.model().into() };
    let Some(options) = request.stream else {
        let whole = running.collect().await.map_err(blame)?;
        let choice = Choice::new(&whole.text, Some(whole.reason));
        return Ok(json::ok(&head.chunk(&[choice], Some(Some(whole.usage)))));
    };
    running.open().await.map_err(blame)?;
    Ok(sse::response(running, TextChunks::new(head, options)))
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
    usage: Usage,
}

impl TextChunks {
    fn new(head: Head, options: StreamOptions) -> Self {
        Self { head, include_usage: options.include_usage, usage: Usage::default() }
    }

    fn choice(&self, text: &str, reason: Option<FinishReason>) -> Frame {
        let no_usage = self.include_usage.then_some(None);
        Frame::data(&self.head.chunk(&[Choice::new(text, reason)], no_usage))
    }
}

impl sse::Chunks for TextChunks {
    fn start(&mut self) -> Vec<Frame> {
        vec![]
    }

    fn event(&mut self, _choice: u32, event: Event) -> Vec<Frame> {
        match event {
            Event::Delta { text, .. } => vec![self.choice(&text, None)],
            Event::Finish { reason, usage } => {
                self.usage = usage;
                vec![self.choice("", Some(reason))]
            }
            _ => vec![],
        }
    }

    fn end(&mut self) -> Vec<Frame> {
        let usage = Some(Some(self.usage));
        let usage = self.include_usage.then(|| Frame::data(&self.head.chunk(&[], usage)));
        usage.into_iter().chain([sse::done()]).collect()
    }
}
