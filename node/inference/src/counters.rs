//! The engine's numbers, written by its thread and read by anyone.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::EngineStats;

/// Gauges and counters since the engine started.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) active: AtomicU32,
    pub(crate) prompt_tokens: AtomicU64,
    pub(crate) cached_tokens: AtomicU64,
    pub(crate) cache_hits: AtomicU64,
    pub(crate) draft_tokens: AtomicU64,
    pub(crate) draft_accepted: AtomicU64,
    pub(crate) generated_tokens: AtomicU64,
    pub(crate) embeddings: AtomicU64,
    pub(crate) pictures: AtomicU64,
    pub(crate) picture_ms: AtomicU64,
    pub(crate) decode_steps: AtomicU64,
    pub(crate) cancelled: AtomicU64,
}

impl Counters {
    /// Adds to a counter.
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    /// A snapshot, with `seats` requests in the engine.
    pub(crate) fn stats(&self, seats: u32) -> EngineStats {
        let active = self.active.load(Relaxed);
        EngineStats {
            active,
            queued: seats.saturating_sub(active),
            prompt_tokens: self.prompt_tokens.load(Relaxed),
            cached_tokens: self.cached_tokens.load(Relaxed),
            cache_hits: self.cache_hits.load(Relaxed),
            draft_tokens: self.draft_tokens.load(Relaxed),
            draft_accepted: self.draft_accepted.load(Relaxed),
            generated_tokens: self.generated_tokens.load(Relaxed),
            embeddings: self.embeddings.load(Relaxed),
            pictures: self.pictures.load(Relaxed),
            picture_ms: self.picture_ms.load(Relaxed),
            decode_steps: self.decode_steps.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
        }
    }
}
