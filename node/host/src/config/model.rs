//! `[[models]]`: one model, the app that serves it, and the limits of both, and when it is in memory.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use gaia_core::knowledge::Plan;
use gaia_protocol::{AppConfig, ModelConfig, ModelKind, WorkerConfig};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::knowledge::read_plan;
use super::paths::Places;
use super::reader::{Problem, Reader};

const NAME_ADVICE: &str = "use 1 to 128 letters, digits, '.', '_', '-', ':' or '/'";

/// Smallest event that carries a whole vector of a large embedding model.
const EMBEDDING_EVENT_BYTES_MIN: u32 = 64 << 10;

/// More names of one model are a mistake.
const ALIASES_MAX: usize = 32;

/// A model that nobody asks for in thirty days is not idle but forgotten.
const IDLE_S: RangeInclusive<u64> = 1..=2_592_000;

/// One `[[models]]`: the model, its app, and when it is in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedConfig {
    /// The model, for its worker.
    pub model: ModelConfig,
    /// The app, for its worker.
    pub app: AppConfig,
    /// Other names for requests.
    pub aliases: Vec<String>,
    /// When it is loaded.
    pub load: LoadWhen,
    /// Without requests for so long, its worker is ended until the next request.
    pub idle_unload: Option<Duration>,
    /// Time that whoever waits for its loading waits at most.
    pub load_timeout: Duration,
    /// What it knows before it answers, if a request says nothing else.
    pub knowledge: Option<Plan>,
    /// The keys as they were written; a swap changes some of them.
    pub table: Table,
}

/// When a model is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadWhen {
    /// With the node.
    #[default]
    Start,
    /// By the first request.
    Demand,
}

impl ServedConfig {
    /// Reads the table that stands at `key` (empty for one that came alone); problems are noted.
    /// `None`: it has no name, kind, path or app.
    pub fn read(
        key: &str,
        table: Table,
        places: &Places,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let mut reader = Reader::new(key, table.clone(), problems);
        let worker = read_worker(&mut reader, places);
        let idle_unload_s = reader.optional_within("idle_unload_s", IDLE_S);
        let load = reader.value("load", LoadWhen::default());
        let load_timeout = Duration::from_millis(reader.time("load_timeout_ms", 120_000));
        let aliases = read_aliases(&mut reader);
        let knowledge: Option<Table> = reader.optional("knowledge");
        reader.finish();
        let knowledge = knowledge.map(|table| {
            let key =
                if key.is_empty() { "knowledge".to_owned() } else { format!("{key}.knowledge") };
            read_plan(&key, table, problems)
        });
        let WorkerConfig { model, app } = worker?;
        let idle_unload = idle_unload_s.map(Duration::from_secs);
        Some(Self { model, app, aliases, load, idle_unload, load_timeout, knowledge, table })
    }

    /// What its worker is told.
    #[must_use]
    pub fn worker(&self) -> WorkerConfig {
        WorkerConfig { model: self.model.clone(), app: self.app.clone() }
    }

    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.model.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// Whether requests wait for its loading instead of being sent away.
    #[must_use]
    pub fn is_elastic(&self) -> bool {
        self.load == LoadWhen::Demand || self.idle_unload.is_some()
    }

    /// A chat model that only the command line names: the settings are the defaults.
    pub(super) fn plain(name: String, path: PathBuf, places: &Places) -> Self {
        let mut table = Table::new();
        table.insert("kind".into(), "chat".into());
        table.insert("name".into(), name.into());
        table.insert("path".into(), path.to_string_lossy().into_owned().into());
        table.insert("app".into(), "apps/chat.wasm".into());
        let plain = Self::read("--model", table, places, &mut vec![]);
        let plain = plain.expect("the four keys that must be there are");
        Self { model: ModelConfig { path, ..plain.model }, ..plain }
    }

    /// Takes another file.
    pub(super) fn set_path(&mut self, path: PathBuf) {
        self.table.insert("path".into(), path.to_string_lossy().into_owned().into());
        self.model.path = path;
    }

    /// The same settings for another model, but for its context, which belongs to the file.
    pub(super) fn like_this(&self, name: String, path: PathBuf) -> Self {
        let mut new = self.clone();
        new.set_path(path);
        new.table.insert("name".into(), name.clone().into());
        new.table.remove("context_tokens");
        (new.model.name, new.model.context_tokens) = (name, None);
        new
    }

    pub(super) fn without_aliases(mut self) -> Self {
        self.table.remove("aliases");
        self.aliases.clear();
        self
    }
}

fn read_worker(table: &mut Reader<'_>, places: &Places) -> Option<WorkerConfig> {
    let name: Option<String> = table.required("name", "choose what requests call the model");
    let kind: Option<ModelKind> =
        table.required("kind", "write \"chat\", \"embedding\" or \"rerank\"");
    let path: Option<PathBuf> = table.required("path", "write where its GGUF file is");
    let app: Option<PathBuf> = table.required("app", "write where the wasm file that serves it is");
    check_name(table, name.as_deref());
    let kind_or_chat = kind.unwrap_or(ModelKind::Chat);
    let mut model = read_model(table, kind_or_chat, places);
    let mut app_config = read_app(table, &model, places);
    model.name = name?;
    model.kind = kind?;
    model.path = places.resolve(&path?);
    app_config.path = places.resolve(&app?);
    Some(WorkerConfig { model, app: app_config })
}

