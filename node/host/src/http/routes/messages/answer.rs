//! An answer in blocks.

use gaia_core::knowledge::Sources;
use gaia_protocol::{Event, FinishReason, Usage};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::ids::new_id;
use crate::http::knowledge::{WireCitation, citations};
use crate::http::running::Running;

/// An answer so far.
#[derive(Debug)]
pub struct Answer {
    id: String,
    model: String,
    blocks: Vec<Block>,
    usage: Usage,
    reason: Option<FinishReason>,
    stop_string: Option<String>,
    sources: Sources,
}

/// A piece of an answer. One at a time grows: the last.
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// What the model thinks.
    Thinking(String),
    /// What it says.
    Text(String),
    /// A tool that it wants used.
    ToolUse {
        /// What the result names.
        id: String,
        /// The tool.
        name: String,
        /// Its input, as the JSON text that the model wrote.
        input: String,
    },
}

/// What an event did to the blocks.
#[derive(Debug, Default)]
pub struct Step {
    /// The last block is new.
    pub opened: bool,
    /// What the last block grew by, as an event tells it.
    pub delta: Option<Value>,
}

#[derive(Serialize)]
struct WireUsage {
    /// Without those of the cache.
    input_tokens: u32,
    cache_creation_input_tokens: u32,
    cache_read_input_tokens: u32,
    output_tokens: u32,
}

impl Answer {
    /// Nothing is said yet.
    pub fn new(id: String, running: &Running) -> Self {
        let (model, sources) = (running.model().to_owned(), running.sources().clone());
        let (blocks, usage) = (vec![], Usage::default());
        Self { id, model, blocks, usage, reason: None, stop_string: None, sources }
    }

    /// The blocks so far.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: Event) -> Step {
        let opened = self.open(&event);
        let delta = match (event, self.blocks.last_mut()) {
            (Event::Prompt { tokens, cached_tokens }, _) => {
                (self.usage.prompt_tokens, self.usage.cached_tokens) = (tokens, cached_tokens);
                None
            }
            (Event::Finish { reason, usage, stop_string }, _) => {
                (self.reason, self.usage) = (Some(reason), usage);
                // An app that tells one beside another reason is not believed.
                self.stop_string = stop_string.filter(|_| reason == FinishReason::Stop);
                None
            }
            (Event::Delta { text, .. } | Event::ToolArguments { text, .. }, Some(block)) => {
                block.grow(&text)
            }
            _ => None,
        };
        Step { opened, delta }
    }

    /// Begins a block if the event does not belong to the last one.
    fn open(&mut self, event: &Event) -> bool {
        let last = self.blocks.last();
        let block = match event {
            Event::Delta { text, .. } if text.is_empty() => return false,
            Event::Delta { channel, .. } if channel.is_content() => match last {
                Some(Block::Text(_)) => return false,
                _ => Block::Text(String::new()),
            },
            Event::Delta { .. } => match last {
                Some(Block::Thinking(_)) => return false,
                _ => Block::Thinking(String::new()),
            },
            Event::ToolCall { name, .. } => {
                Block::ToolUse { id: new_id("toolu_"), name: name.clone(), input: String::new() }
            }
            _ => return false,
        };
        self.blocks.push(block);
        true
    }

    /// The whole message, or what is known of it.
    pub fn message(&self) -> Value {
        let content: Vec<_> = self.blocks.iter().map(Block::json).collect();
        let mut message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": self.stop_reason(),
            "stop_sequence": self.stop_sequence(),
            "usage": self.usage(),
        });
        if let Some(citations) = self.citations() {
            message["citations"] = json!(citations);
        }
        message
    }

    /// What is told before anything is said: without sources that may become more.
    pub fn beginning(&self) -> Value {
        let mut message = self.message();
        if let Some(map) = message.as_object_mut().filter(|_| self.sources.may_grow()) {
            map.remove("citations");
        }
        message
    }

    /// This node's own: what it may rest on, if a knowledge base was asked.
    pub fn citations(&self) -> Option<Vec<WireCitation>> {
        citations(&self.sources)
    }

    /// The stop sequence that ended it, if one did.
    pub fn stop_sequence(&self) -> Option<&str> {
        self.stop_string.as_deref()
    }

    /// Why it ended.
    pub fn stop_reason(&self) -> Option<&'static str> {
        self.reason.map(|reason| match reason {
            FinishReason::Stop if self.stop_string.is_some() => "stop_sequence",
            FinishReason::Stop => "end_turn",
            FinishReason::Length => "max_tokens",
            FinishReason::ToolCalls => "tool_use",
        })
    }

    /// What it took so far.
    pub fn usage(&self) -> Value {
        let Usage { prompt_tokens, completion_tokens, cached_tokens, .. } = self.usage;
        json!(WireUsage {
            input_tokens: prompt_tokens.saturating_sub(cached_tokens),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: cached_tokens,
            output_tokens: completion_tokens,
        })
    }
}

impl Block {
    /// The block as it stands in a message.
    pub fn json(&self) -> Value {
        match self {
            // Nobody checks it here, but clients expect one.
            Self::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": ""}),
            Self::Text(text) => json!({"type": "text", "text": text, "citations": null}),
            Self::ToolUse { id, name, input } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": object(input)})
            }
        }
    }

    /// The block as it stands where it begins.
    pub fn empty(&self) -> Value {
        let (mut block, text) = (self.json(), String::new());
        match self {
            Self::Thinking(_) => block["thinking"] = text.into(),
            Self::Text(_) => block["text"] = text.into(),
            Self::ToolUse { .. } => block["input"] = json!({}),
        }
        block
    }

    fn grow(&mut self, more: &str) -> Option<Value> {
        if more.is_empty() {
            return None;
        }
        match self {
            Self::Thinking(text) => {
                text.push_str(more);
                Some(json!({"type": "thinking_delta", "thinking": more}))
            }
            Self::Text(text) => {
                text.push_str(more);
                Some(json!({"type": "text_delta", "text": more}))
            }
            Self::ToolUse { input, .. } => {
                input.push_str(more);
                Some(json!({"type": "input_json_delta", "partial_json": more}))
            }
        }
    }
}

/// The input must be an object. What is none, for it was cut off, is wrapped as Anthropic advises.
fn object(input: &str) -> Value {
    if input.trim().is_empty() {
        return json!({});
    }
    match serde_json::from_str(input) {
        Ok(Value::Object(map)) => Value::Object(map),
        _ => json!({"INVALID_JSON": input}),
    }
}
