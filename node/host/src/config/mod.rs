//! The node's config: one TOML file, read once, checked whole.
//!
//! Every problem is reported at once, each with its key and what to do. An unknown key is a
//! problem at every level. What is absent has the default that `config/default.toml` documents.

mod admin;
mod coder;
mod compile;
mod keywords;
mod knowledge;
mod mcp;
mod model;
mod overrides;
mod paths;
mod pictures;
mod reader;
mod sections;
mod storage;
#[cfg(test)]
mod tests;
mod upstream;

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::Table;

pub use admin::{AdminConfig, Changes};
pub use coder::CoderConfig;
pub use compile::{CompileConfig, JobsConfig, QueueConfig};
pub use keywords::{KeywordsConfig, KeywordsEngine};
pub use knowledge::{CollectionConfig, EngineConfig, KnowledgeConfig};
pub use mcp::{McpConfig, McpJobsConfig, SessionsConfig};
pub use model::{LoadWhen, ServedConfig};
pub use overrides::Overrides;
pub(crate) use overrides::name_and_path;
pub use paths::{Places, key_from_environment};
pub use pictures::PicturesConfig;
pub use reader::Problem;
pub(crate) use sections::origin_covers;
pub use sections::{ApiKey, AuthConfig, LogConfig, LogFormat, ServerConfig, SupervisionConfig};
pub use storage::{FilesConfig, ResponsesConfig};
pub use upstream::{ApiKeySource, KeyHeader, MaxTokensField, UpstreamConfig};

use reader::Reader;

/// The config of a node whose owner wrote none.
pub const DEFAULT: &str = include_str!("../../../../config/default.toml");

/// Models at most: one takes a process and gigabytes of memory.
pub const MODELS_MAX: usize = 64;

/// A whole config: checked, every path absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where files are.
    pub places: Places,
    /// The address and the limits on what comes in.
    pub server: ServerConfig,
    /// Who may ask.
    pub auth: AuthConfig,
    /// What the admin API may load.
    pub admin: AdminConfig,
    /// What is said on standard error.
    pub log: LogConfig,
    /// The processes that hold the models.
    pub worker: SupervisionConfig,
    /// The answers that are kept for later requests.
    pub responses: ResponsesConfig,
    /// The files that users upload.
    pub files: FilesConfig,
    /// The pictures of requests.
    pub pictures: PicturesConfig,
    /// The knowledge bases.
    pub knowledge: KnowledgeConfig,
    /// The compile sandbox.
    pub compile: CompileConfig,
    /// Repairing and generating code.
    pub coder: CoderConfig,
    /// The tools for editors and agents.
    pub mcp: McpConfig,
    /// The models, each with its app.
    pub models: Vec<ServedConfig>,
    /// The models of other servers; at least one if there are no others.
    pub upstreams: Vec<UpstreamConfig>,
}

impl Config {
    /// Reads the file that the command line names (else the built-in one) and applies the rest of
    /// the command line to it.
    ///
    /// # Errors
    /// The file can't be read, or has problems: the message lists all of them.
    pub fn load(overrides: &Overrides) -> Result<Self> {
        let file = overrides.config.as_deref();
        let (source, text) = match file {
            Some(file) => (file.display().to_string(), read_file(file)?),
            None => ("the built-in config".to_owned(), DEFAULT.to_owned()),
        };
        let mut config = Self::parse(&source, &text, Places::from_environment(file)?)?;
        overrides.apply(&mut config)?;
        config.check_exposure()?;
        Ok(config)
    }

    /// Reads a config from text; `source` is named in errors.
    ///
    /// # Errors
    /// It has problems: the message lists all of them.
    pub fn parse(source: &str, text: &str, places: Places) -> Result<Self> {
        let table: Table = text.parse().with_context(|| format!("{source} is not TOML"))?;
        let mut problems = vec![];
        let config = Self::read(table, places, &mut problems);
        if problems.is_empty() {
            return Ok(config);
        }
        bail!("{}", describe(source, &problems))
    }

    /// The program that holds a model.
    ///
    /// # Errors
    /// The config names none and this program's own place can't be told.
    pub fn worker_binary(&self) -> Result<PathBuf> {
        if let Some(binary) = &self.worker.binary {
            return Ok(binary.clone());
        }
        let own = std::env::current_exe().context("finding this program's own file")?;
        Ok(own.with_file_name("gaia-worker"))
    }

