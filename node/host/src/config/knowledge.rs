//! `[knowledge]`: where knowledge bases are, and which of them a model answers with.

use std::path::{Path, PathBuf};

use gaia_core::knowledge::{
    CollectionSpec, Fusion, Grounding, MergePolicy, Plan, SearchMode, Target, check_name,
};
use serde::Deserialize;
use toml::Table;

use super::keywords::{self, KeywordsConfig};
use super::paths::Places;
use super::reader::{Problem, Reader};

/// Passages of a collection, unless the config says otherwise.
const LIMIT: usize = 5;

/// `[knowledge]`: the store of knowledge bases.
#[derive(Clone, Debug, PartialEq)]
pub struct KnowledgeConfig {
    /// Whether the node has any.
    pub enabled: bool,
    /// Where they are.
    pub engine: EngineConfig,
    /// Folders whose snapshots the admin API may restore.
    pub snapshot_dirs: Vec<PathBuf>,
    /// Bytes of a snapshot at most, packed, and unpacked.
    pub snapshot_bytes_max: u64,
    /// See [`Self::snapshot_bytes_max`].
    pub unpacked_bytes_max: u64,
    /// Bytes of a document at most.
    pub document_bytes_max: u64,
    /// Whether an import makes new vectors where another model is to serve it, without being asked.
    pub import_reembeds: bool,
    /// Where words are looked up, if not where the points are.
    pub keywords: Option<KeywordsConfig>,
    /// Collections that the node takes care of.
    pub collections: Vec<CollectionConfig>,
}

/// Where knowledge bases are.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineConfig {
    /// In this process, in this folder.
    Embedded {
        /// The folder.
        folder: PathBuf,
    },
    /// On a Qdrant server.
    Server {
        /// The folder for what is downloaded, handed in and packed.
        folder: PathBuf,
        /// Its gRPC address, such as `http://localhost:6334`.
        url: String,
        /// Its REST address, for snapshots; without it, the gRPC address with port 6333.
        rest_url: Option<String>,
        /// The file that holds its API key.
        api_key_file: Option<PathBuf>,
    },
}

/// `[[knowledge.collections]]`: one that is made, or restored from a snapshot, when it is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionConfig {
    /// Its name.
    pub name: String,
    /// A file or an `https` address of a Qdrant snapshot.
    pub snapshot: Option<String>,
    /// The snapshot's checksum, in hex.
    pub sha256: Option<String>,
    /// The model that makes its vectors.
    pub embedder: Option<String>,
    /// What it holds.
    pub description: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EngineKind {
    #[default]
    Embedded,
    Server,
}

/// By what passages are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Vector,
    Words,
    #[default]
    Hybrid,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FusionKind {
    #[default]
    ReciprocalRank,
    MinMax,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    #[default]
    SystemMessage,
    LastUserMessage,
}

impl EngineConfig {
    /// Its folder on this machine.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::Embedded { folder } | Self::Server { folder, .. } => folder,
        }
    }
}

impl KnowledgeConfig {
    /// The default store, in this folder.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            enabled: true,
            engine: EngineConfig::Embedded { folder },
            snapshot_dirs: vec![],
            snapshot_bytes_max: 64 << 30,
            unpacked_bytes_max: 256 << 30,
            document_bytes_max: 64 << 20,
            import_reembeds: true,
            keywords: None,
            collections: vec![],
        }
    }

    pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Self {
        let default = Self::in_folder(places.node_home.join("knowledge"));
        let dirs: Vec<PathBuf> = table.value("snapshot_dirs", vec![]);
        let bytes = 1..=1 << 50;
        let mut read = Self {
            enabled: table.value("enabled", true),
            snapshot_dirs: dirs.iter().map(|dir| places.resolve(dir)).collect(),
            snapshot_bytes_max: table.within(
                "snapshot_bytes_max",
                default.snapshot_bytes_max,
                bytes.clone(),
            ),
            unpacked_bytes_max: table.within(
                "unpacked_bytes_max",
                default.unpacked_bytes_max,
                bytes.clone(),
            ),
            document_bytes_max: table.within(
                "document_bytes_max",
                default.document_bytes_max,
                1..=1 << 32,
            ),
            import_reembeds: table.value("import_reembeds", true),
            engine: read_engine(&mut table, places),
            keywords: read_keywords(&mut table),
            collections: vec![],
        };
        let tables = table.tables("collections");
        let collection = |(key, one): (String, Table)| {
            read_collection(Reader::new(&key, one, table.problems()), places)
        };
        read.collections = tables.into_iter().filter_map(collection).collect();
        table.finish();
        read
    }
}

