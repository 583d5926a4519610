//! `POST /v1/completions`.

mod logprobs;
mod request;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::{Completion, Tally};
use gaia_protocol::{Channel, Event, FinishReason, TokenLogprob, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use self::logprobs::{Offsets, WireLogprobs};
use self::request::CompletionRequest;
use super::Shared;
use super::wire::{self, WireUsage};
use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::openapi::Operation;
use crate::http::running::Running;
use crate::http::sse::{self, Frame};
use crate::http::{body, json};

/// The route.
pub fn operation() -> Operation {
    Operation::post("/v1/completions", "completions")
        .says("Continues texts, as OpenAI's completions do; with `suffix`, fills in the middle.")
        .takes(request::schema(), json!({"prompt": "Once"}))
        .answers_with::<Chunk<'static>>()
        .streams("With `stream`: text_completion objects, then `[DONE]`.")
}

/// Continues texts, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = CompletionRequest::parse(body::read_fields(&state, request).await?)?;
    let CompletionRequest { model, tasks, choices, logprobs, stream } = request;
    let answers = tasks.len() * choices as usize;
    let running = gaia_core::complete(&state.node, model.as_deref(), tasks, choices)?;
    let mut running = Running::new(&state, running);
    let blame = |error| ApiError::from(error).blame("prompt");
    let head = Head { id: new_id("cmpl-"), created: now_s(), model: running.model().into() };
    let Some(options) = stream else {
        let (all, usage) = running.collect_all().await.map_err(blame)?;
        return Ok(head.whole(&all, usage, logprobs));
    };
    running.open().await.map_err(blame)?;
    let chunks = TextChunks {
        head,
        include_usage: options.include_usage,
        tally: Tally::new(choices),
        offsets: logprobs.map(|_| vec![Offsets::default(); answers]),
    };
    Ok(sse::response(running, chunks))
}

/// What all chunks of an answer have in common.
struct Head {
    id: String,
    created: u64,
    model: String,
}

/// A chunk and a whole answer look the same.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Completion")]
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

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CompletionChoice")]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    /// Null unless asked for.
    logprobs: Option<WireLogprobs>,
    finish_reason: Option<&'static str>,
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

    fn whole(&self, all: &[Completion], usage: Usage, logprobs: Option<u32>) -> Response {
        let choices = (0..).zip(all).map(|(index, completion)| Choice {
            text: &completion.text,
            index,
            logprobs: logprobs.map(|_| Offsets::default().word(&completion.logprobs)),
            finish_reason: Some(wire::reason(completion.reason)),
        });
        let choices: Vec<_> = choices.collect();
        json::ok(&self.chunk(&choices, Some(Some(usage))))
    }
}

struct TextChunks {
    head: Head,
    include_usage: bool,
    tally: Tally,
    /// One for each choice, if log probabilities were asked for.
    offsets: Option<Vec<Offsets>>,
}

impl TextChunks {
    fn choice(&self, choice: Choice<'_>) -> Frame {
        let no_usage = self.include_usage.then_some(None);
        Frame::data(&self.head.chunk(&[choice], no_usage))
    }

    /// A delta may be without text, where its tokens are the start of a character.
    fn text(&mut self, index: u32, text: &str, tokens: &[TokenLogprob]) -> Option<Frame> {
        let offsets = self.offsets.as_mut().map(|all| &mut all[index as usize]);
        let offsets = offsets.filter(|_| !tokens.is_empty());
        let logprobs = offsets.map(|offsets| offsets.word(tokens));
        let says_something = !text.is_empty() || logprobs.is_some();
        let choice = Choice { text, index, logprobs, finish_reason: None };
        says_something.then(|| self.choice(choice))
    }

    fn finish(&mut self, index: u32, reason: FinishReason, usage: Usage) -> Frame {
        self.tally.add(index, usage);
        let finish_reason = Some(wire::reason(reason));
        self.choice(Choice { text: "", index, logprobs: None, finish_reason })
    }
}

impl sse::Chunks for TextChunks {
    fn start(&mut self) -> Vec<Frame> {
        vec![]
    }

    fn event(&mut self, choice: u32, event: Event) -> Vec<Frame> {
        let frame = match event {
            Event::Delta { text, logprobs, channel: Channel::Content, .. } => {
                self.text(choice, &text, &logprobs)
            }
            Event::Finish { reason, usage, .. } => Some(self.finish(choice, reason, usage)),
            _ => None,
        };
        frame.into_iter().collect()
    }

    fn end(&mut self) -> Vec<Frame> {
        let usage = Some(Some(self.tally.total()));
        let usage = self.include_usage.then(|| Frame::data(&self.head.chunk(&[], usage)));
        usage.into_iter().chain([sse::done()]).collect()
    }
}
