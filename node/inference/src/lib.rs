//! The GGML engine: one model, many sequences in one batch.
//!
//! One thread owns the llama context. Every step it packs the next token of each running sequence
//! and a chunk of the prompts that wait, decodes once, samples per sequence, and hands the tokens to
//! bounded queues a few tokens ahead of their readers. A reader that goes away frees its sequence
//! before the next step. Pictures in a prompt are encoded and read one by one between these steps.
//!
//! Invariants: no sequence ever holds more than its context; a sequence whose queue is full is
//! paused, not dropped; every queue ends with exactly one final step or error. `unsafe` stands in
//! `ffi` alone.

mod answer;
mod backends;
mod batch;
mod bell;
mod chooser;
mod config;
mod constraint;
mod counters;
mod draft;
mod embedder;
mod engine;
mod error;
mod eye;
mod ffi;
mod file;
mod gbnf;
mod generator;
mod guess;
mod inbox;
mod info;
mod load;
mod machine;
mod memory;
mod options;
mod pace;
mod picture;
mod placement;
mod plan;
mod prefix;
mod processor;
mod prompt;
mod queue;
mod random;
mod sampler;
mod scheduler;
mod slot;
mod start;
mod toll;

pub use answer::{Generation, PendingEmbedding, Step, TokenScores};
pub use config::{
    BATCH_TOKENS_LIMIT, CONTEXT_TOKENS_DEFAULT_MAX, CacheType, EngineConfig, EngineKind,
    FlashAttention, Lora, RUN_AHEAD_TOKENS_LIMIT, SEQUENCES_LIMIT, SplitMode, TEXTS_PER_REQUEST,
    Tuning,
};
pub use engine::{Engine, Progress};
pub use error::{AdmitError, ComputeError, LoadError, LookError, TokenizeError};
pub use info::{Device, DeviceKind, EngineInfo, EngineStats, PairForm};
pub use machine::{Machine, kind_of, machine};
pub use options::{Constraint, GenerateOptions, Sampling, Token, TokenizeOptions};
pub use prompt::{Prompt, Sight};
