//! A streamed answer to a conversation.

use gaia_core::Tally;
use gaia_protocol::{Channel, Event, FinishReason, TokenLogprob};
use serde::Serialize;

use super::Head;
use super::logprobs::WireLogprobs;
use crate::http::generate::StreamOptions;
use crate::http::ids::new_id;
use crate::http::knowledge::{WireCitation, citations};
use crate::http::routes::wire::{self, WireUsage};
use crate::http::sse::{self, Frame};

/// Words the events of `choices` answers.
pub struct ChatChunks {
    head: Head,
    choices: u32,
    include_usage: bool,
    tally: Tally,
    /// Choices that go on.
    open: u32,
    /// The sources were named.
    is_cited: bool,
}

/// OpenAI's `chat.completion.chunk`.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// Absent unless usage was asked for; then null until the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WireUsage>>,
    /// This node's own, in one chunk, if a knowledge base was asked: what the answer may rest on.
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Vec<WireCitation>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<WireLogprobs<'a>>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta<'a>; 1]>,
}

/// The first delta of a call says all but the arguments, the others nothing but more of these.
#[derive(Serialize)]
struct CallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta<'a>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl ChatChunks {
    /// Nothing was said yet.
    pub fn new(head: Head, choices: u32, options: StreamOptions) -> Self {
        let tally = Tally::new(choices);
        let include_usage = options.include_usage;
        Self { head, choices, include_usage, tally, open: choices, is_cited: false }
    }

    fn delta(&self, index: u32, delta: Delta<'_>) -> Frame {
        self.choice(Choice { index, delta, logprobs: None, finish_reason: None })
    }

    fn choice(&self, choice: Choice<'_>) -> Frame {
        self.chunk(&[choice], self.include_usage.then_some(None))
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<Option<WireUsage>>) -> Frame {
        let Head { id, created, model, .. } = &self.head;
        let (object, created) = ("chat.completion.chunk", *created);
        let citations = None;
        Frame::data(&Chunk { id, object, created, model, choices, usage, citations })
    }

    /// The first chunk of a choice; the very first one names the sources, if all are known.
    fn opening(&mut self, index: u32) -> Frame {
        let greeting = || Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
        let is_known = !self.head.sources.may_grow();
        let cited = is_known.then(|| self.citing(index, greeting())).flatten();
        cited.unwrap_or_else(|| self.delta(index, greeting()))
    }

    /// A chunk that names the sources; nothing if there are none to name, or no more.
    fn citing(&mut self, index: u32, delta: Delta<'_>) -> Option<Frame> {
        let citations = citations(&self.head.sources).filter(|_| !self.is_cited)?;
        self.is_cited = true;
        let Head { id, created, model, .. } = &self.head;
        Some(Frame::data(&Chunk {
            id,
            object: "chat.completion.chunk",
            created: *created,
            model,
            choices: &[Choice { index, delta, logprobs: None, finish_reason: None }],
            usage: self.include_usage.then_some(None),
            citations: Some(citations),
        }))
    }

    /// The last chunk of a choice. What a model found on its way is named before the very last one.
    fn closing(&mut self, index: u32, reason: FinishReason) -> Vec<Frame> {
        self.open = self.open.saturating_sub(1);
        let cited = (self.open == 0).then(|| self.citing(index, Delta::default())).flatten();
        let finish_reason = Some(wire::reason(reason));
        let choice = Choice { index, delta: Delta::default(), logprobs: None, finish_reason };
        cited.into_iter().chain([self.choice(choice)]).collect()
    }

    /// A delta may be without text, where its tokens are the start of a character.
    fn content(&self, index: u32, text: &str, tokens: &[TokenLogprob]) -> Option<Frame> {
        let tokens = if self.head.logprobs { tokens } else { &[] };
        let logprobs = (!tokens.is_empty()).then(|| WireLogprobs::new(tokens));
        let says_something = !text.is_empty() || logprobs.is_some();
        let delta = Delta { content: Some(text), ..Delta::default() };
        let choice = Choice { index, delta, logprobs, finish_reason: None };
        says_something.then(|| self.choice(choice))
    }

    fn reasoning(&self, index: u32, text: &str) -> Option<Frame> {
        let delta = Delta { reasoning_content: Some(text), ..Delta::default() };
        (!text.is_empty()).then(|| self.delta(index, delta))
    }

    fn call(&self, index: u32, call: CallDelta<'_>) -> Frame {
        self.delta(index, Delta { tool_calls: Some([call]), ..Delta::default() })
    }
}

fn begun(index: u32, name: &str) -> CallDelta<'_> {
    let function = FunctionDelta { name: Some(name), arguments: "" };
    CallDelta { index, id: Some(new_id("call_")), r#type: Some("function"), function }
}

fn continued(index: u32, arguments: &str) -> CallDelta<'_> {
    let function = FunctionDelta { name: None, arguments };
    CallDelta { index, id: None, r#type: None, function }
}

impl sse::Chunks for ChatChunks {
    fn start(&mut self) -> Vec<Frame> {
        (0..self.choices).map(|index| self.opening(index)).collect()
    }

    fn event(&mut self, choice: u32, event: Event) -> Vec<Frame> {
        let frame = match event {
            Event::Delta { text, channel: Channel::Reasoning, .. } => self.reasoning(choice, &text),
            Event::Delta { text, logprobs, .. } => self.content(choice, &text, &logprobs),
            Event::ToolCall { index, name, .. } => Some(self.call(choice, begun(index, &name))),
            Event::ToolArguments { index, text, .. } => {
                (!text.is_empty()).then(|| self.call(choice, continued(index, &text)))
            }
            Event::Finish { reason, usage, .. } => {
                self.tally.add(choice, usage);
                return self.closing(choice, reason);
            }
            Event::Prompt { .. }
            | Event::Tokens { .. }
            | Event::Embedding { .. }
            | Event::Score { .. }
            | Event::Error { .. } => None,
        };
        frame.into_iter().collect()
    }

    fn end(&mut self) -> Vec<Frame> {
        let total = self.tally.total().into();
        let usage = self.include_usage.then(|| self.chunk(&[], Some(Some(total))));
        usage.into_iter().chain([sse::done()]).collect()
    }
}