    fn read(table: Table, places: Places, problems: &mut Vec<Problem>) -> Self {
        let mut root = Reader::new("", table, problems);
        let server = ServerConfig::read(root.table("server"));
        let auth = AuthConfig::read(root.table("auth"));
        let admin = AdminConfig::read(root.table("admin"), &places);
        let log = LogConfig::read(root.table("log"));
        let worker = SupervisionConfig::read(root.table("worker"), &places);
        let responses = ResponsesConfig::read(root.table("responses"));
        let files = FilesConfig::read(root.table("files"), &places);
        let pictures = PicturesConfig::read(root.table("pictures"));
        let knowledge = KnowledgeConfig::read(root.table("knowledge"), &places);
        let compile = CompileConfig::read(root.table("compile"), &places);
        let coder = CoderConfig::read(root.table("coder"));
        let mcp = McpConfig::read(root.table("mcp"));
        let models = read_all(&mut root, "models", &places, ServedConfig::read);
        let upstreams = read_all(&mut root, "upstreams", &places, UpstreamConfig::read);
        check_models(&mut root, &models, &upstreams);
        let models = models.list.into_iter().map(|(_, model)| model).collect();
        let upstreams = upstreams.list.into_iter().map(|(_, upstream)| upstream).collect();
        root.finish();
        Self {
            places,
            server,
            auth,
            admin,
            log,
            worker,
            responses,
            files,
            pictures,
            knowledge,
            compile,
            coder,
            mcp,
            models,
            upstreams,
        }
    }

    /// Whoever reaches the node may use it unless it asks for a key: that must be meant.
    fn check_exposure(&self) -> Result<()> {
        let server = &self.server;
        let open = self.auth.keys.is_empty() && !server.allow_unauthenticated_remote;
        if open && !server.listen.ip().is_loopback() {
            bail!(
                "{} is reachable from other machines and no key is asked for: add a key to [auth] \
                 (`gaia-node keys new`), or listen on 127.0.0.1, or set \
                 server.allow_unauthenticated_remote = true if everyone may use this node",
                server.listen
            );
        }
        Ok(())
    }
}

fn read_file(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("reading config {}", file.display()))
}

/// The tables of one kind: how many there are, and those that could be read with their keys.
struct Tables<T> {
    count: usize,
    list: Vec<(String, T)>,
}

fn read_all<T>(
    root: &mut Reader<'_>,
    key: &str,
    places: &Places,
    read: fn(&str, Table, &Places, &mut Vec<Problem>) -> Option<T>,
) -> Tables<T> {
    let tables = root.tables(key);
    let count = tables.len();
    let read = |(key, table): (String, Table)| {
        read(&key, table, places, root.problems()).map(|read| (key, read))
    };
    Tables { count, list: tables.into_iter().filter_map(read).collect() }
}

fn check_models(
    root: &mut Reader<'_>,
    models: &Tables<ServedConfig>,
    upstreams: &Tables<UpstreamConfig>,
) {
    let advice = "config/default.toml shows how to write one";
    for (key, count, least) in [
        ("models", models.count, usize::from(upstreams.count == 0)),
        ("upstreams", upstreams.count, 0),
    ] {
        if !(least..=MODELS_MAX).contains(&count) {
            root.wrong(key, &format!("{count} models: write {least} to {MODELS_MAX}; {advice}"));
        }
    }
    let own = models.list.iter().map(|(key, model)| (key, model.names().collect::<Vec<_>>()));
    let others = upstreams.list.iter().map(|(key, model)| (key, model.names().collect()));
    let all: Vec<_> = own.chain(others).collect();
    for (index, name) in names_twice(all.iter().map(|(_, names)| names.iter().copied())) {
        let (key, names) = &all[index];
        let key = match names[0] == name {
            true => format!("{key}.name"),
            false => format!("{key}.aliases"),
        };
        let message = format!("{name:?} names another model already");
        root.problems().push(Problem { key, message });
    }
}

/// Names and aliases that a model before has, or the same one before; each with the model's index.
pub(crate) fn names_twice<'a>(
    models: impl IntoIterator<Item = impl IntoIterator<Item = &'a str>>,
) -> Vec<(usize, String)> {
    let mut seen = HashSet::new();
    let mut twice = vec![];
    for (index, names) in models.into_iter().enumerate() {
        let names = names.into_iter().filter(|name| !seen.insert(*name));
        twice.extend(names.map(|name| (index, name.to_owned())));
    }
    twice
}

fn describe(source: &str, problems: &[Problem]) -> String {
    let mut text = format!("{source} has {} problem(s):", problems.len());
    for problem in problems {
        write!(text, "\n  {problem}").expect("a string takes any text");
    }
    text
}
