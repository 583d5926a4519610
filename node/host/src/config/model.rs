//! `[[models]]`: one model, the app that serves it, and the limits of both.

use std::path::{Path, PathBuf};

use gaia_protocol::{AppConfig, ModelConfig, ModelKind, WorkerConfig};

use super::paths::Places;
use super::reader::Reader;

/// Smallest event that carries a whole vector of a large embedding model.
const EMBEDDING_EVENT_BYTES_MIN: u32 = 64 << 10;

/// Reads one model; problems are noted in the table's reader. `None`: it has no name, path or app.
pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Option<WorkerConfig> {
    let name: Option<String> = table.required("name", "choose what requests call the model");
    let kind: Option<ModelKind> = table.required("kind", "write \"chat\" or \"embedding\"");
    let path: Option<PathBuf> = table.required("path", "write where its GGUF file is");
    let app: Option<PathBuf> = table.required("app", "write where the wasm file that serves it is");
    if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
        let advice = "use 1 to 128 letters, digits, '.', '_', '-', ':' or '/'";
        table.wrong("name", &format!("{name:?} is no name for a model: {advice}"));
    }
    let kind_or_chat = kind.unwrap_or(ModelKind::Chat);
    let mut model = read_model(&mut table, kind_or_chat, places);
    let mut app_config = read_app(&mut table, &model, places);
    table.finish();
    model.name = name?;
    model.kind = kind?;
    model.path = places.resolve(&path?);
    app_config.path = places.resolve(&app?);
    Some(WorkerConfig { model, app: app_config })
}

/// A model that only the command line names: the settings are the defaults.
pub(super) fn plain(name: String, path: PathBuf, places: &Places) -> WorkerConfig {
    let mut problems = vec![];
    let mut table = Reader::new("--model", toml::Table::new(), &mut problems);
    let model = read_model(&mut table, ModelKind::Chat, places);
    let app = read_app(&mut table, &model, places);
    WorkerConfig {
        model: ModelConfig { name, path, ..model },
        app: AppConfig { path: places.resolve(Path::new("apps/chat.wasm")), ..app },
    }
}

/// Everything about the engine but name, kind and path.
fn read_model(table: &mut Reader<'_>, kind: ModelKind, places: &Places) -> ModelConfig {
    let batch_tokens = match kind {
        ModelKind::Chat => 512,
        ModelKind::Embedding => 2048,
    };
    let backends_dir: Option<PathBuf> = table.optional("backends_dir");
    let draft_path: Option<PathBuf> = table.optional("draft_path");
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
        prompt_lookup: table.value("prompt_lookup", true),
        draft_path: draft_path.map(|path| places.resolve(&path)),
        context_shift: table.value("context_shift", false),
        gpu_partial: table.value("gpu_partial", false),
        backends_dir: backends_dir.map(|path| places.resolve(&path)),
    };
    for lora in &mut model.loras {
        lora.path = places.resolve(&lora.path);
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
        ModelKind::Chat => 4 << 10,
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
