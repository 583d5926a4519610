//! Pieces of the answers that chat and completions share.

use gaia_protocol::Usage;
use serde::Serialize;

pub use crate::http::metrics::reason_word as reason;

/// OpenAI's count of tokens.
#[derive(Clone, Copy, Serialize)]
pub struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens, .. } = usage;
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, completion_tokens, total_tokens }
    }
}
