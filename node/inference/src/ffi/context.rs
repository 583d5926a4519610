//! A llama context: the cache of all sequences, and one step of computing.

use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_cpp_sys_2 as sys;

use super::model::Model;
use super::threads::ThreadPool;
use crate::batch::{Entry, OUTPUTS_EXTRA};
use crate::processor::Governor;
use crate::{CacheType, EngineConfig, EngineKind, FlashAttention, Tuning};

/// A llama context. Used by one thread at a time.
pub(crate) struct Context {
    context: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    batch_tokens: usize,
    threads: u32,
    /// Made by the first step, on the thread that computes.
    governor: Option<Governor>,
    vocabulary_tokens: usize,
    /// Numbers that come out for a sequence.
    output_numbers: usize,
    // Freed after the context that uses it, by the order of fields; so is the model.
    pool: Option<ThreadPool>,
    _model: Arc<Model>,
}

// SAFETY: llama.cpp binds a context to no thread; `&mut self` keeps it to one at a time.
unsafe impl Send for Context {}

/// How a context is made.
pub(crate) struct ContextPlan<'a> {
    pub(crate) config: &'a EngineConfig,
    pub(crate) tuning: &'a Tuning,
    /// Sequences at once.
    pub(crate) sequences_max: u32,
    /// Tokens of each.
    pub(crate) context_tokens: u32,
    /// Tokens of a step.
    pub(crate) batch_tokens: u32,
    pub(crate) threads: u32,
}

/// Where a row stands: in time and, for models that count these apart (M-RoPE), its line, its column,
/// and one that no model of today uses. Other models read the first alone.
pub(crate) type Position = [sys::llama_pos; DIMENSIONS];

/// ggml's `GGML_MROPE_SECTIONS`.
const DIMENSIONS: usize = 4;

/// Rows of a picture to compute, in the places of tokens.
pub(crate) struct Rows<'a> {
    /// The rows, one after another.
    pub(crate) numbers: &'a [f32],
    /// Numbers of a row: what the model reads.
    pub(crate) width: usize,
    pub(crate) sequence: u32,
    /// Of each row.
    pub(crate) positions: Vec<Position>,
    /// They see each other, those behind them too.
    pub(crate) looks_ahead: bool,
}

impl Context {
    /// A context and its threads. `None`: llama.cpp refused; the log has its reason.
    pub(crate) fn new(model: Arc<Model>, plan: &ContextPlan) -> Option<Self> {
        let params = parameters(plan);
        // SAFETY: the model lives as long as the context, which holds it.
        let context = NonNull::new(unsafe { sys::llama_init_from_model(model.as_ptr(), params) })?;
        let pool = ThreadPool::new(plan.threads, plan.tuning.poll_level);
        if let Some(pool) = &pool {
            // SAFETY: the pool lives as long as the context, which holds it.
            unsafe { sys::llama_attach_threadpool(context.as_ptr(), pool.as_ptr(), pool.as_ptr()) };
        }
        // SAFETY: reads numbers.
        let (batch_tokens, pooling) = unsafe {
            (sys::llama_n_batch(context.as_ptr()), sys::llama_pooling_type(context.as_ptr()))
        };
        let output_numbers = match pooling {
            sys::LLAMA_POOLING_TYPE_RANK => model.scores(),
            _ => model.sizes().embedding_dimension,
        };
        // SAFETY: allocates arrays for that many tokens, one sequence each.
        let batch = unsafe { sys::llama_batch_init(batch_tokens.cast_signed(), 0, 1) };
        Some(Self {
            context,
            batch,
            batch_tokens: batch_tokens as usize,
            vocabulary_tokens: model.vocabulary_tokens() as usize,
            output_numbers: output_numbers as usize,
            pool,
            threads: plan.threads,
            governor: None,
            _model: model,
        })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_context {
        self.context.as_ptr()
    }

    /// Tokens that a step can hold: llama.cpp lowers what was asked for to the whole context.
    pub(crate) fn batch_tokens(&self) -> usize {
        self.batch_tokens
    }

    /// Tokens that one sequence can hold.
    pub(crate) fn sequence_tokens(&self) -> u32 {
        // SAFETY: reads a number.
        unsafe { sys::llama_n_ctx_seq(self.context.as_ptr()) }
    }

    /// Whether the model keeps what it read for the next step, as generating needs.
    pub(crate) fn has_memory(&self) -> bool {
        // SAFETY: the context lives.
        !unsafe { sys::llama_get_memory(self.context.as_ptr()) }.is_null()
    }

    /// Whether a vector for a whole sequence comes out of a step.
    pub(crate) fn pools(&self) -> bool {
        // SAFETY: reads a number.
        let pooling = unsafe { sys::llama_pooling_type(self.context.as_ptr()) };
        !matches!(pooling, sys::LLAMA_POOLING_TYPE_NONE | sys::LLAMA_POOLING_TYPE_RANK)
    }

    /// Computes one step.
    ///
    /// # Errors
    /// llama.cpp's code: 1 means no room in the cache, below 0 a failure.
    ///
    /// # Panics
    /// `entries` is empty or longer than the batch: the schedulers never make such a step.
    pub(crate) fn decode(&mut self, entries: &[Entry]) -> Result<(), i32> {
        let start = Instant::now();
        let done = self.compute(entries);
        self.govern(start.elapsed());
        done
    }

    /// Gives up a thread when other processes need its core, and takes it back.
    fn govern(&mut self, took: Duration) {
        let Some(pool) = &self.pool else { return };
        let make = || Governor::new(self.threads, pool.helpers());
        let Some(threads) = self.governor.get_or_insert_with(make).note(took) else { return };
        let threads = threads.cast_signed();
        // SAFETY: the context lives; the pool has at least as many threads.
        unsafe { sys::llama_set_n_threads(self.context.as_ptr(), threads, threads) };
    }

    /// Computes rows of a picture.
    ///
    /// # Errors
    /// As [`Context::decode`].
    ///
    /// # Panics
    /// There are no rows, or more than a batch holds: the scheduler never makes such a step.
    pub(crate) fn decode_rows(&mut self, rows: &Rows<'_>) -> Result<(), i32> {
        let count = rows.numbers.len() / rows.width.max(1);
        assert!((1..=self.batch_tokens).contains(&count), "{count}");
        assert_eq!(rows.positions.len(), count);
        for index in 0..count {
            // SAFETY: as in `fill`.
            unsafe {
                *self.batch.n_seq_id.add(index) = 1;
                **self.batch.seq_id.add(index) = rows.sequence.cast_signed();
                *self.batch.logits.add(index) = 0;
            }
        }
        let mut positions = by_dimension(&rows.positions);
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(count).expect("a batch is far smaller"),
            token: std::ptr::null_mut(),
            // llama.cpp copies the rows and positions before it computes.
            embd: rows.numbers.as_ptr().cast_mut(),
            pos: positions.as_mut_ptr(),
            ..self.batch
        };
        // SAFETY: the context lives; the batch's arrays hold `count` entries, `embd` as many rows of the
        // width that the model reads, and `pos` as many positions for each dimension there is.
        let code = unsafe {
            sys::llama_set_causal_attn(self.context.as_ptr(), !rows.looks_ahead);
            let code = sys::llama_decode(self.context.as_ptr(), batch);
            sys::llama_set_causal_attn(self.context.as_ptr(), true);
            code
        };
        if code == 0 { Ok(()) } else { Err(code) }
    }

