//! What a loaded model is.

use crate::Token;

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor.
    Processor,
    /// A GPU with memory of its own.
    Gpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A driver that lets the processor act as a GPU: slower than the processor itself, for tests.
    SoftwareGpu,
    /// Something that helps the processor with some operations.
    Accelerator,
}

/// One device that ggml found.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// ggml's name, such as `CPU` or `CUDA0`.
    pub name: String,
    /// What the device says it is.
    pub description: String,
    /// The hardware's own address, such as `0000:01:00.0`, empty where it has none.
    pub id: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Free memory in bytes at load time.
    pub memory_free_bytes: u64,
    /// All memory in bytes.
    pub memory_total_bytes: u64,
    /// The model's layers there, the output counted as one; 0 for the processor.
    pub layers: u32,
    /// Memory in bytes that the model takes there, by estimate; 0 for the processor.
    pub memory_used_bytes: u64,
}

impl Device {
    /// Whether it is a GPU of any kind.
    #[must_use]
    pub fn is_gpu(&self) -> bool {
        use DeviceKind::{Gpu, IntegratedGpu, SoftwareGpu};
        matches!(self.kind, Gpu | IntegratedGpu | SoftwareGpu)
    }
}

/// How a reranker reads a query and a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairForm {
    /// Tokens before the query.
    pub before: Vec<Token>,
    /// Tokens between the query and the document.
    pub between: Vec<Token>,
    /// Tokens behind the document.
    pub after: Vec<Token>,
    /// A text with `{query}` and `{document}` that takes the place of all that.
    pub template: Option<String>,
    /// The score is a probability, and no logit.
    pub gives_probability: bool,
}

/// Facts from the model's file and of the engine that runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineInfo {
    /// The model's own name for itself (`general.name`), empty if it has none.
    pub name: String,
    /// `general.architecture`, such as `llama` or `bert`.
    pub architecture: String,
    /// llama.cpp's line on architecture, size and quantization.
    pub description: String,
    /// Bytes of all tensors.
    pub size_bytes: u64,
    /// Number of parameters.
    pub parameters: u64,
    /// Tokens one sequence may hold.
    pub context_tokens: u32,
    /// Tokens the model was trained with.
    pub context_train_tokens: u32,
    /// Length of an embedding vector.
    pub embedding_dimension: u32,
    /// Number of tokens in the vocabulary.
    pub vocabulary_tokens: u32,
    /// The Jinja chat template (`tokenizer.chat_template`).
    pub chat_template: Option<String>,
    /// Spelling of the begin-of-sequence token, empty if there is none.
    pub bos_token: String,
    /// Spelling of the end-of-sequence token, empty if there is none.
    pub eos_token: String,
    /// The tokenizer itself adds the begin-of-sequence token.
    pub adds_bos: bool,
    /// Spellings of the tokens around prefix, suffix and middle of a text to fill.
    pub fill_tokens: Option<[String; 3]>,
    /// Spellings of all control tokens.
    pub control_tokens: Vec<String>,
    /// The devices found.
    pub devices: Vec<Device>,
    /// The CPU backend that ggml chose for this processor, such as `zen4` or `sapphirerapids`.
    pub cpu_variant: String,
    /// The processor's features that the chosen CPU backend uses, such as `AVX2 AVX512`.
    pub cpu_features: String,
    /// CPU threads per decode step.
    pub threads: u32,
    /// Layers on GPUs, the output counted as one.
    pub gpu_layers: u32,
    /// Memory in bytes that the model takes on GPUs, by estimate: weights, cache and buffers.
    pub gpu_memory_bytes: u64,
    /// llama.cpp's version, such as `0.6.0`.
    pub llama_version: String,
    /// llama.cpp's build number; 0 for a release's sources, which carry none.
    pub llama_build_number: i64,
    /// llama.cpp's commit, or ggml's version where the sources carry no commit.
    pub llama_commit: String,
    /// The engine was loaded to embed or to rank.
    pub embeds_only: bool,
    /// How pairs are put together, if it was loaded to rank.
    pub pair: Option<PairForm>,
    /// Prompts may hold pictures.
    pub takes_pictures: bool,
}

/// Counters and gauges since the engine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Sequences that hold a place in the batch now.
    pub active: u32,
    /// Requests that wait now.
    pub queued: u32,
    /// Prompt tokens computed.
    pub prompt_tokens: u64,
    /// Prompt tokens found computed in the cache.
    pub cached_tokens: u64,
    /// Requests that found at least a part of their prompt in the cache.
    pub cache_hits: u64,
    /// Tokens guessed ahead of the model.
    pub draft_tokens: u64,
    /// Guessed tokens that the model confirmed.
    pub draft_accepted: u64,
    /// Tokens sampled.
    pub generated_tokens: u64,
    /// Texts embedded, and pairs scored.
    pub embeddings: u64,
    /// Pictures, or parts of such, turned into what the model reads.
    pub pictures: u64,
    /// Milliseconds that this took; nothing else is computed meanwhile.
    pub picture_ms: u64,
    /// Decode steps.
    pub decode_steps: u64,
    /// Sequences cancelled before their end.
    pub cancelled: u64,
}
