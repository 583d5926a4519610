//! `POST /v1/chat/completions`.

mod request;

use axum::extract::Request;
use axum::response::Response;
use gaia_protocol::{Event, FinishReason, Usage};
use serde::Serialize;

use self::request::ChatRequest;
use super::Shared;
use super::wire::{self, WireUsage};
use crate::http::error::ApiError;
use crate::http::generate::StreamOptions;
use crate::http::ids::{new_id, now_s};
use crate::http::running::Running;
use crate::http::sse::{self, Frame};
use crate::http::{body, json};

/// Answers a conversation, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = ChatRequest::parse(body::read_fields(&state, request).await?)?;
    let answer = gaia_core::chat(&state.node, request.model.as_deref(), request.task)?;
    let mut running = Running::new(&state, answer);
    let blame = |error| ApiError::from(error).blame("messages");
    let head = Head { id: new_id("chatcmpl-"), created: now_s(), model: running.model().into() };
    let Some(options) = request.stream else {
        let whole = running.collect().await.map_err(blame)?;
        return Ok(json::ok(&head.whole(&whole.text, whole.reason, whole.usage)));
    };
    running.open().await.map_err(blame)?;
    Ok(sse::response(running, ChatChunks::new(head, options)))
}

/// What all chunks of an answer have in common.
struct Head {
    id: String,
    created: u64,
    model: String,
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [WholeChoice<'a>; 1],
    usage: WireUsage,
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: u32,
    message: WholeMessage<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct WholeMessage<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
}

impl Head {
    fn whole<'a>(&'a self, text: &'a str, reason: FinishReason, usage: Usage) -> Whole<'a> {
        let message = WholeMessage { role: "assistant", content: text, refusal: () };
        let finish_reason = wire::reason(reason);
        Whole {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: &self.model,
            choices: [WholeChoice { index: 0, message, logprobs: (), finish_reason }],
            usage: usage.into(),
        }
    }
}

struct ChatChunks {
    head: Head,
    include_usage: bool,
    usage: Usage,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChunkChoice<'a>],
    /// Absent unless usage was asked for; then null until the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WireUsage>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl ChatChunks {
    fn new(head: Head, options: StreamOptions) -> Self {
        Self { head, include_usage: options.include_usage, usage: Usage::default() }
    }

    fn choice(&self, delta: Delta<'_>, finish_reason: Option<&'static str>) -> Frame {
        let choice = ChunkChoice { index: 0, delta, logprobs: (), finish_reason };
        self.chunk(&[choice], self.include_usage.then_some(None))
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], usage: Option<Option<WireUsage>>) -> Frame {
        let Head { id, created, model } = &self.head;
        let (object, created) = ("chat.completion.chunk", *created);
        Frame::data(&Chunk { id, object, created, model, choices, usage })
    }
}

impl sse::Chunks for ChatChunks {
    fn start(&mut self) -> Vec<Frame> {
        vec![self.choice(Delta { role: Some("assistant"), content: Some("") }, None)]
    }

    fn event(&mut self, _choice: u32, event: Event) -> Vec<Frame> {
        match event {
            Event::Delta { text, .. } => {
                vec![self.choice(Delta { content: Some(&text), ..Delta::default() }, None)]
            }
            Event::Finish { reason, usage } => {
                self.usage = usage;
                vec![self.choice(Delta::default(), Some(wire::reason(reason)))]
            }
            _ => vec![],
        }
    }

    fn end(&mut self) -> Vec<Frame> {
        let usage = self.include_usage.then(|| self.chunk(&[], Some(Some(self.usage.into()))));
        usage.into_iter().chain([sse::done()]).collect()
    }
}