    fn compute(&mut self, entries: &[Entry]) -> Result<(), i32> {
        self.fill(entries);
        // SAFETY: the batch was filled with as many entries as it says.
        match unsafe { sys::llama_decode(self.context.as_ptr(), self.batch) } {
            0 => Ok(()),
            code => Err(code),
        }
    }

    /// Computes whole texts, for their vectors.
    ///
    /// # Errors
    /// llama.cpp's code.
    ///
    /// # Panics
    /// As [`Context::decode`].
    pub(crate) fn embed(&mut self, entries: &[Entry]) -> Result<(), i32> {
        // Models without a cache are encoders; llama.cpp sees to that in decoding.
        self.decode(entries)
    }

    /// Computes one token and forgets it: memory is touched and kernels are chosen now, and a model
    /// that can't compute fails now.
    ///
    /// # Errors
    /// llama.cpp's code.
    pub(crate) fn warm_up(&mut self) -> Result<(), i32> {
        let entry = Entry { token: crate::Token(0), position: 0, sequence: 0, output: true };
        self.compute(&[entry])?;
        self.forget(0);
        Ok(())
    }

    fn fill(&mut self, entries: &[Entry]) {
        assert!(!entries.is_empty() && entries.len() <= self.batch_tokens, "{}", entries.len());
        for (index, entry) in entries.iter().enumerate() {
            // SAFETY: `index` is below the batch's capacity, checked above; `llama_batch_init` made
            // each of these arrays that long, and each `seq_id` one long.
            unsafe {
                *self.batch.token.add(index) = entry.token.0;
                *self.batch.pos.add(index) = entry.position.cast_signed();
                *self.batch.n_seq_id.add(index) = 1;
                **self.batch.seq_id.add(index) = entry.sequence.cast_signed();
                *self.batch.logits.add(index) = i8::from(entry.output);
            }
        }
        self.batch.n_tokens = i32::try_from(entries.len()).expect("a batch is far smaller");
    }

