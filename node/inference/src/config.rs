//! What to load and how to run it.

use std::path::PathBuf;

/// What an engine does with its model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// Generates text.
    #[default]
    Generate,
    /// Turns texts into vectors.
    Embed,
    /// Scores how well a document answers a query.
    Rank,
}

/// Whether attention runs as one fused kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

impl CacheType {
    /// Bytes of one element; the block types carry a 16-bit scale per 32 elements.
    #[must_use]
    pub fn bytes(self) -> f64 {
        match self {
            Self::F32 => 4.0,
            Self::F16 => 2.0,
            Self::Q8_0 => 34.0 / 32.0,
            Self::Q4_0 => 18.0 / 32.0,
        }
    }
}

/// How a model is spread over several GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SplitMode {
    /// One GPU.
    None,
    /// Whole layers.
    #[default]
    Layer,
    /// Rows of each tensor.
    Row,
}

/// A LoRA adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    /// Its GGUF file.
    pub path: PathBuf,
    /// How strongly it counts; 1 as it was trained.
    pub scale: f32,
}

/// One model and how its engine runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The GGUF file.
    pub model_path: PathBuf,
    /// What the engine is for.
    pub kind: EngineKind,
    /// Tokens one sequence may hold, at least 2; `None`: what the model was trained with, at most
    /// [`CONTEXT_TOKENS_DEFAULT_MAX`].
    pub context_tokens: Option<u32>,
    /// Sequences that compute at once, 1 to [`SEQUENCES_LIMIT`]. Memory for the context of each is
    /// taken at the start.
    pub sequences_max: u32,
    /// Requests that may wait; one more is refused. For embeddings and scores, texts are counted, and
    /// [`TEXTS_PER_REQUEST`] of them stand for a request.
    pub queue_max: u32,
    /// Tokens per decode step, over all sequences; at least `sequences_max`, at most
    /// [`BATCH_TOKENS_LIMIT`].
    pub batch_tokens: u32,
    /// Tokens a sequence is computed ahead of its reader, 1 to [`RUN_AHEAD_TOKENS_LIMIT`]. With
    /// readers that only count, 1 gave 72.9 tokens per second, 8 gave 76.0 and 32 gave 74.8.
    pub run_ahead_tokens: u32,
    /// CPU threads; `None`: the cores this process may use. Never more than those, and fewer while
    /// other processes are seen to need a core.
    pub threads: Option<u32>,
    /// Layers on GPUs, the last ones, the output counted as one; `None`: all where there is a GPU
    /// that is not made of software.
    pub gpu_layers: Option<u32>,
    /// Where these do not fit, put there what fits instead of refusing.
    pub gpu_partial: bool,
    /// The GPU for [`SplitMode::None`], counted from 0.
    pub main_gpu: u32,
    /// How several GPUs share the model.
    pub split_mode: SplitMode,
    /// Share of each GPU, one number for each; empty: by free memory.
    pub tensor_split: Vec<f32>,
    /// Map the file instead of reading it.
    pub use_mmap: bool,
    /// Fused attention.
    pub flash_attention: FlashAttention,
    /// Element type of the key cache.
    pub cache_type_k: CacheType,
    /// Element type of the value cache.
    pub cache_type_v: CacheType,
    /// Adapters that change the weights while the model computes.
    pub loras: Vec<Lora>,
    /// The projector that lets the model read pictures.
    pub mmproj_path: Option<PathBuf>,
    /// Tokens that it makes of a picture at most, where it makes more of a larger one; `None`: its own
    /// limit.
    pub picture_tokens_max: Option<u32>,
    /// Guess next tokens from the text so far and check them in one step, where it pays.
    pub prompt_lookup: bool,
    /// A small model with the same vocabulary that guesses next tokens.
    pub draft_path: Option<PathBuf>,
    /// A full context forgets its older half and goes on.
    pub context_shift: bool,
    /// Folder of the loadable ggml backends; `None`: `../lib/ggml` from the binary, else where they
    /// were built. The first engine of a process loads them for all.
    pub backends_dir: Option<PathBuf>,
}

/// Sequences that llama.cpp can hold in one context (`LLAMA_MAX_SEQ`).
pub const SEQUENCES_LIMIT: u32 = 256;

/// Tokens of a step that no machine computes in a bearable time.
pub const BATCH_TOKENS_LIMIT: u32 = 65_536;

/// Run-ahead beyond this is work for a reader that may never come.
pub const RUN_AHEAD_TOKENS_LIMIT: u32 = 4096;

/// Texts that count as one request when they wait to be embedded: one call may bring hundreds.
pub const TEXTS_PER_REQUEST: u32 = 1024;

/// The context of a sequence where the config names none: models of today are trained with far more
/// than a small machine has memory for.
pub const CONTEXT_TOKENS_DEFAULT_MAX: u32 = 4096;

impl EngineConfig {
    /// The defaults for a model file.
    #[must_use]
    pub fn new(model_path: impl Into<PathBuf>, kind: EngineKind) -> Self {
        Self {
            model_path: model_path.into(),
            kind,
            context_tokens: None,
            sequences_max: 16,
            queue_max: 64,
            batch_tokens: 512,
            run_ahead_tokens: 8,
            threads: None,
            gpu_layers: None,
            gpu_partial: false,
            main_gpu: 0,
            split_mode: SplitMode::default(),
            tensor_split: vec![],
            use_mmap: true,
            flash_attention: FlashAttention::default(),
            cache_type_k: CacheType::default(),
            cache_type_v: CacheType::default(),
            loras: vec![],
            mmproj_path: None,
            picture_tokens_max: None,
            prompt_lookup: true,
            draft_path: None,
            context_shift: false,
            backends_dir: None,
        }
    }
}

