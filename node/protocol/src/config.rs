//! What a worker is told to load: the first frame on its socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ModelKind;

/// Everything one worker needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// The model.
    pub model: ModelConfig,
    /// The wasm app that serves it.
    pub app: AppConfig,
}

/// Whether attention runs as one fused kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlashAttention {
    /// llama.cpp decides by device and model.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Element type of the key or value cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheType {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    #[default]
    F16,
    /// 8-bit blocks.
    Q8_0,
    /// 4-bit blocks.
    Q4_0,
}

/// How a model is spread over several GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitMode {
    /// One GPU.
    None,
    /// Whole layers.
    #[default]
    Layer,
    /// Rows of each tensor.
    Row,
}

/// One model and how its engine runs. `None` means that the engine chooses, by what it finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The name under which requests ask for it.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// The GGUF file.
    pub path: PathBuf,
    /// Tokens one request may hold; `None`: what the model was trained with, at most 4096.
    pub context_tokens: Option<u32>,
    /// Requests that compute at once.
    pub sequences_max: u32,
    /// Requests that may wait for a sequence.
    pub queue_max: u32,
    /// Tokens per decode step, over all sequences.
    pub batch_tokens: u32,
    /// Tokens the engine runs ahead of the guest, per sequence.
    pub run_ahead_tokens: u32,
    /// CPU threads; `None`: the cores this process may use.
    pub threads: Option<u32>,
    /// Layers on the GPU; `None`: all where there is a GPU.
    pub gpu_layers: Option<u32>,
    /// The GPU for `split_mode = none` and for small tensors.
    pub main_gpu: u32,
    /// How several GPUs share the model.
    pub split_mode: SplitMode,
    /// Share of each GPU; empty: by free memory.
    pub tensor_split: Vec<f32>,
    /// Map the file instead of reading it.
    pub use_mmap: bool,
    /// Fused attention.
    pub flash_attention: FlashAttention,
    /// Element type of the key cache.
    pub cache_type_k: CacheType,
    /// Element type of the value cache.
    pub cache_type_v: CacheType,
    /// Adapters that change the model's weights while it computes.
    #[serde(default)]
    pub loras: Vec<LoraConfig>,
    /// The projector that lets the model read pictures.
    #[serde(default)]
    pub mmproj_path: Option<PathBuf>,
    /// Tokens that it makes of a picture at most, where it makes more of a larger one; `None`: its own
    /// limit.
    #[serde(default)]
    pub picture_tokens_max: Option<u32>,
    /// Guess next tokens from the prompt and check them in one step, where it pays.
    pub prompt_lookup: bool,
    /// A small model with the same vocabulary that guesses next tokens.
    pub draft_path: Option<PathBuf>,
    /// Forget the middle of a full context and go on, instead of ending the answer.
    pub context_shift: bool,
    /// Where the layers asked for do not fit the GPU, put there what fits instead of refusing.
    pub gpu_partial: bool,
    /// Folder of the loadable ggml backends; `None`: beside the binary, else where they were built.
    pub backends_dir: Option<PathBuf>,
}

/// A LoRA adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// The adapter's GGUF file.
    pub path: PathBuf,
    /// How strongly it counts; 1 as it was trained.
    #[serde(default = "whole")]
    pub scale: f32,
}

fn whole() -> f32 {
    1.0
}

/// One wasm app and its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// The wasm file.
    pub path: PathBuf,
    /// Folder for modules compiled ahead of time.
    pub cache_dir: PathBuf,
    /// Instances kept ready for the next request.
    pub instances_warm: u32,
    /// Requests that may run instances at once; a further one is refused.
    pub instances_max: u32,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes_max: u64,
    /// Wall-clock time of one request, in milliseconds.
    pub time_ms_max: u64,
    /// WebAssembly instructions of one request; `None`: not counted (counting slows a guest down).
    pub instructions_max: Option<u64>,
    /// Size of one emitted event, in bytes.
    pub event_bytes_max: u32,
    /// Events that may be on their way to the host unread, per request.
    pub window_events: u32,
}
