//! From a config to a running engine. Every step that can fail does so with a reason, and leaves
//! nothing behind.

use std::sync::Arc;

use crate::config::{CONTEXT_TOKENS_DEFAULT_MAX, Tuning};
use crate::engine::{Inner, Progress};
use crate::ffi::{self, Adapters, Context, ContextPlan, Header, Model};
use crate::memory::{self, ContextBytes, Shape};
use crate::placement::{self, Needs, Placement};
use crate::{Device, DeviceKind, EngineConfig, EngineInfo, EngineKind, LoadError};

mod projector;
mod ranker;

const MEBIBYTE: u64 = 1 << 20;

const GENERATES_NOT: &str = "it does not generate text; load it as an embedding model";

const NO_VECTOR: &str = "it is no embedding model: it makes no vector for a text; a reranker is loaded \
                         with kind = \"rerank\"";

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
    let mut loader = Loader {
        config,
        tuning,
        threads: threads(config.threads),
        devices: ffi::devices(),
        placement: Placement::default(),
        available_bytes: memory::available_bytes(),
        projector_bytes: 0,
    };
    let header = loader.header(file_bytes)?;
    loader.projector_bytes = loader.projector_bytes()?;
    loader.place(&header)?;
    let model = Arc::new(Model::load(config, &loader.placement, &mut progress)?);
    loader.check_kind(&model)?;
    loader.check_ranks(&header, &model)?;
    let shape = loader.shape(&model)?;
    let context = memory::context_bytes(&model, config, &shape);
    let weights = model.sizes().bytes.saturating_add(loader.projector_bytes);
    loader.check_memory(weights.saturating_add(context.sum()))?;
    let context = loader.context(&model, &shape)?;
    let draft = loader.draft(&model, &shape)?;
    let projector = loader.projector(&model)?.map(Arc::new);
    let info = EngineInfo { takes_pictures: projector.is_some(), ..loader.info(&model, &shape) };
    let parts = crate::start::Parts { model, context, info, draft, projector };
    crate::start::start(config, tuning, parts)
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

struct Loader<'a> {
    config: &'a EngineConfig,
    tuning: &'a Tuning,
    threads: u32,
    devices: Vec<Device>,
    placement: Placement,
    available_bytes: Option<u64>,
    /// Bytes of the projector's tensors.
    projector_bytes: u64,
}

