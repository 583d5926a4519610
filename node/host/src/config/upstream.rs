//! `[[upstreams]]`: a model that another OpenAI-compatible server holds.
//!
//! No key is in a config file: it names a variable or a file that holds one.

use std::path::PathBuf;
use std::time::Duration;

use gaia_core::knowledge::Plan;
use gaia_net::base_url;
use gaia_protocol::ModelKind;
use serde::Deserialize;
use toml::Table;

use super::knowledge::read_plan;
use super::model::{check_name, read_aliases};
use super::paths::Places;
use super::reader::{Problem, Reader};

/// More headers are a mistake.
const HEADERS_MAX: usize = 32;

/// One `[[upstreams]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamConfig {
    /// The name under which requests ask for it.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Where the server's paths begin, such as `https://host/v1`; without a slash at its end.
    pub url: String,
    /// What that server calls the model.
    pub model: String,
    /// Where the key for it is, if it wants one.
    pub api_key: Option<ApiKeySource>,
    /// The header that the key stands in.
    pub api_key_header: KeyHeader,
    /// More headers of each request, names and values.
    pub headers: Vec<(String, String)>,
    /// Other names for requests.
    pub aliases: Vec<String>,
    /// Tokens one request may hold, if known.
    pub context_tokens: Option<u32>,
    /// Whether it reads pictures.
    pub pictures: bool,
    /// Length of its vectors; unless known, the server is asked for one.
    pub dimension: Option<u32>,
    /// Requests to it at once.
    pub requests_max: u32,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the server may send nothing.
    pub silence_timeout: Duration,
    /// What it calls the limit of an answer's tokens.
    pub max_tokens_field: MaxTokensField,
    /// Whether the node counts as ready only when it can be reached.
    pub required: bool,
    /// What it knows before it answers, if a request says nothing else.
    pub knowledge: Option<Plan>,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeySource {
    /// In a variable of the environment.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

/// The header of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    #[default]
    Authorization,
    /// `api-key: …`.
    ApiKey,
}

/// The field that limits an answer's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What nearly all servers know.
    #[default]
    MaxTokens,
    /// What OpenAI's reasoning models want.
    MaxCompletionTokens,
}

impl UpstreamConfig {
    /// Reads the table that stands at `key`; problems are noted. `None`: it has no name, kind or URL.
    pub(super) fn read(
        key: &str,
        table: Table,
        places: &Places,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let mut table = Reader::new(key, table, problems);
        let name: Option<String> = table.required("name", "choose what requests call the model");
        check_name(&mut table, name.as_deref());
        let kind = table.required("kind", "write \"chat\" or \"embedding\"");
        if kind == Some(ModelKind::Rerank) {
            table
                .wrong("kind", "write \"chat\" or \"embedding\": no other server is asked to rank");
        }
        let url = read_url(&mut table);
        let model: Option<String> = table.optional("model");
        let api_key = read_key(&mut table, places);
        let api_key_header = table.value("api_key_header", KeyHeader::default());
        let headers = read_headers(&mut table);
        let aliases = read_aliases(&mut table);
        let context_tokens = table.optional_within("context_tokens", 16..=16 << 20);
        let pictures = table.value("pictures", false);
        if pictures && kind.is_some_and(|kind| kind != ModelKind::Chat) {
            table.wrong("pictures", "is for chat models: other models read no pictures");
        }
        let dimension = table.optional_within("dimension", 1..=65_536);
        let requests_max = table.within("requests_max", 64, 1..=65_536);
        let connect_timeout = Duration::from_millis(table.time("connect_timeout_ms", 5_000));
        let silence_timeout = Duration::from_millis(table.time("silence_timeout_ms", 120_000));
        let max_tokens_field = table.value("max_tokens_field", MaxTokensField::default());
        let required = table.value("required", false);
        let knowledge: Option<Table> = table.optional("knowledge");
        table.finish();
        let knowledge =
            knowledge.map(|table| read_plan(&format!("{key}.knowledge"), table, problems));
        let name = name?;
        Some(Self {
            model: model.unwrap_or_else(|| name.clone()),
            name,
            kind: kind?,
            url: url?,
            api_key,
            api_key_header,
            headers,
            aliases,
            context_tokens,
            pictures,
            dimension,
            requests_max,
            connect_timeout,
            silence_timeout,
            max_tokens_field,
            required,
            knowledge,
        })
    }

    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

fn read_url(table: &mut Reader<'_>) -> Option<String> {
    let advice = "write where the server's API begins, such as \"https://host/v1\"";
    let url: String = table.required("url", advice)?;
    let base = base_url(&url);
    if let Err(refusal) = &base {
        table.wrong("url", &refusal.to_string());
    }
    base.ok()
}

fn read_key(table: &mut Reader<'_>, places: &Places) -> Option<ApiKeySource> {
    let variable: Option<String> = table.optional("api_key_env");
    let file: Option<PathBuf> = table.optional("api_key_file");
    if variable.is_some() && file.is_some() {
        table.wrong("api_key_env", "write this or api_key_file, not both");
    }
    let variable = variable.map(ApiKeySource::Variable);
    variable.or_else(|| file.map(|file| ApiKeySource::File(places.resolve(&file))))
}

fn read_headers(table: &mut Reader<'_>) -> Vec<(String, String)> {
    let headers: std::collections::BTreeMap<String, String> =
        table.value("headers", Default::default());
    if headers.len() > HEADERS_MAX {
        table.wrong("headers", &format!("{} headers: write {HEADERS_MAX} at most", headers.len()));
    }
    for name in headers.keys().filter(|name| is_key_header(name)) {
        let advice = "write a key's file as api_key_file, with api_key_header beside it";
        table.wrong(&format!("headers.{name}"), advice);
    }
    headers.into_iter().collect()
}

fn is_key_header(name: &str) -> bool {
    ["authorization", "api-key"].iter().any(|header| header.eq_ignore_ascii_case(name))
}
