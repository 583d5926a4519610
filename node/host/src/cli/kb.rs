//! `gaia-node kb`: fills and searches the knowledge bases of a running node.

mod fixes;
mod ingest;
mod portable;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, Connection, in_path};

/// Characters of a passage that a person is shown.
const EXCERPT_CHARS: usize = 300;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the collections, or with --documents what one holds
    List {
        /// The collection whose documents to show
        #[arg(long, value_name = "COLLECTION")]
        documents: Option<String>,
    },
    /// Bring files and folders in: text, Markdown, HTML, PDF and Rust source
    ///
    /// What is there already stays; what changed is replaced. Cut off and run again, it goes on where
    /// it was.
    Ingest(ingest::Arguments),
    /// Find passages
    Search {
        /// What to look for
        query: String,
        /// Where; may be given several times
        #[arg(long = "collection", short, value_name = "COLLECTION", required = true)]
        collections: Vec<String>,
        /// Passages at most
        #[arg(long, default_value_t = 5)]
        limit: u32,
        /// hybrid, vector or words
        #[arg(long, default_value = "hybrid")]
        mode: String,
        /// Print the node's answer as it is
        #[arg(long)]
        json: bool,
    },
    /// Remove a collection, or with --document one document
    Delete {
        /// The collection
        collection: String,
        /// The document to remove instead of the whole collection
        #[arg(long, value_name = "NAME")]
        document: Option<String>,
    },
    /// Write a snapshot that a Qdrant server accepts, in one of the node's knowledge.snapshot_dirs
    Snapshot {
        /// The collection
        collection: String,
        /// The new file
        file: PathBuf,
    },
    /// Bring a collection's indices up to date, and its words in line where these are kept elsewhere
    ///
    /// Opens it again, if it could not be read and has been mended.
    Optimize {
        /// The collection
        collection: String,
    },
    /// Write a collection to one file that outlives engines and embedding models
    Export(portable::Export),
    /// Make a collection of such a file, all of it or nothing, while the node serves
    ///
    /// If another model is served than the one that made its vectors, its texts are embedded anew.
    Import(portable::Import),
    /// Replace a collection by a Qdrant snapshot, while the node serves
    Restore {
        /// The collection
        collection: String,
        /// A file in one of the node's knowledge.snapshot_dirs, or an https address
        snapshot: String,
        /// The snapshot's checksum
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// The model that made its vectors
        #[arg(long, value_name = "MODEL")]
        embedder: Option<String>,
    },
    /// Show, export, import and forget the fixes that the coder remembers
    #[command(subcommand)]
    Fixes(fixes::Command),
}

/// Asks the node; exit code 1 if it refuses or fails.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let client = arguments.connection.open()?;
    match arguments.command {
        Command::List { documents: None } => list(&client).await?,
        Command::List { documents: Some(collection) } => documents(&client, &collection).await?,
        Command::Ingest(arguments) => return ingest::run(&client, arguments).await,
        Command::Search { query, collections, limit, mode, json } => {
            let body = json!({"query": query, "collections": collections, "limit": limit,
                "mode": mode});
            search(&client, &body, json).await?;
        }
        Command::Delete { collection, document } => {
            let mut path = of(&collection);
            if let Some(name) = document {
                path += &format!("/documents?name={}", in_path(&name));
            }
            client.ask("DELETE", &path, None).await?;
            super::print("deleted")?;
        }
        Command::Snapshot { collection, file } => {
            let body = json!({"file": absolute(&file)?});
            let path = of(&collection) + "/snapshot";
            let answer = client.ask("POST", &path, Some(&body)).await?;
            super::print(&format!("{} bytes", answer["bytes"]))?;
        }
        Command::Optimize { collection } => {
            let answer = client.ask("POST", &(of(&collection) + "/optimize"), None).await?;
            super::print(&line(&answer))?;
        }
        Command::Export(arguments) => portable::export(&client, arguments).await?,
        Command::Import(arguments) => portable::import(&client, arguments).await?,
        Command::Restore { collection, snapshot, sha256, embedder } => {
            let is_url = snapshot.contains("://");
            let snapshot = if is_url { snapshot } else { absolute(&PathBuf::from(snapshot))? };
            let body = json!({"snapshot": snapshot, "sha256": sha256, "embedder": embedder,
                "stream": true});
            let path = of(&collection) + "/restore";
            super::print(&line(&portable::watch(&client, &path, &body).await?))?;
        }
        Command::Fixes(command) => fixes::run(&client, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client) -> Result<()> {
    let answer = client.ask("GET", "/v1/knowledge/collections", None).await?;
    let list = answer["collections"].as_array().context("the node's answer has no collections")?;
    if list.is_empty() {
        return super::print("no collections yet: `gaia-node kb ingest --collection NAME PATH`");
    }
    list.iter().try_for_each(|collection| super::print(&line(collection)))
}

async fn documents(client: &Client, collection: &str) -> Result<()> {
    let answer = client.ask("GET", &(of(collection) + "/documents"), None).await?;
    let list = answer["documents"].as_array().context("the node's answer has no documents")?;
    let line = |document: &Value| {
        format!("{:6} {}", document["chunks"], document["name"].as_str().unwrap_or_default())
    };
    list.iter().try_for_each(|document| super::print(&line(document)))
}

async fn search(client: &Client, body: &Value, json: bool) -> Result<()> {
    let answer = client.ask("POST", "/v1/knowledge/search", Some(body)).await?;
    if json {
        return super::print(&serde_json::to_string_pretty(&answer)?);
    }
    let passages = answer["passages"].as_array().context("the node's answer has no passages")?;
    if passages.is_empty() {
        return super::print("nothing was found");
    }
    passages.iter().try_for_each(|passage| super::print(&shown(passage)))
}

/// A passage for people.
fn shown(passage: &Value) -> String {
    let text = |name: &str| passage[name].as_str().unwrap_or_default();
    let place: Vec<_> = ["document", "heading", "place"].into_iter().map(text).collect();
    let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).collect();
    let words = text("text").split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt: String = words.chars().take(EXCERPT_CHARS).collect();
    let score = passage["similarity"].as_f64().or(passage["score"].as_f64()).unwrap_or_default();
    format!("{score:.3} {}\n      {excerpt}", place.join(" · "))
}

/// A collection for people.
fn line(collection: &Value) -> String {
    let text = |name: &str| collection[name].as_str().unwrap_or_default();
    let (name, points, dimension) = (text("name"), &collection["points"], &collection["dimension"]);
    if text("state") == "broken" {
        return format!("{name}  can't be read: {}", text("reason"));
    }
    let mut line = format!("{name}  {points} points of {dimension} values");
    for (what, value) in [("by", text("embedder")), ("-", text("description"))] {
        if !value.is_empty() {
            line += &format!(" {what} {value}");
        }
    }
    line
}

fn of(collection: &str) -> String {
    format!("/v1/knowledge/collections/{}", in_path(collection))
}

fn absolute(path: &std::path::Path) -> Result<String> {
    let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
    path.to_str().map(str::to_owned).context("the path must be UTF-8")
}