impl EngineConfig {
    /// What is wrong with the settings, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        let ranges = [
            ("sequences_max", self.sequences_max, 1..=SEQUENCES_LIMIT),
            ("batch_tokens", self.batch_tokens, self.sequences_max..=BATCH_TOKENS_LIMIT),
            ("run_ahead_tokens", self.run_ahead_tokens, 1..=RUN_AHEAD_TOKENS_LIMIT),
            ("queue_max", self.queue_max, 0..=QUEUE_LIMIT),
            ("context_tokens", self.context_tokens.unwrap_or(2), 2..=CONTEXT_TOKENS_LIMIT),
            ("threads", self.threads.unwrap_or(1), 1..=THREADS_LIMIT),
            ("picture_tokens_max", self.picture_tokens_max.unwrap_or(1), 1..=PICTURE_TOKENS_LIMIT),
        ];
        if self.mmproj_path.is_some() && self.kind != EngineKind::Generate {
            return Some("mmproj_path is for models that generate text".into());
        }
        if self.draft_path.is_some() && self.kind != EngineKind::Generate {
            return Some("draft_path is for models that generate text".into());
        }
        if self.loras.iter().any(|lora| !lora.scale.is_finite()) {
            return Some("a scale of loras is no number".into());
        }
        let outside = ranges.into_iter().find(|(_, value, range)| !range.contains(value));
        outside.map(|(name, value, range)| {
            let (start, end) = range.into_inner();
            format!("{name} is {value}; it must be {start} to {end}")
        })
    }
}

/// Waiting requests hold their prompts in memory.
const QUEUE_LIMIT: u32 = 1 << 16;

/// Above the contexts of today's largest models.
const CONTEXT_TOKENS_LIMIT: u32 = 1 << 24;

/// A projector that takes more would take minutes for it; and its pixels are counted in 32 bits.
const PICTURE_TOKENS_LIMIT: u32 = 1 << 16;

/// `GGML_MAX_N_THREADS`.
const THREADS_LIMIT: u32 = 512;

/// Settings that measurements chose. They are here to be measured again, not to be configured.
///
/// Measured with `examples/throughput` on a Zen 4 core, SmolLM2-135M Q4_1, 78 prompt and 64 answer
/// tokens, one thread on a machine that others used too; processor seconds are the ones to believe.
///
/// | 16 streams, two rounds | flash attention off | on |
/// |---|---|---|
/// | one cache each | 29.7 s | 27.4 s |
/// | one cache for all | 35.5 s | 29.6 s |
///
/// llama.cpp's automatic choice is flash attention on (27.6 s), and is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long a thread spins between steps before it sleeps, 0 to 100 (ggml's scale). 0: what it
    /// would spin belongs to the readers. Two threads alone on two cores gave 97.8 and 144.8 tokens
    /// per second at 1 and 16 streams, and 97.9 and 139.4 at level 50. Inside a step threads always spin; see the module `pace`.
    pub poll_level: u32,
    /// One cache for all sequences instead of one for each.
    pub kv_unified: bool,
    /// Prompt tokens of a step that also carries streams. More delays every stream, less delays the
    /// prompts. 16 prompts at once, tokens per second and milliseconds to the first token (median,
    /// last): 32: 72.7, 4610, 8929; 64: 73.6, 4201, 7875; 128: 74.2, 4005, 7280; 256: 76.0, 4581,
    /// 6850; 512: 75.7, 5900, 6797.
    pub prompt_tokens_beside_streams: u32,
    /// Percent of the time of a step of one token that each further token takes; it decides whether
    /// guesses pay. `None`: it is measured when the engine starts.
    pub guess_percent: Option<u8>,
}

impl Default for Tuning {
    fn default() -> Self {
        let guess_percent = None;
        Self { poll_level: 0, kv_unified: false, prompt_tokens_beside_streams: 128, guess_percent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> EngineConfig {
        EngineConfig::new("model.gguf", EngineKind::Generate)
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_range() {
        let config = EngineConfig { sequences_max: 257, ..config() };
        let fault = config.fault().expect("257 is too many");
        assert_eq!(fault, "sequences_max is 257; it must be 1 to 256");
    }

    #[test]
    fn each_range_is_checked() {
        let refused = [
            ("sequences_max", EngineConfig { sequences_max: 0, ..config() }),
            ("batch_tokens", EngineConfig { batch_tokens: 15, ..config() }),
            ("batch_tokens", EngineConfig { batch_tokens: 65_537, ..config() }),
            ("run_ahead_tokens", EngineConfig { run_ahead_tokens: 0, ..config() }),
            ("queue_max", EngineConfig { queue_max: u32::MAX, ..config() }),
            ("context_tokens", EngineConfig { context_tokens: Some(1), ..config() }),
            ("threads", EngineConfig { threads: Some(0), ..config() }),
            ("picture_tokens_max", EngineConfig { picture_tokens_max: Some(0), ..config() }),
            (
                "draft_path",
                EngineConfig {
                    kind: EngineKind::Rank,
                    draft_path: Some("d.gguf".into()),
                    ..config()
                },
            ),
        ];
        for (name, config) in refused {
            let fault = config.fault().expect("the setting is out of its range");
            assert!(fault.starts_with(name), "{fault}");
        }
    }

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(config().fault(), None);
    }
}
