//! `keywords` of `[knowledge]`: words that are looked up elsewhere.

use gaia_core::knowledge::check_name;
use serde::Deserialize;

use super::reader::Reader;

/// Where words are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordsConfig {
    /// In what.
    pub engine: KeywordsEngine,
    /// Its address.
    pub url: String,
    /// The index or table; it is made if it is not there.
    pub index: String,
    /// The user, if it wants one.
    pub user: Option<String>,
    /// The environment variable that holds the user's password.
    pub password_env: Option<String>,
    /// The collections that it holds for; all, if none is named.
    pub collections: Vec<String>,
}

/// What keeps words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeywordsEngine {
    /// Elasticsearch, over HTTP.
    Elasticsearch,
    /// TiDB, over MySQL's protocol.
    Tidb,
}

pub(super) fn read(mut table: Reader<'_>) -> Option<KeywordsConfig> {
    let engine = table.required("engine", "write \"elasticsearch\" or \"tidb\"");
    let url = table.required("url", "write the server's address");
    let read = KeywordsConfig {
        engine: engine.unwrap_or(KeywordsEngine::Elasticsearch),
        url: url.clone().unwrap_or_default(),
        index: table.value("index", "gaia".into()),
        user: table.optional("user"),
        password_env: table.optional("password_env"),
        collections: table.value("collections", vec![]),
    };
    if read.user.is_some() != read.password_env.is_some() {
        let key = if read.user.is_some() { "password_env" } else { "user" };
        table.wrong(key, "is missing: a user has a password, in an environment variable");
    }
    for name in &read.collections {
        if let Err(error) = check_name(name) {
            table.wrong("collections", &error.to_string());
        }
    }
    table.finish();
    (engine.is_some() && url.is_some()).then_some(read)
}
