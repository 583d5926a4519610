//! The node's config: one TOML file, read once, checked whole.
//!
//! Every problem is reported at once, each with its key and what to do. An unknown key is a
//! problem at every level. What is absent has the default that `config/default.toml` documents.

mod admin;
mod coder;
mod compile;
mod knowledge;
mod model;
mod overrides;
mod paths;
mod reader;
mod sections;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::Table;

pub use admin::{AdminConfig, Changes};
pub use coder::CoderConfig;
pub use compile::{CompileConfig, JobsConfig, QueueConfig};
pub use knowledge::{CollectionConfig, EngineConfig, KnowledgeConfig};
pub use model::{LoadWhen, ServedConfig};
pub use overrides::Overrides;
pub(crate) use overrides::name_and_path;
pub use paths::{Places, key_from_environment};
pub use reader::Problem;
pub use sections::{ApiKey, AuthConfig, LogConfig, LogFormat, ServerConfig, SupervisionConfig};
pub use storage::{FilesConfig, ResponsesConfig};

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
    /// The knowledge bases.
    pub knowledge: KnowledgeConfig,
    /// The compile sandbox.
    pub compile: CompileConfig,
    /// Repairing and generating code.
    pub coder: CoderConfig,
    /// The models, each with its app; at least one.
    pub models: Vec<ServedConfig>,
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
        let knowledge = KnowledgeConfig::read(root.table("knowledge"), &places);
        let compile = CompileConfig::read(root.table("compile"), &places);
        let coder = CoderConfig::read(root.table("coder"));
        let models = read_models(&mut root, &places);
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
            knowledge,
            compile,
            coder,
            models,
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

fn read_models(root: &mut Reader<'_>, places: &Places) -> Vec<ServedConfig> {
    let tables = root.tables("models");
    let count = tables.len();
    if count == 0 || count > MODELS_MAX {
        let advice = "config/default.toml shows how to write one";
        root.wrong("models", &format!("{count} models: write 1 to {MODELS_MAX}; {advice}"));
    }
    let read = |(key, table): (String, Table)| {
        ServedConfig::read(&key, table, places, root.problems()).map(|model| (key, model))
    };
    let (keys, models): (Vec<_>, Vec<_>) = tables.into_iter().filter_map(read).unzip();
    for (index, name) in names_twice(&models) {
        let key = &keys[index];
        let key = match models[index].model.name == name {
            true => format!("{key}.name"),
            false => format!("{key}.aliases"),
        };
        let message = format!("{name:?} names another model already");
        root.problems().push(Problem { key, message });
    }
    models
}

/// Names and aliases that a model before has, or the same one before; each with the model's index.
pub(crate) fn names_twice(models: &[ServedConfig]) -> Vec<(usize, String)> {
    let mut seen = HashSet::new();
    let mut twice = vec![];
    for (index, model) in models.iter().enumerate() {
        twice.extend(model.names().filter(|name| !seen.insert(*name)).map(|n| (index, n.into())));
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
