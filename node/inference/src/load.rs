//! From a config to a running engine. Every step that can fail does so with a reason, and leaves
//! nothing behind.

use std::sync::Arc;

use crate::config::{CONTEXT_TOKENS_DEFAULT_MAX, Tuning};
use crate::engine::{Inner, Progress};
use crate::ffi::{self, Adapters, Context, ContextPlan, Header, Model};
use crate::memory::{self, Shape};
use crate::{Device, EngineConfig, EngineInfo, EngineKind, LoadError};

const MEBIBYTE: u64 = 1 << 20;

const GENERATES_NOT: &str = "it does not generate text; load it as an embedding model";

/// Loads a model and starts its thread.
pub(crate) fn load(
    config: &EngineConfig,
    tuning: &Tuning,
    mut progress: Progress,
) -> Result<Inner, LoadError> {
    if let Some(fault) = config.fault() {
        return Err(LoadError::Config(fault));
    }
    ffi::install_log();
    let file_bytes = crate::file::check(&config.model_path)?;
    ffi::load_backends(&crate::backends::folder(config))?;
    let devices = ffi::devices();
    let loader = Loader {
        config,
        tuning,
        threads: threads(config.threads),
        gpu_layers: gpu_layers(config, &devices),
        available_bytes: memory::available_bytes(),
    };
    loader.check_header(file_bytes)?;
    let model = Arc::new(Model::load(config, loader.gpu_layers, &mut progress)?);
    loader.check_kind(&model)?;
    let shape = loader.shape(&model)?;
    loader.check_memory(memory::context_bytes(&model, config, &shape) + model.sizes().bytes)?;
    let context = loader.context(&model, &shape)?;
    let draft = loader.draft(&model, &shape)?;
    let info = loader.info(&model, &shape, devices);
    crate::start::start(config, tuning, crate::start::Parts { model, context, info, draft })
}

/// CPU threads: no more than the cores that affinity and control group leave to this process. With
/// more, each waits for the others at every one of a step's hundreds of barriers.
fn threads(wanted: Option<u32>) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let wanted = wanted.unwrap_or(cores);
    if wanted > cores {
        tracing::warn!(wanted, cores, "threads are limited to the cores of this process");
    }
    wanted.min(cores)
}

fn gpu_layers(config: &EngineConfig, devices: &[Device]) -> u32 {
    let has_gpu = devices.iter().any(|device| device.is_gpu);
    if has_gpu { config.gpu_layers.unwrap_or(u32::MAX) } else { 0 }
}

struct Loader<'a> {
    config: &'a EngineConfig,
    tuning: &'a Tuning,
    threads: u32,
    gpu_layers: u32,
    available_bytes: Option<u64>,
}

