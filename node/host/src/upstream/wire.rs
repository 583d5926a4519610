//! What comes from a server. Unknown fields are left unread: each server has its own.

use gaia_protocol::Usage;
use serde::Deserialize;
use serde_json::Value;

/// One chunk of a streamed answer, of a conversation or of a text.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    pub choices: Option<Vec<Choice>>,
    pub usage: Option<WireUsage>,
    pub error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    #[serde(default)]
    pub index: u32,
    /// Of a conversation.
    pub delta: Option<Delta>,
    /// Of a text.
    pub text: Option<String>,
    pub logprobs: Option<Value>,
    pub finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Delta {
    pub content: Option<String>,
    /// What a thinking model says to itself, as most servers call it.
    pub reasoning_content: Option<String>,
    /// The same, as OpenRouter and newer ones do.
    pub reasoning: Option<String>,
    pub refusal: Option<String>,
    pub tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Debug, Deserialize)]
pub struct CallDelta {
    pub index: Option<u32>,
    pub id: Option<String>,
    pub function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
pub struct FunctionDelta {
    pub name: Option<String>,
    pub arguments: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct WireUsage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Details {
    cached_tokens: Option<u32>,
    reasoning_tokens: Option<u32>,
}

/// The answer to a request for vectors.
#[derive(Debug, Deserialize)]
pub struct Vectors {
    pub data: Vec<VectorEntry>,
    pub usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
pub struct VectorEntry {
    pub index: u32,
    pub embedding: Vec<f32>,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let prompt = usage.prompt_tokens_details.unwrap_or_default();
        let completion = usage.completion_tokens_details.unwrap_or_default();
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: prompt.cached_tokens.unwrap_or(0),
            reasoning_tokens: completion.reasoning_tokens.unwrap_or(0),
        }
    }
}