impl Loader<'_> {
    fn header(&self, found: u64) -> Result<Header, LoadError> {
        let path = &self.config.model_path;
        let header = Header::read(path)?;
        if header.file_bytes > found {
            let expected = header.file_bytes;
            return Err(LoadError::Truncated { path: path.clone(), expected, found });
        }
        Ok(header)
    }

    /// Decides what goes to GPUs, and refuses what fits neither them nor the machine.
    fn place(&mut self, header: &Header) -> Result<(), LoadError> {
        let gpus = placement::gpus(self.config, &self.devices)?;
        if !gpus.is_empty() {
            let sketch = Model::sketch(self.config)?;
            self.check_kind(&sketch)?;
            let context = memory::context_bytes(&sketch, self.config, &self.shape(&sketch)?);
            let mut needs = needs(header, context);
            needs.output = needs.output.saturating_add(self.projector_bytes);
            self.placement = self.placement_on(gpus, &needs)?;
        }
        self.check_memory(header.tensor_bytes.saturating_add(self.projector_bytes))
    }

    fn placement_on(&self, gpus: Vec<usize>, needs: &Needs) -> Result<Placement, LoadError> {
        let config = self.config;
        let rooms = placement::rooms(config, &self.devices, &gpus);
        let asked = config.gpu_layers.unwrap_or(u32::MAX);
        let layers = placement::fit(needs, &rooms, asked, config.gpu_partial)
            .map_err(|shortage| self.short_of(&shortage, &gpus))?;
        if layers == 0 {
            tracing::warn!("no layer of the model fits a GPU: the processor computes alone");
            return Ok(Placement::default());
        }
        let loads = placement::loads(needs, layers, &rooms);
        Ok(Placement { gpus, layers, main_gpu: config.main_gpu, loads })
    }

    fn short_of(&self, shortage: &placement::Shortage, gpus: &[usize]) -> LoadError {
        let load = &shortage.load;
        LoadError::NotEnoughGpuMemory {
            path: self.config.model_path.clone(),
            device: self.devices[gpus[shortage.gpu]].name.clone(),
            needed_mib: load.bytes() / MEBIBYTE,
            weights_mib: load.weights_bytes / MEBIBYTE,
            cache_mib: load.cache_bytes / MEBIBYTE,
            step_mib: load.step_bytes / MEBIBYTE,
            available_mib: shortage.free_bytes / MEBIBYTE,
            layers_fit: shortage.layers_fit,
        }
    }

    /// What the machine's own memory must hold of `needed`: all but what lies on GPUs with memory of
    /// their own.
    fn check_memory(&self, needed: u64) -> Result<(), LoadError> {
        let needed = needed.saturating_sub(self.elsewhere_bytes());
        match self.available_bytes {
            Some(available) if needed > available => Err(LoadError::NotEnoughMemory {
                path: self.config.model_path.clone(),
                needed_mib: needed / MEBIBYTE,
                available_mib: available / MEBIBYTE,
            }),
            _ => Ok(()),
        }
    }

    fn elsewhere_bytes(&self) -> u64 {
        let parts = self.placement.gpus.iter().zip(&self.placement.loads);
        let own = parts.filter(|(gpu, _)| self.devices[**gpu].kind == DeviceKind::Gpu);
        own.map(|(_, load)| load.bytes()).sum()
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
        let ends = model.has_learned_places() || self.config.kind != EngineKind::Generate;
        if context_tokens > trained && ends {
            return Err(LoadError::Config(format!(
                "context_tokens is {context_tokens}; the model knows no place after {trained}"
            )));
        }
        let batch_tokens = match self.config.kind {
            EngineKind::Generate => self.config.batch_tokens,
            // A text is computed whole: the step must hold the longest.
            EngineKind::Embed | EngineKind::Rank => self.config.batch_tokens.max(context_tokens),
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
                return Err(self.refuse(NO_VECTOR));
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
        // What the large model took is not free any more.
        let (devices, placement) = (ffi::devices(), Placement::default());
        let mut loader = Loader {
            config: &config,
            tuning: self.tuning,
            threads: self.threads,
            devices,
            placement,
            available_bytes: memory::available_bytes(),
            projector_bytes: 0,
        };
        let header = loader.header(crate::file::check(&config.model_path)?)?;
        loader.place(&header)?;
        let draft = Arc::new(Model::load(&config, &loader.placement, &mut |_| true)?);
        loader.check_kind(&draft)?;
        if draft.is_recurrent() {
            return Err(loader.refuse("a draft model must be able to take back what it read"));
        }
        if !draft.has_vocabulary_of(model) {
            return Err(loader.refuse("a draft model must have the vocabulary of its model"));
        }
        let context = memory::context_bytes(&draft, &config, shape);
        loader.check_memory(draft.sizes().bytes.saturating_add(context.sum()))?;
        loader.context(&draft, shape).map(Some)
    }

    fn refuse(&self, reason: &str) -> LoadError {
        LoadError::Refused { path: self.config.model_path.clone(), reason: reason.to_owned() }
    }

    /// The devices, with what the model takes on each.
    fn devices(&self) -> Vec<Device> {
        let mut devices = self.devices.clone();
        for (gpu, load) in self.placement.gpus.iter().zip(&self.placement.loads) {
            devices[*gpu].layers = load.layers;
            devices[*gpu].memory_used_bytes = load.bytes();
        }
        devices
    }

    fn info(&self, model: &Model, shape: &Shape) -> EngineInfo {
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
            devices: self.devices(),
            cpu_variant: crate::backends::cpu_variant(),
            cpu_features: ffi::cpu_features(),
            threads: self.threads,
            gpu_layers: self.placement.layers,
            gpu_memory_bytes: self.placement.loads.iter().map(placement::Load::bytes).sum(),
            llama_version: ffi::llama_version(),
            llama_build_number: 0,
            llama_commit: ffi::llama_commit(),
            embeds_only: self.config.kind != EngineKind::Generate,
            pair: (self.config.kind == EngineKind::Rank).then(|| ranker::pair_form(model)),
            takes_pictures: false,
        }
    }
}

fn needs(header: &Header, context: ContextBytes) -> Needs {
    let count = u64::try_from(header.layers.len()).unwrap_or(u64::MAX).max(1);
    Needs {
        layers: header.layers.clone(),
        output: header.output_bytes,
        cache_per_layer: context.cache / count,
        step: context.step,
    }
}
