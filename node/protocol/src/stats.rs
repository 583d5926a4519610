//! A worker's numbers, for `/metrics` and `/v1/info`.

use serde::{Deserialize, Serialize};

/// Gauges and counters since the worker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Sequences that hold a place in the batch now.
    pub sequences_active: u32,
    /// Requests that wait for a sequence now.
    pub sequences_queued: u32,
    /// Instances that work on a request now.
    pub instances_active: u32,
    /// Instances ready for a request now.
    pub instances_warm: u32,
    /// Prompt tokens computed.
    pub prompt_tokens_total: u64,
    /// Prompt tokens found computed in the cache.
    #[serde(default)]
    pub cached_tokens_total: u64,
    /// Requests that found at least a part of their prompt in the cache.
    #[serde(default)]
    pub cache_hits_total: u64,
    /// Tokens guessed ahead of the model.
    #[serde(default)]
    pub draft_tokens_total: u64,
    /// Guessed tokens that the model confirmed.
    #[serde(default)]
    pub draft_accepted_total: u64,
    /// Tokens sampled.
    pub generated_tokens_total: u64,
    /// Texts embedded.
    pub embeddings_total: u64,
    /// Pictures, or parts of such, turned into what the model reads.
    #[serde(default)]
    pub pictures_total: u64,
    /// Milliseconds that this took; nothing else is computed meanwhile.
    #[serde(default)]
    pub picture_ms_total: u64,
    /// Decode steps.
    pub decode_steps_total: u64,
    /// Sequences cancelled before their end.
    pub cancelled_total: u64,
    /// Instances that trapped or ran into a limit.
    pub traps_total: u64,
    /// Resident memory of the worker in bytes.
    pub memory_bytes: u64,
}
