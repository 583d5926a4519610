//! A whole answer to a conversation.

use gaia_core::{CompletedCall, Completion};
use gaia_protocol::Usage;
use schemars::JsonSchema;
use serde::Serialize;

use super::Head;
use super::logprobs::WireLogprobs;
use crate::http::ids::new_id;
use crate::http::knowledge::{WireCitation, citations};
use crate::http::routes::wire::{self, WireUsage};

/// OpenAI's `chat.completion`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChatCompletion")]
pub struct Whole<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    usage: WireUsage,
    /// This node's own: what the answer may rest on, if a knowledge base was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Vec<WireCitation>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChatChoice")]
struct Choice<'a> {
    index: usize,
    message: Message<'a>,
    /// Null unless asked for.
    logprobs: Option<WireLogprobs<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChatAnswer")]
struct Message<'a> {
    role: &'static str,
    /// Null where there is nothing but calls.
    content: Option<&'a str>,
    refusal: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolCall")]
struct Call<'a> {
    id: String,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CalledFunction")]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Whole<'a> {
    /// Words all choices and what they took together.
    pub fn new(head: &'a Head, all: &'a [Completion], usage: Usage) -> Self {
        let choices = all.iter().enumerate().map(|(index, completion)| Choice {
            index,
            message: message(completion),
            logprobs: head.logprobs.then(|| WireLogprobs::new(&completion.logprobs)),
            finish_reason: wire::reason(completion.reason),
        });
        Self {
            id: &head.id,
            object: "chat.completion",
            created: head.created,
            model: &head.model,
            choices: choices.collect(),
            usage: usage.into(),
            citations: citations(&head.sources),
        }
    }
}

fn message(completion: &Completion) -> Message<'_> {
    let Completion { text, reasoning, tool_calls, .. } = completion;
    let only_calls = text.is_empty() && !tool_calls.is_empty();
    Message {
        role: "assistant",
        content: (!only_calls).then_some(text),
        refusal: (),
        reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
        tool_calls: tool_calls.iter().map(call).collect(),
    }
}

fn call(CompletedCall { name, arguments }: &CompletedCall) -> Call<'_> {
    Call { id: new_id("call_"), r#type: "function", function: Function { name, arguments } }
}