    /// The logits of the entry at `index` of the last step, if they were asked for.
    pub(crate) fn logits(&self, index: usize) -> Option<&[f32]> {
        let index = i32::try_from(index).ok()?;
        // SAFETY: llama.cpp answers null for an entry without logits.
        let logits = unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), index) };
        // SAFETY: a row has an entry per token of the vocabulary and lives until the next step,
        // which needs `&mut self`.
        (!logits.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(logits, self.vocabulary_tokens) })
    }

    /// The pooled vector of a sequence of the last step, or its scores.
    pub(crate) fn embedding(&self, sequence: u32) -> Option<&[f32]> {
        // SAFETY: llama.cpp answers null for a sequence that was not there.
        let vector =
            unsafe { sys::llama_get_embeddings_seq(self.context.as_ptr(), sequence.cast_signed()) };
        // SAFETY: as for logits, with as many numbers as this pooling gives.
        (!vector.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(vector, self.output_numbers) })
    }

    /// Keeps the first tokens of a sequence. False: this model can't be cut there.
    pub(crate) fn keep(&mut self, sequence: u32, tokens: usize) -> bool {
        let start = position(tokens);
        // SAFETY: the context lives and has a memory: it generates. -1 means to the end.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_rm(memory, sequence.cast_signed(), start, -1)
        }
    }

    /// Makes the first tokens of one sequence the whole of another.
    pub(crate) fn copy(&mut self, from: u32, to: u32, tokens: usize) -> bool {
        // SAFETY: as above. A copy between two caches must be of the whole; -1 means all.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_rm(memory, to.cast_signed(), -1, -1);
            sys::llama_memory_seq_cp(memory, from.cast_signed(), to.cast_signed(), -1, -1);
        }
        self.keep(to, tokens)
    }

    /// Drops tokens behind the first ones and moves what follows up.
    pub(crate) fn shift(&mut self, sequence: u32, kept: usize, dropped: usize) -> bool {
        let (start, end) = (position(kept), position(kept + dropped));
        let sequence = sequence.cast_signed();
        // SAFETY: as above; `can_shift` was asked before.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            let removed = sys::llama_memory_seq_rm(memory, sequence, start, end);
            if removed {
                sys::llama_memory_seq_add(memory, sequence, end, -1, start - end);
            }
            removed
        }
    }

    /// Whether tokens can be moved to other places.
    pub(crate) fn can_shift(&self) -> bool {
        // SAFETY: the context lives.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            !memory.is_null() && sys::llama_memory_can_shift(memory)
        }
    }

    /// Frees a sequence's place in the cache.
    pub(crate) fn forget(&mut self, sequence: u32) {
        // SAFETY: the context lives; -1 means the whole sequence.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if !memory.is_null() {
                sys::llama_memory_seq_rm(memory, sequence.cast_signed(), -1, -1);
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are used no more.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.context.as_ptr());
        }
    }
}

fn parameters(plan: &ContextPlan) -> sys::llama_context_params {
    let ContextPlan { config, tuning, .. } = plan;
    // SAFETY: returns plain numbers.
    let mut params = unsafe { sys::llama_context_default_params() };
    params.n_seq_max = plan.sequences_max;
    params.n_ctx = plan.context_tokens.saturating_mul(plan.sequences_max);
    params.n_batch = plan.batch_tokens;
    // A step is computed in one go: a text with attention to both sides must be.
    params.n_ubatch = plan.batch_tokens;
    params.n_threads = plan.threads.cast_signed();
    params.n_threads_batch = plan.threads.cast_signed();
    params.kv_unified = tuning.kv_unified;
    params.no_perf = true;
    params.type_k = cache_type(config.cache_type_k);
    params.type_v = cache_type(config.cache_type_v);
    params.flash_attn_type = match config.flash_attention {
        FlashAttention::Auto => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        FlashAttention::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        FlashAttention::Off => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
    };
    match config.kind {
        // One token of each sequence is sampled, and some more; without this, memory for the logits of a whole
        // prompt is taken: 100 MB at 512 tokens and a vocabulary of 49,152.
        EngineKind::Generate => params.n_outputs_max = plan.sequences_max + OUTPUTS_EXTRA,
        EngineKind::Embed => params.embeddings = true,
        EngineKind::Rank => {
            params.embeddings = true;
            params.pooling_type = sys::LLAMA_POOLING_TYPE_RANK;
        }
    }
    params
}

/// The positions as llama.cpp reads those of rows: all of one dimension, then all of the next.
fn by_dimension(positions: &[Position]) -> Vec<sys::llama_pos> {
    let all_of = |dimension: usize| positions.iter().map(move |position| position[dimension]);
    (0..DIMENSIONS).flat_map(all_of).collect()
}

fn position(tokens: usize) -> sys::llama_pos {
    sys::llama_pos::try_from(tokens).expect("a context is far smaller")
}

fn cache_type(kind: CacheType) -> sys::ggml_type {
    match kind {
        CacheType::F32 => sys::GGML_TYPE_F32,
        CacheType::F16 => sys::GGML_TYPE_F16,
        CacheType::Q8_0 => sys::GGML_TYPE_Q8_0,
        CacheType::Q4_0 => sys::GGML_TYPE_Q4_0,
    }
}

#[cfg(test)]
mod tests {
    use super::by_dimension;

    #[test]
    fn positions_of_rows_are_ordered_by_dimension() {
        let rows = [[7, 8, 9, 0], [7, 8, 10, 0], [7, 9, 9, 0]];
        assert_eq!(by_dimension(&rows), [7, 7, 7, 8, 8, 9, 9, 10, 9, 0, 0, 0]);
    }
}
