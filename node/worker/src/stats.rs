//! The worker's numbers.

use gaia_inference::Engine;
use gaia_protocol::WorkerStats;
use gaia_runtime::AppPool;

/// How engine and pool are now.
pub fn stats(engine: &Engine, pool: &AppPool) -> WorkerStats {
    let (engine, pool) = (engine.stats(), pool.stats());
    WorkerStats {
        sequences_active: engine.active,
        sequences_queued: engine.queued,
        instances_active: pool.active,
        instances_warm: pool.warm,
        prompt_tokens_total: engine.prompt_tokens,
        cached_tokens_total: engine.cached_tokens,
        cache_hits_total: engine.cache_hits,
        draft_tokens_total: engine.draft_tokens,
        draft_accepted_total: engine.draft_accepted,
        generated_tokens_total: engine.generated_tokens,
        embeddings_total: engine.embeddings,
        pictures_total: engine.pictures,
        picture_ms_total: engine.picture_ms,
        decode_steps_total: engine.decode_steps,
        cancelled_total: engine.cancelled,
        traps_total: pool.traps_total,
        memory_bytes: resident_bytes().unwrap_or(0),
    }
}

/// The second number of `statm`, in pages.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