pub(super) fn check_name(table: &mut Reader<'_>, name: Option<&str>) {
    if let Some(name) = name.filter(|name| !is_name(name)) {
        table.wrong("name", &format!("{name:?} is no name for a model: {NAME_ADVICE}"));
    }
}

pub(super) fn read_aliases(table: &mut Reader<'_>) -> Vec<String> {
    let aliases: Vec<String> = table.value("aliases", vec![]);
    if aliases.len() > ALIASES_MAX {
        table.wrong("aliases", &format!("{} aliases: write {ALIASES_MAX} at most", aliases.len()));
    }
    for (index, alias) in aliases.iter().enumerate().filter(|(_, alias)| !is_name(alias)) {
        let message = format!("{alias:?} is no name for a model: {NAME_ADVICE}");
        table.wrong(&format!("aliases[{index}]"), &message);
    }
    aliases
}

/// Everything about the engine but name, kind and path.
fn read_model(table: &mut Reader<'_>, kind: ModelKind, places: &Places) -> ModelConfig {
    let batch_tokens = match kind {
        ModelKind::Chat => 512,
        ModelKind::Embedding | ModelKind::Rerank => 2048,
    };
    let backends_dir: Option<PathBuf> = table.optional("backends_dir");
    let draft_path: Option<PathBuf> = table.optional("draft_path");
    let mmproj_path: Option<PathBuf> = table.optional("mmproj_path");
    let mut model = ModelConfig {
        name: String::new(),
        kind,
        path: PathBuf::new(),
        context_tokens: table.optional_within("context_tokens", 16..=16 << 20),
        sequences_max: table.within("sequences_max", 16, 1..=256),
        queue_max: table.within("queue_max", 64, 0..=65_536),
        batch_tokens: table.within("batch_tokens", batch_tokens, 1..=65_536),
        run_ahead_tokens: table.within("run_ahead_tokens", 8, 1..=1024),
        threads: table.optional_within("threads", 1..=1024),
        gpu_layers: table.optional("gpu_layers"),
        main_gpu: table.value("main_gpu", 0),
        split_mode: table.value("split_mode", Default::default()),
        tensor_split: table.value("tensor_split", vec![]),
        use_mmap: table.value("use_mmap", true),
        flash_attention: table.value("flash_attention", Default::default()),
        cache_type_k: table.value("cache_type_k", Default::default()),
        cache_type_v: table.value("cache_type_v", Default::default()),
        loras: table.value("loras", vec![]),
        mmproj_path: mmproj_path.map(|path| places.resolve(&path)),
        picture_tokens_max: table.optional_within("picture_tokens_max", 1..=65_536),
        prompt_lookup: table.value("prompt_lookup", true),
        draft_path: draft_path.map(|path| places.resolve(&path)),
        context_shift: table.value("context_shift", false),
        gpu_partial: table.value("gpu_partial", false),
        backends_dir: backends_dir.map(|path| places.resolve(&path)),
    };
    for lora in &mut model.loras {
        lora.path = places.resolve(&lora.path);
    }
    if model.mmproj_path.is_some() && kind != ModelKind::Chat {
        table.wrong("mmproj_path", "is for chat models: other models read no pictures");
    }
    if model.draft_path.is_some() && kind != ModelKind::Chat {
        table.wrong("draft_path", "is for chat models: nobody needs to guess what others say");
    }
    if model.picture_tokens_max.is_some() && model.mmproj_path.is_none() {
        table.wrong("picture_tokens_max", "is for models with a projector: write mmproj_path");
    }
    if !model.tensor_split.iter().all(|share| share.is_finite() && *share >= 0.0) {
        table.wrong("tensor_split", "write each GPU's share as a number that is not negative");
    }
    if model.batch_tokens < model.sequences_max {
        table.wrong("batch_tokens", "must not be below sequences_max: each sequence needs a place");
    }
    model
}

/// Everything about the app but its path.
fn read_app(table: &mut Reader<'_>, model: &ModelConfig, places: &Places) -> AppConfig {
    let instances_max = model.sequences_max + model.queue_max;
    let event_bytes_min = match model.kind {
        ModelKind::Chat | ModelKind::Rerank => 4 << 10,
        ModelKind::Embedding => EMBEDDING_EVENT_BYTES_MIN,
    };
    AppConfig {
        path: PathBuf::new(),
        cache_dir: places.node_home.join("cache"),
        instances_warm: table.within("instances_warm", 4, 0..=1024),
        instances_max: table.within("instances_max", instances_max, 1..=131_072),
        memory_bytes_max: table.within("memory_bytes_max", 256 << 20, 1 << 20..=4 << 30),
        time_ms_max: table.time("time_ms_max", 600_000),
        instructions_max: table.optional_within("instructions_max", 1_000_000..=u64::MAX),
        event_bytes_max: table.within("event_bytes_max", 1 << 20, event_bytes_min..=32 << 20),
        window_events: table.within("window_events", 64, 2..=4096),
    }
}

/// A name goes into URLs, labels of metrics and file names.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    (1..=128).contains(&name.len()) && name.chars().all(allowed)
}
