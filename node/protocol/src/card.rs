//! What a loaded model is, as the worker reports it.

use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Generates text.
    Chat,
    /// Turns text into vectors.
    Embedding,
    /// Scores how well documents answer a query.
    Rerank,
}

/// One device that ggml found, and whether the model uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// ggml's name, such as `CPU` or `CUDA0`.
    pub name: String,
    /// What the device says it is.
    pub description: String,
    /// Free memory in bytes at load time.
    pub memory_free_bytes: u64,
    /// All memory in bytes.
    pub memory_total_bytes: u64,
    /// The model's layers there, the output counted as one; 0 for the processor.
    #[serde(default)]
    pub layers: u32,
    /// Memory in bytes that the model takes there, by estimate; 0 for the processor.
    #[serde(default)]
    pub memory_used_bytes: u64,
}

/// A loaded model: facts read from its GGUF and from the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The name under which requests ask for it.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// `general.architecture`, such as `llama` or `bert`.
    pub architecture: String,
    /// llama.cpp's one-line description: architecture, size, quantization.
    pub description: String,
    /// Bytes of all tensors.
    pub size_bytes: u64,
    /// Number of parameters.
    pub parameters: u64,
    /// Tokens one request may hold, prompt and answer together; 0 where another server doesn't tell.
    pub context_tokens: u32,
    /// Tokens the model was trained with.
    pub context_train_tokens: u32,
    /// Length of an embedding vector.
    pub embedding_dimension: u32,
    /// Number of tokens in the vocabulary.
    pub vocabulary_tokens: u32,
    /// Requests that compute at once.
    pub sequences_max: u32,
    /// Requests that may wait for a sequence.
    pub queue_max: u32,
    /// CPU threads per decode step.
    pub threads: u32,
    /// Layers on GPUs, the output counted as one.
    pub gpu_layers: u32,
    /// Memory in bytes that the model takes on GPUs, by estimate.
    #[serde(default)]
    pub gpu_memory_bytes: u64,
    /// The devices found.
    pub devices: Vec<Device>,
    /// llama.cpp's build number and commit, as the WASI-NN metadata reports them.
    pub llama_build: String,
    /// Its prompts may hold pictures.
    #[serde(default)]
    pub takes_pictures: bool,
    /// Tokens that one picture takes at most, if the config says so.
    #[serde(default)]
    pub picture_tokens_max: Option<u32>,
    /// What the guest is told.
    pub guest: GuestModel,
}

/// What a guest is told about its model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuestModel {
    /// The name under which requests ask for it; `load_by_name` takes it too.
    pub name: String,
    /// Tokens one request may hold, prompt and answer together.
    pub context_tokens: u32,
    /// The GGUF's Jinja chat template (`tokenizer.chat_template`).
    pub chat_template: Option<String>,
    /// Spelling of the begin-of-sequence token, empty if there is none.
    pub bos_token: String,
    /// Spelling of the end-of-sequence token, empty if there is none.
    pub eos_token: String,
    /// The tokenizer itself adds the begin-of-sequence token.
    pub adds_bos: bool,
    /// Spellings of the tokens around prefix, suffix and middle of a text to fill, if it has them.
    #[serde(default)]
    pub fill_tokens: Option<[String; 3]>,
    /// Spellings of all control tokens: what no user text may turn into.
    pub control_tokens: Vec<String>,
    /// How a query and a document are put together, if it is a reranker.
    #[serde(default)]
    pub pair: Option<PairForm>,
}

/// How a reranker reads a query and a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairForm {
    /// Tokens before the query.
    pub before: Vec<u32>,
    /// Tokens between the query and the document.
    pub between: Vec<u32>,
    /// Tokens behind the document.
    pub after: Vec<u32>,
    /// A text with `{query}` and `{document}` that takes the place of all that.
    pub template: Option<String>,
    /// The model's number is a probability already, and no logit.
    pub gives_probability: bool,
}
