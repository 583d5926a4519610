//! What can go wrong, named for what the caller can do.

use std::path::PathBuf;

/// A model that can't be loaded. The message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The path leads nowhere, or to what can't be read.
    #[error("{path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The file is something else.
    #[error("{path} is not a GGUF file: {reason}", path = path.display())]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// It starts like a GGUF file, but its header can't be read to its end: fetch it again.
    #[error("the header of {path} is damaged or cut off: {reason}; fetch it again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// llama.cpp's words.
        reason: String,
    },
    /// The file ends too early: fetch it again.
    #[error("{path} is truncated: it holds {found} bytes and its tensors need {expected}; fetch it again", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The model does not fit into memory.
    #[error("{path} needs about {needed_mib} MiB and {available_mib} MiB are free; choose a smaller model, context_tokens or sequences_max", path = path.display())]
    NotEnoughMemory {
        /// The file.
        path: PathBuf,
        /// Weights, cache and buffers.
        needed_mib: u64,
        /// What the machine, or this process's control group, has left.
        available_mib: u64,
    },
    /// The layers asked for do not fit a GPU.
    #[error("{path} needs about {needed_mib} MiB on {device} ({weights_mib} of weights, {cache_mib} of cache, {step_mib} for a step) and {available_mib} MiB are free there; set gpu_layers to {layers_fit} or less, or gpu_partial = true, or choose a smaller context_tokens or sequences_max", path = path.display())]
    NotEnoughGpuMemory {
        /// The file.
        path: PathBuf,
        /// The GPU, by ggml's name.
        device: String,
        /// All that it would hold.
        needed_mib: u64,
        /// Of these, weights.
        weights_mib: u64,
        /// Of these, keys and values.
        cache_mib: u64,
        /// Of these, buffers of a step.
        step_mib: u64,
        /// What the GPU has left.
        available_mib: u64,
        /// Layers that would fit.
        layers_fit: u32,
    },
    /// The projector can't be loaded, or is another model's.
    #[error("mmproj_path: {0}")]
    Projector(Box<LoadError>),
    /// A setting is out of its range.
    #[error("{0}")]
    Config(String),
    /// No ggml backend can compute on this machine's processor.
    #[error("no ggml CPU backend in {dir}: run scripts/setup", dir = dir.display())]
    NoBackend {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// llama.cpp refuses the model.
    #[error("{path} can't be loaded: {reason}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// llama.cpp's last words.
        reason: String,
    },
    /// The progress callback said no.
    #[error("loading was cancelled")]
    Cancelled,
}

/// A text that can't be tokenized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizeError {
    /// No text of this length fits the context.
    #[error("the text has {bytes} bytes; the context can't hold a text above {limit} bytes")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Bytes that a text may have.
        limit: usize,
    },
    /// llama.cpp refused it.
    #[error("the tokenizer failed on a text of {0} bytes")]
    Failed(usize),
}

/// A picture that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// It was loaded without a projector.
    #[error("the model takes no pictures")]
    Blind,
    /// Three bytes make a pixel.
    #[error("a picture of {width} × {height} pixels does not have {bytes} bytes")]
    Size {
        /// Pixels of a line.
        width: u32,
        /// Lines.
        height: u32,
        /// What there is.
        bytes: usize,
    },
    /// The projector can't read it.
    #[error("the projector can't read the picture: {0}")]
    Refused(String),
    /// The model must read all of it in one step.
    #[error("the picture takes {rows} tokens in one step; set batch_tokens to at least that")]
    TooManyRows {
        /// What it takes.
        rows: usize,
    },
}

/// A request that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// All sequences compute and all waiting places are taken: try again later.
    #[error("all sequences are busy and {limit} requests wait already")]
    QueueFull {
        /// Places to wait.
        limit: u32,
    },
    /// Prompt and one token of answer don't fit the context.
    #[error("the prompt has {tokens} tokens; the context holds {limit}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens a prompt may have.
        limit: usize,
    },
    /// There is nothing to compute.
    #[error("the prompt has no tokens")]
    EmptyPrompt,
    /// A token is not in the vocabulary.
    #[error("token {0} is not in the vocabulary")]
    BadToken(i32),
    /// The model does the other thing.
    #[error("the model {0}")]
    WrongKind(&'static str),
    /// A sampling number is out of its range.
    #[error("{0}")]
    BadOptions(&'static str),
    /// The schema or grammar can't be obeyed.
    #[error("{0}")]
    BadConstraint(String),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// A computation that broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// llama.cpp could not compute the step.
    #[error("llama.cpp failed to decode (code {0})")]
    Decode(i32),
    /// The model's numbers are not finite: its file is damaged, or its arithmetic overflowed.
    #[error("the model computed what is no number")]
    NotFinite,
    /// The projector could not compute.
    #[error("llama.cpp failed to encode a picture")]
    Picture,
    /// The schema or grammar became too hard on the way.
    #[error("the grammar could not be followed: {0}")]
    Constraint(String),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}