impl Loader<'_> {
    fn check_header(&self, found: u64) -> Result<(), LoadError> {
        let path = &self.config.model_path;
        let header = Header::read(path)?;
        if header.file_bytes > found {
            let expected = header.file_bytes;
            return Err(LoadError::Truncated { path: path.clone(), expected, found });
        }
        self.check_memory(header.tensor_bytes)
    }

    /// Devices check their own memory: what is checked here is that of a model without one.
    fn check_memory(&self, needed: u64) -> Result<(), LoadError> {
        match self.available_bytes {
            Some(available) if self.gpu_layers == 0 && needed > available => {
                Err(LoadError::NotEnoughMemory {
                    path: self.config.model_path.clone(),
                    needed_mib: needed / MEBIBYTE,
                    available_mib: available / MEBIBYTE,
                })
            }
            _ => Ok(()),
        }
    }

    fn check_kind(&self, model: &Model) -> Result<(), LoadError> {
        if self.config.kind == EngineKind::Generate && !model.generates() {
            return Err(self.refuse(GENERATES_NOT));
        }
        Ok(())
    }

    fn shape(&self, model: &Model) -> Result<Shape, LoadError> {
        let trained = model.sizes().context_train_tokens;
        let default = trained.clamp(2, CONTEXT_TOKENS_DEFAULT_MAX);
        let context_tokens = self.config.context_tokens.unwrap_or(default);
        // llama.cpp calls encoders with learned places rotary too, and dies at a place too far.
        let ends = model.has_learned_places() || self.config.kind == EngineKind::Embed;
        if context_tokens > trained && ends {
            return Err(LoadError::Config(format!(
                "context_tokens is {context_tokens}; the model knows no place after {trained}"
            )));
        }
        let batch_tokens = match self.config.kind {
            EngineKind::Generate => self.config.batch_tokens,
            // A text is computed whole: the step must hold the longest.
            EngineKind::Embed => self.config.batch_tokens.max(context_tokens),
        };
        Ok(Shape { sequences_max: self.config.sequences_max, context_tokens, batch_tokens })
    }

    /// The context, warmed up.
    fn context(&self, model: &Arc<Model>, shape: &Shape) -> Result<Context, LoadError> {
        let plan = ContextPlan {
            config: self.config,
            tuning: self.tuning,
            sequences_max: shape.sequences_max,
            context_tokens: shape.context_tokens,
            batch_tokens: shape.batch_tokens,
            threads: self.threads,
        };
        let mut adapters = Adapters::load(model, &self.config.loras)?;
        ffi::take_errors();
        let context = Context::new(Arc::clone(model), &plan);
        let mut context = context.ok_or_else(|| self.refuse(&ffi::take_errors()))?;
        if !adapters.attach(&mut context) {
            return Err(self.refuse("llama.cpp does not take its adapters (loras)"));
        }
        if context.sequence_tokens() < shape.context_tokens {
            return Err(self.refuse("llama.cpp made a smaller context than was asked for"));
        }
        match self.config.kind {
            EngineKind::Generate if !context.has_memory() => {
                return Err(self.refuse(GENERATES_NOT));
            }
            EngineKind::Embed if !context.pools() => {
                return Err(self.refuse("it is no embedding model: it makes no vector for a text"));
            }
            _ => {}
        }
        context.warm_up().map_err(|code| {
            self.refuse(&format!("the first step failed with code {code} {}", ffi::take_errors()))
        })?;
        Ok(context)
    }

    /// The context of the draft model, if the config names one.
    fn draft(&self, model: &Model, shape: &Shape) -> Result<Option<Context>, LoadError> {
        let Some(path) = self.config.draft_path.clone() else { return Ok(None) };
        let config = EngineConfig { loras: vec![], ..self.config.clone() };
        let config = EngineConfig { model_path: path, draft_path: None, ..config };
        let loader = Loader { config: &config, ..*self };
        loader.check_header(crate::file::check(&config.model_path)?)?;
        let draft = Arc::new(Model::load(&config, self.gpu_layers, &mut |_| true)?);
        loader.check_kind(&draft)?;
        if draft.is_recurrent() {
            return Err(loader.refuse("a draft model must be able to take back what it read"));
        }
        if !draft.has_vocabulary_of(model) {
            return Err(loader.refuse("a draft model must have the vocabulary of its model"));
        }
        let needed = memory::context_bytes(&draft, &config, shape) + draft.sizes().bytes;
        loader.check_memory(needed)?;
        loader.context(&draft, shape).map(Some)
    }

    fn refuse(&self, reason: &str) -> LoadError {
        LoadError::Refused { path: self.config.model_path.clone(), reason: reason.to_owned() }
    }

    fn info(&self, model: &Model, shape: &Shape, devices: Vec<Device>) -> EngineInfo {
        let sizes = model.sizes();
        let text = |key: &str| model.metadata(key).unwrap_or_default();
        EngineInfo {
            name: text("general.name"),
            architecture: text("general.architecture"),
            description: model.description(),
            size_bytes: sizes.bytes,
            parameters: sizes.parameters,
            context_tokens: shape.context_tokens,
            context_train_tokens: sizes.context_train_tokens,
            embedding_dimension: sizes.embedding_dimension,
            vocabulary_tokens: model.vocabulary_tokens(),
            chat_template: model.chat_template(),
            bos_token: model.bos_token(),
            eos_token: model.eos_token(),
            adds_bos: model.adds_bos(),
            fill_tokens: model.fill_tokens(),
            control_tokens: model.control_tokens(),
            devices,
            cpu_variant: crate::backends::cpu_variant(),
            cpu_features: ffi::cpu_features(),
            threads: self.threads,
            // The output layer counts as one.
            gpu_layers: self.gpu_layers.min(sizes.layers + 1),
            llama_version: ffi::llama_version(),
            llama_build_number: 0,
            llama_commit: ffi::llama_commit(),
            embeds_only: self.config.kind == EngineKind::Embed,
        }
    }
}
