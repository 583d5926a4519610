//! `gaia-node kb ingest`: files and folders into a collection, one document a request.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
use gaia_documents::{Entry, Rules, walk};
use serde_json::{Value, json};

use super::{Client, of};
use crate::cli::client::in_path;
use crate::cli::print;

/// Documents that are sent at once: the model embeds their texts as one batch.
const AT_ONCE: usize = 4;

/// Chunks that are worth an index: among fewer, comparing with each takes a millisecond.
const INDEXED_FROM: u64 = 5000;

/// What is left out is told one by one up to here.
const TOLD_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The collection; it is made if it is not there
    #[arg(long, short, value_name = "COLLECTION")]
    collection: String,
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What the names of the documents begin with, such as book/
    #[arg(long, default_value = "", value_name = "TEXT")]
    prefix: String,
    /// Of folders, only files with one of these endings, such as html,md
    #[arg(long, value_delimiter = ',', value_name = "ENDINGS")]
    only: Vec<String>,
    /// Tokens of a chunk at most, for a new collection
    #[arg(long, value_name = "TOKENS")]
    chunk_tokens: Option<u32>,
    /// The model that makes the vectors, for a new collection
    #[arg(long, value_name = "MODEL")]
    embedder: Option<String>,
    /// What is known of all these documents, as a JSON object; searches can filter by it
    #[arg(long, value_name = "JSON")]
    attributes: Option<String>,
}

/// A file and the name of its document.
struct Found {
    path: PathBuf,
    name: String,
}

/// What became of all documents.
#[derive(Default)]
struct Total {
    documents: usize,
    written: u64,
    kept: u64,
    removed: u64,
    failed: usize,
}

/// Brings them in; exit code 1 if one could not be.
pub async fn run(client: &Client, arguments: Arguments) -> Result<ExitCode> {
    let found = find(&arguments)?;
    make(client, &arguments).await?;
    let mut total = Total::default();
    for (index, group) in found.chunks(AT_ONCE).enumerate() {
        progress(index * AT_ONCE, found.len(), &group[0].name);
        let outcomes = join_all(group.iter().map(|document| bring(client, &arguments, document)));
        let outcomes = outcomes.await;
        if outcomes.iter().any(Result::is_err) {
            // Without a node there is nothing to go on with.
            let alive = client.ask("GET", "/health", None).await;
            alive.context("the node is gone; start it and run this again: it goes on from here")?;
        }
        group
            .iter()
            .zip(outcomes)
            .for_each(|(document, outcome)| total.note(&document.name, outcome));
    }
    progress(found.len(), found.len(), "");
    print(&total.line())?;
    if total.written >= INDEXED_FROM {
        client.ask("POST", &(of(&arguments.collection) + "/optimize"), None).await?;
    }
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn find(arguments: &Arguments) -> Result<Vec<Found>> {
    let mut found = vec![];
    for path in &arguments.paths {
        if path.is_dir() {
            found.extend(of_folder(path, arguments)?);
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} is no file's name", path.display()))?;
        found.push(Found { path: path.clone(), name: format!("{}{name}", arguments.prefix) });
    }
    if found.is_empty() {
        bail!("there is nothing to read: text, Markdown, HTML, PDF and Rust source are read");
    }
    Ok(found)
}

fn of_folder(folder: &Path, arguments: &Arguments) -> Result<Vec<Found>> {
    let (mut found, mut left_out) = (vec![], 0);
    for entry in walk(folder, &Rules::default())? {
        match entry {
            Entry::File { name, path, .. } => {
                if is_wanted(&path, &arguments.only) {
                    found.push(Found { path, name: format!("{}{name}", arguments.prefix) });
                }
            }
            Entry::Left { name, reason } if is_wanted(Path::new(&name), &arguments.only) => {
                left_out += 1;
                if left_out <= TOLD_MAX {
                    eprintln!("left out: {name}: {reason}");
                }
            }
            Entry::Left { .. } => {}
        }
    }
    if left_out > TOLD_MAX {
        eprintln!("left out: {} more", left_out - TOLD_MAX);
    }
    Ok(found)
}

fn is_wanted(path: &Path, only: &[String]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    only.is_empty() || only.iter().any(|wanted| wanted.eq_ignore_ascii_case(ending))
}

/// Makes the collection if it is not there.
async fn make(client: &Client, arguments: &Arguments) -> Result<()> {
    let there = client.ask("GET", "/v1/knowledge/collections", None).await?;
    let mut list = there["collections"].as_array().into_iter().flatten();
    if list.any(|collection| collection["name"] == arguments.collection) {
        return Ok(());
    }
    let body = json!({"name": arguments.collection, "embedder": arguments.embedder,
        "chunk_tokens": arguments.chunk_tokens});
    client.ask("POST", "/v1/knowledge/collections", Some(&body)).await?;
    Ok(())
}

async fn bring(client: &Client, arguments: &Arguments, document: &Found) -> Result<Value> {
    let bytes = tokio::fs::read(&document.path).await;
    let bytes = bytes.with_context(|| format!("reading {}", document.path.display()))?;
    let mut path =
        format!("{}/documents?name={}", of(&arguments.collection), in_path(&document.name));
    if let Some(attributes) = &arguments.attributes {
        path += &format!("&attributes={}", in_path(attributes));
    }
    client.put(&path, bytes).await
}

impl Total {
    fn note(&mut self, name: &str, outcome: Result<Value>) {
        match outcome {
            Ok(answer) => {
                let count = |field: &str| answer[field].as_u64().unwrap_or_default();
                self.documents += 1;
                self.written += count("written");
                self.kept += count("kept");
                self.removed += count("removed");
            }
            Err(error) => {
                self.failed += 1;
                eprintln!("\r\x1b[K{name}: {error:#}");
            }
        }
    }

    fn line(&self) -> String {
        let Self { documents, written, kept, removed, failed } = self;
        let mut line = format!(
            "{documents} documents: {written} chunks written, {kept} there already, {removed} \
             old ones removed"
        );
        if *failed > 0 {
            line += &format!("; {failed} documents could not be read, see above");
        }
        line
    }
}

/// A bar for people who watch.
fn progress(done: usize, all: usize, name: &str) {
    let mut out = std::io::stderr();
    if !out.is_terminal() {
        return;
    }
    let bar = "#".repeat(done * 20 / all.max(1));
    let name: String = name.chars().take(40).collect();
    // Nobody reads it any more: that is no failure.
    let _ = write!(out, "\r\x1b[K[{bar:20}] {done}/{all} {name}");
    if done == all {
        let _ = write!(out, "\r\x1b[K");
    }
    let _ = out.flush();
}
