//! `gaia-node kb export` and `import`: a collection as one file.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Client, line, of};
use crate::cli::client::in_path;
use crate::cli::print;

#[derive(Debug, clap::Args)]
pub struct Export {
    /// The collection
    collection: String,
    /// The new file, here; by custom its name ends in .jsonl.zst
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The collection
    collection: String,
    /// A file here, or an https address that the node loads it from
    source: String,
    /// Take the place of a collection of that name
    #[arg(long)]
    replace: bool,
    /// Make new vectors, whichever model made the file's
    #[arg(long, conflicts_with = "keep_vectors")]
    reembed: bool,
    /// Keep the file's vectors, whichever model is served
    #[arg(long)]
    keep_vectors: bool,
    /// The embedding model that is to serve it
    #[arg(long, value_name = "MODEL")]
    embedder: Option<String>,
    /// What that model wants before a question, such as "search_query: ", for new vectors
    #[arg(long, value_name = "TEXT")]
    query_prefix: Option<String>,
    /// What it wants before a passage, for new vectors
    #[arg(long, value_name = "TEXT")]
    text_prefix: Option<String>,
    /// The checksum of a file that the node loads
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
}

/// Brings a collection here.
pub async fn export(client: &Client, arguments: Export) -> Result<()> {
    let path = of(&arguments.collection) + "/export";
    show("the node packs the collection");
    let tell = |bytes, all| show(&bar("bytes", bytes, all));
    let done = client.download(&path, &arguments.file, tell).await;
    show("");
    print(&format!("{}: {} bytes", arguments.file.display(), done?))
}

/// Takes a file over.
pub async fn import(client: &Client, arguments: Import) -> Result<()> {
    let path = of(&arguments.collection) + "/import";
    show("the node is given the file");
    let done = if arguments.source.contains("://") {
        client.follow(&path, &body(&arguments), tell).await
    } else {
        if arguments.sha256.is_some() {
            bail!("--sha256 is for files that the node loads: a file has its own inside");
        }
        client.upload(&(path + &query(&arguments)), Path::new(&arguments.source), tell).await
    };
    show("");
    let done = done?;
    let how = if done["reembedded"] == true { ", embedded anew" } else { "" };
    print(&format!("{}{how}", line(&done["collection"])))
}

/// Asks for work and shows how far it is; its answer.
pub async fn watch(client: &Client, path: &str, body: &Value) -> Result<Value> {
    let done = client.follow(path, body, tell).await;
    show("");
    done
}

fn tell(_: &str, step: &Value) {
    let phase = step["phase"].as_str().unwrap_or_default();
    match step["points"].as_u64().or(step["bytes"].as_u64()) {
        Some(done) => show(&bar(phase, done, step["of"].as_u64())),
        None => show(phase),
    }
}

fn flags(arguments: &Import) -> Option<bool> {
    match (arguments.reembed, arguments.keep_vectors) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn body(arguments: &Import) -> Value {
    json!({
        "source": arguments.source,
        "sha256": arguments.sha256,
        "replace": arguments.replace,
        "reembed": flags(arguments),
        "embedder": arguments.embedder,
        "query_prefix": arguments.query_prefix,
        "text_prefix": arguments.text_prefix,
        "stream": true,
    })
}

fn query(arguments: &Import) -> String {
    let mut query = format!("?stream=true&replace={}", arguments.replace);
    if let Some(anew) = flags(arguments) {
        query += &format!("&reembed={anew}");
    }
    for (name, value) in [
        ("embedder", &arguments.embedder),
        ("query_prefix", &arguments.query_prefix),
        ("text_prefix", &arguments.text_prefix),
    ] {
        if let Some(value) = value {
            query += &format!("&{name}={}", in_path(value));
        }
    }
    query
}

fn bar(what: &str, done: u64, all: Option<u64>) -> String {
    let Some(all) = all.filter(|all| *all > 0) else { return format!("{what}: {done}") };
    let marks = (done.min(all) * 20 / all) as usize;
    format!("[{:20}] {what}: {done}/{all}", "#".repeat(marks))
}

/// For people who watch.
fn show(text: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Nobody reads it any more: that is no failure.
        let _ = write!(out, "\r\x1b[K{text}");
        let _ = out.flush();
    }
}
