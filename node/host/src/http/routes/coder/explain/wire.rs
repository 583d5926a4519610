//! What an explanation looks like, whole and streamed.

use std::collections::BTreeMap;

use gaia_core::ServeError;
use gaia_core::coder::Explained;
use gaia_core::knowledge::Sources;
use gaia_protocol::{Channel, Event, Usage};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::knowledge::{WireCitation, citations};
use crate::http::routes::wire::{self, WireUsage};
use crate::http::running::Running;
use crate::http::sse::{self, Frame};

/// What is known before a model speaks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplanationHead")]
pub struct Head {
    id: String,
    created: u64,
    /// Null where no model answers.
    model: Option<String>,
    codes: Vec<String>,
    explanations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    citations: Vec<WireCitation>,
    notes: Vec<String>,
}

impl Head {
    /// Takes what an explanation rests on.
    pub fn new(running: &Option<Running>, explained: &mut Explained) -> Self {
        let sources = Sources::of(std::mem::take(&mut explained.citations));
        Self {
            id: new_id("explain-"),
            created: now_s(),
            model: running.as_ref().map(|running| running.model().to_owned()),
            codes: std::mem::take(&mut explained.codes),
            explanations: std::mem::take(&mut explained.explanations),
            lines: std::mem::take(&mut explained.lines),
            citations: citations(&sources).unwrap_or_default(),
            notes: std::mem::take(&mut explained.notes),
        }
    }
}

/// A whole explanation.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub struct Whole<'a> {
    object: &'static str,
    #[serde(flatten)]
    head: &'a Head,
    answer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

impl<'a> Whole<'a> {
    /// With what a model took, if one spoke.
    pub fn new(head: &'a Head, answer: &'a str, usage: Option<Usage>) -> Self {
        Self { object: "explanation", head, answer, usage: usage.map(Into::into) }
    }
}

/// The chunks of a chat; the first one also has what is known.
pub struct Chunks {
    head: Head,
}

impl Chunks {
    /// Nothing is said yet.
    pub fn new(head: Head) -> Self {
        Self { head }
    }

    /// A whole stream, where no model speaks.
    pub fn all(mut self, text: &str) -> Vec<Frame> {
        let mut frames = sse::Chunks::start(&mut self);
        frames.push(self.chunk(&json!({"content": text}), None));
        frames.push(self.chunk(&json!({}), Some("stop")));
        frames.extend(sse::Chunks::end(&mut self));
        frames
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Frame {
        Frame::data(&self.value(delta, finish_reason))
    }

    fn value(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        let Head { id, created, model, .. } = &self.head;
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
        json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": model,
            "choices": [choice],
        })
    }
}

impl sse::Chunks for Chunks {
    fn start(&mut self) -> Vec<Frame> {
        let mut first = self.value(&json!({"role": "assistant", "content": ""}), None);
        let Head { codes, explanations, lines, citations, notes, .. } = &self.head;
        first["codes"] = json!(codes);
        first["explanations"] = json!(explanations);
        first["lines"] = json!(lines);
        first["citations"] = json!(citations);
        first["notes"] = json!(notes);
        vec![Frame::data(&first)]
    }

    fn event(&mut self, _: u32, event: Event) -> Vec<Frame> {
        match event {
            Event::Delta { text, .. } if text.is_empty() => vec![],
            Event::Delta { text, channel: Channel::Reasoning, .. } => {
                vec![self.chunk(&json!({"reasoning_content": text}), None)]
            }
            Event::Delta { text, .. } => vec![self.chunk(&json!({"content": text}), None)],
            Event::Finish { reason, .. } => {
                vec![self.chunk(&json!({}), Some(wire::reason(reason)))]
            }
            _ => vec![],
        }
    }

    fn end(&mut self) -> Vec<Frame> {
        vec![sse::done()]
    }

    fn fail(&mut self, error: ServeError) -> Vec<Frame> {
        vec![Frame::data(&ApiError::from(error).body())]
    }
}
