//! Pieces of the answers that chat and completions share.

use gaia_protocol::{TokenText, Usage};
use schemars::JsonSchema;
use serde::Serialize;

pub use crate::http::metrics::reason_word as reason;

/// OpenAI's count of tokens.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
pub struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
struct PromptDetails {
    cached_tokens: u32,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
struct CompletionDetails {
    reasoning_tokens: u32,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens } = usage;
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: PromptDetails { cached_tokens },
            completion_tokens_details: CompletionDetails { reasoning_tokens },
        }
    }
}

/// OpenAI's value for a token that is as good as impossible; JSON has no infinity.
const IMPOSSIBLE: f32 = -9999.0;

/// A log probability that JSON can say.
pub fn logprob(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { IMPOSSIBLE }
}

/// A token's text; a part of a character becomes U+FFFD.
pub fn text(token: &TokenText) -> String {
    String::from_utf8_lossy(&token.bytes).into_owned()
}
