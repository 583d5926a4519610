//! `gaia-node models`: asks a running node to load, unload, swap or remove models.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, Connection, in_path};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Do not wait for the end of what was asked for
    #[arg(long, global = true)]
    no_wait: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the models, their states and what they cost
    List {
        /// Print the node's answer as it is
        #[arg(long)]
        json: bool,
    },
    /// Load a model that the node knows, or with --path a new one
    ///
    /// The node's config file is not changed: its next start serves what the file says.
    Load {
        /// The model's name
        name: String,
        #[command(flatten)]
        keys: Keys,
    },
    /// Give a model's memory back once its requests have ended
    Unload {
        /// The model's name
        name: String,
    },
    /// Change a model without dropping a request: the new one loads before the old one ends
    Swap {
        /// The model's name
        name: String,
        #[command(flatten)]
        keys: Keys,
    },
    /// Take a model away once its requests have ended
    Remove {
        /// The model's name
        name: String,
    },
}

/// The keys of `[[models]]`.
#[derive(Debug, clap::Args)]
struct Keys {
    /// Its GGUF file, in one of the node's admin.model_dirs; relative to the current folder
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// What it is for: chat (the default for a new model) or embedding
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Another key of [[models]] and its value as TOML, such as context_tokens=4096 or load="demand";
    /// an empty value is the key's default
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Asks the node; exit code 1 if it refuses or fails.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let client = arguments.connection.open()?;
    let (method, path, body) = match arguments.command {
        Command::List { json } => return list(&client, json).await,
        Command::Load { name, keys } if keys.path.is_some() => {
            ("POST", "/admin/models".to_owned(), Some(new_model(name, keys)?))
        }
        Command::Load { keys, .. } if !keys.is_empty() => {
            bail!("--kind and --set belong to a new model: give its file with --path, or use swap")
        }
        Command::Load { name, .. } => ("POST", of(&name) + "/load", None),
        Command::Unload { name } => ("POST", of(&name) + "/unload", None),
        Command::Swap { keys, .. } if keys.is_empty() => {
            bail!("a swap changes something: give --path, --set or both")
        }
        Command::Swap { name, keys } => ("PUT", of(&name), Some(Value::Object(keys.read()?))),
        Command::Remove { name } => ("DELETE", of(&name), None),
    };
    let path = if arguments.no_wait { path } else { path + "?wait=true" };
    let answer = client.ask(method, &path, body.as_ref()).await?;
    super::print(&line(&answer))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, json: bool) -> Result<ExitCode> {
    let answer = client.ask("GET", "/admin/models", None).await?;
    if json {
        super::print(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for model in answer["models"].as_array().context("the node's answer has no models")? {
        super::print(&line(model))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn new_model(name: String, keys: Keys) -> Result<Value> {
    let mut body = keys.read()?;
    body.entry("name").or_insert(json!(name));
    body.entry("kind").or_insert(json!("chat"));
    Ok(Value::Object(body))
}

impl Keys {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.kind.is_none() && self.set.is_empty()
    }

    fn read(self) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        for pair in &self.set {
            let (key, value) = setting(pair)?;
            body.insert(key, value);
        }
        if let Some(path) = self.path {
            let path =
                std::path::absolute(&path).with_context(|| format!("--path {}", path.display()))?;
            let text = path.to_str().context("--path must be UTF-8")?;
            body.insert("path".into(), json!(text));
        }
        if let Some(kind) = self.kind {
            body.insert("kind".into(), json!(kind));
        }
        Ok(body)
    }
}

/// `key=value`, the value as TOML; a word that is no TOML value is a string.
fn setting(pair: &str) -> Result<(String, Value)> {
    let (key, written) =
        pair.split_once('=').with_context(|| format!("--set {pair}: write KEY=VALUE"))?;
    let key = key.trim();
    if written.trim().is_empty() {
        return Ok((key.to_owned(), Value::Null));
    }
    let value = match format!("value = {written}").parse::<toml::Table>() {
        Ok(mut table) if table.len() == 1 => table.remove("value"),
        _ => None,
    };
    let value = match value {
        Some(value) => serde_json::to_value(value)?,
        None => json!(written.trim()),
    };
    Ok((key.to_owned(), value))
}

/// The path of one model; a slash in its name is no part of the path.
fn of(name: &str) -> String {
    format!("/admin/models/{}", in_path(name))
}

/// One model for people.
fn line(model: &Value) -> String {
    let text = |key: &str| model[key].as_str().unwrap_or_default().to_owned();
    let mut line = format!("{:10} {}", text("state"), text("name"));
    let aliases = model["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for (index, alias) in aliases.enumerate() {
        line += if index == 0 { " = " } else { ", " };
        line += alias;
    }
    if let Some(path) = model["path"].as_str() {
        line += &format!("  {path}");
    }
    if let Some(idle_s) = model["idle_s"].as_u64() {
        line += &format!("  idle {idle_s} s");
    }
    if let Some(bytes) = model["stats"]["memory_bytes"].as_u64().filter(|bytes| *bytes > 0) {
        line += &format!("  {} MiB", bytes >> 20);
    }
    if let Some(layers) = model["card"]["gpu_layers"].as_u64().filter(|layers| *layers > 0) {
        line += &format!("  {layers} layers on the GPU");
    }
    for key in ["reason", "last_error"] {
        if let Some(reason) = model[key].as_str() {
            line += &format!("\n           {}: {reason}", key.replace('_', " "));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_toml_or_a_word() {
        assert!(setting("context_tokens").is_err());
        for (written, key, value) in [
            ("context_tokens=4096", "context_tokens", json!(4096)),
            ("load=demand", "load", json!("demand")),
            ("load=\"demand\"", "load", json!("demand")),
            ("aliases=[\"a\", \"b\"]", "aliases", json!(["a", "b"])),
            ("context_tokens=", "context_tokens", Value::Null),
            ("x=1\ny=2", "x", json!("1\ny=2")),
        ] {
            assert_eq!(setting(written).expect(written), (key.to_owned(), value));
        }
    }

    #[test]
    fn a_name_is_one_part_of_the_path() {
        assert_eq!(of("org/model:7b"), "/admin/models/org%2Fmodel%3A7b");
    }

    #[test]
    fn people_read_a_line() {
        let model = json!({
            "name": "m", "state": "down", "aliases": ["a", "b"], "path": "/m.gguf", "idle_s": null,
            "reason": "it broke", "last_error": null, "stats": {"memory_bytes": 0},
        });
        assert_eq!(line(&model), "down       m = a, b  /m.gguf\n           reason: it broke");
        assert_eq!(line(&json!({"name": "m", "state": "removed"})), "removed    m");
    }
}