/// A table that is there must be whole.
fn read_keywords(table: &mut Reader<'_>) -> Option<KeywordsConfig> {
    let given: Table = table.optional("keywords")?;
    keywords::read(Reader::new("knowledge.keywords", given, table.problems()))
}

fn read_engine(table: &mut Reader<'_>, places: &Places) -> EngineConfig {
    let folder: PathBuf = table.value("folder", "knowledge".into());
    let folder = places.resolve(&folder);
    let url: Option<String> = table.optional("url");
    let rest_url: Option<String> = table.optional("rest_url");
    let api_key_file: Option<PathBuf> = table.optional("api_key_file");
    match table.value("engine", EngineKind::default()) {
        EngineKind::Embedded => EngineConfig::Embedded { folder },
        EngineKind::Server => {
            if url.is_none() {
                table.wrong("url", "is missing: write the server's gRPC address, port 6334 mostly");
            }
            let api_key_file = api_key_file.map(|file| places.resolve(&file));
            EngineConfig::Server { folder, url: url.unwrap_or_default(), rest_url, api_key_file }
        }
    }
}

fn read_collection(mut table: Reader<'_>, places: &Places) -> Option<CollectionConfig> {
    let name: Option<String> = table.required("name", "choose what requests call the collection");
    if let Some(Err(error)) = name.as_deref().map(check_name) {
        table.wrong("name", &error.to_string());
    }
    let read = CollectionConfig {
        name: name.clone().unwrap_or_default(),
        snapshot: table.optional("snapshot").map(|source: String| match source.contains("://") {
            true => source,
            false => places.resolve(source.as_ref()).to_string_lossy().into_owned(),
        }),
        sha256: table.optional("sha256"),
        embedder: table.optional("embedder"),
        description: table.optional("description"),
    };
    let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if read.sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
        table.wrong("sha256", "write the 64 hex digits that `sha256sum` prints");
    }
    table.finish();
    name.map(|_| read)
}

impl CollectionConfig {
    /// What a new collection of this config is.
    #[must_use]
    pub fn spec(&self, dimension: u32) -> CollectionSpec {
        CollectionSpec {
            dimension,
            embedder: self.embedder.clone(),
            description: self.description.clone(),
            ..CollectionSpec::default()
        }
    }
}

/// `knowledge = { … }` of a model: what it knows before it answers.
pub(super) fn read_plan(key: &str, table: Table, problems: &mut Vec<Problem>) -> Plan {
    let mut table = Reader::new(key, table, problems);
    let collections: Vec<String> = table.value("collections", vec![]);
    if collections.is_empty() || collections.len() > 16 {
        table.wrong("collections", "name 1 to 16 collections");
    }
    let limit = table.within("limit", LIMIT, 1..=100);
    let score_threshold = table.optional_within("score_threshold", -1.0..=1.0);
    let target = |collection| Target { collection, limit, score_threshold };
    let plan = Plan {
        targets: collections.into_iter().map(target).collect(),
        mode: read_mode(&mut table),
        filter: None,
        reranker: table.optional("reranker"),
        context_window: table.within("context_window", 1, 1..=100),
        grounding: Grounding {
            policy: match table.value("policy", Policy::default()) {
                Policy::SystemMessage => MergePolicy::SystemMessage,
                Policy::LastUserMessage => MergePolicy::LastUserMessage,
            },
            rag_prompt: table.optional("rag_prompt"),
            tokens_max: table.optional_within("tokens_max", 1..=16 << 20),
            no_hit_prompt: table.optional("no_hit_prompt"),
        },
        agentic: table.value("agentic", false),
    };
    table.finish();
    plan
}

fn read_mode(table: &mut Reader<'_>) -> SearchMode {
    let mode = table.value("mode", Mode::default());
    let fusion = table.value("fusion", FusionKind::default());
    let weight = table.within("words_weight", 0.5, 0.0..=1.0);
    match mode {
        Mode::Vector => SearchMode::Vector,
        Mode::Words => SearchMode::Words,
        Mode::Hybrid => SearchMode::Hybrid(match fusion {
            FusionKind::ReciprocalRank => Fusion::ReciprocalRank { words_weight: weight },
            FusionKind::MinMax => Fusion::MinMax { words_weight: weight },
        }),
    }
}
