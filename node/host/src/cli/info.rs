//! `gaia-node info`: versions, places, models, and what this machine computes with.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::config::{Config, Overrides};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints it, as text for people or as JSON.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.overrides)?;
    let info = gather(&config)?;
    if arguments.json {
        super::print(&serde_json::to_string_pretty(&info)?)?;
    } else {
        let mut text = String::new();
        render(&mut text, &info, 0);
        super::print(text.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn gather(config: &Config) -> Result<Value> {
    let binary = config.worker_binary()?;
    let models = config.models.iter().map(|model| {
        json!({
            "name": model.model.name,
            "kind": model.model.kind,
            "path": model.model.path,
            "path_exists": model.model.path.exists(),
            "takes_pictures": model.model.mmproj_path.is_some(),
            "app": model.app.path,
            "app_exists": model.app.path.exists(),
        })
    });
    let upstreams = config.upstreams.iter().map(|upstream| {
        json!({
            "name": upstream.name,
            "kind": upstream.kind,
            "url": upstream.url,
            "model": upstream.model,
            "takes_pictures": upstream.pictures,
        })
    });
    let worker = machine(&binary).unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "home": config.places.node_home,
        "listen": config.server.listen,
        "worker_binary": binary,
        "models": models.collect::<Vec<_>>(),
        "upstreams": upstreams.collect::<Vec<_>>(),
        "worker": worker,
    }))
}

/// What the worker says of this machine: only it links the engines.
fn machine(binary: &Path) -> Result<Value> {
    let name = binary.display();
    let output =
        Command::new(binary).arg("info").output().with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} info failed ({}): {}", output.status, said.trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name} info is not JSON"))
}

/// Indented lines of `key: value`.
fn render(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (format!("{key}:"), value)).collect(),
        Value::Array(list) => list.iter().map(|value| ("-".to_owned(), value)).collect(),
        _ => return,
    };
    for (key, value) in entries {
        let line = match value {
            Value::Object(_) | Value::Array(_) => format!("{indent}{key}"),
            Value::String(string) => format!("{indent}{key} {string}"),
            other => format!("{indent}{key} {other}"),
        };
        writeln!(text, "{line}").expect("a string takes any text");
        render(text, value, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_lines() {
        let mut text = String::new();
        render(&mut text, &json!({"a": 1, "b": [{"c": "d"}]}), 0);
        assert_eq!(text, "a: 1\nb:\n  -\n    c: d\n");
    }
}
