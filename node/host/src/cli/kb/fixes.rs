//! `gaia-node kb fixes`: what the coder of a running node remembers.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use gaia_core::coder::Fix;
use gaia_core::coder::fixes::FixLine;
use serde_json::{Value, json};

use crate::cli::client::{Client, in_path};

/// Fixes asked for at once: a page stays far below the limit on answers.
const PAGE: usize = 100;

/// Bytes of a file that is imported, and of what one request carries of it.
const FILE_BYTES_MAX: u64 = 256 << 20;
const REQUEST_BYTES: usize = 512 << 10;

/// Refused fixes that are shown.
const REFUSED_SHOWN: usize = 10;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the fixes that may help you; with an admin key, all
    List {
        /// Of this error alone, such as E0382
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// Print them as the node has them, one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write the fixes as JSON lines, for other nodes
    Export {
        /// The new file; without it, standard output
        file: Option<PathBuf>,
    },
    /// Take over fixes from such a file
    ///
    /// They help your key alone until they have helped twice. What is there already stays as it is.
    Import {
        /// The file
        file: PathBuf,
        /// Where they come from; without it, the file's name
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
        /// They help everyone at once, and their counts are taken over
        #[arg(long)]
        trust: bool,
    },
    /// Forget fixes
    Forget {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Asks the node.
pub async fn run(client: &Client, command: Command) -> Result<()> {
    match command {
        Command::List { code, json } => list(client, code.as_deref(), json).await,
        Command::Export { file } => export(client, file.as_deref()).await,
        Command::Import { file, origin, trust } => {
            let origin = origin.map_or_else(|| name_of(&file), Ok)?;
            import(client, &file, (&origin, trust)).await
        }
        Command::Forget { ids } => {
            for id in ids {
                client.ask("DELETE", &format!("/v1/fixes/{}", in_path(&id)), None).await?;
                crate::cli::print(&format!("{id} is forgotten"))?;
            }
            Ok(())
        }
    }
}

/// A page, and where the next one begins.
async fn page(client: &Client, from: Option<&str>) -> Result<(Vec<Value>, Option<String>)> {
    let mut path = format!("/v1/fixes?limit={PAGE}");
    if let Some(from) = from {
        path += &format!("&from={}", in_path(from));
    }
    let mut answer = client.ask("GET", &path, None).await?;
    let Value::Array(fixes) = answer["fixes"].take() else {
        bail!("the node's answer has no fixes")
    };
    Ok((fixes, answer["next"].as_str().map(str::to_owned)))
}

async fn list(client: &Client, code: Option<&str>, json: bool) -> Result<()> {
    let mut from = None;
    loop {
        let (mut fixes, next) = page(client, from.as_deref()).await?;
        fixes.retain(|fix| code.is_none_or(|code| fix["code"] == code));
        for fix in &fixes {
            crate::cli::print(&if json { fix.to_string() } else { shown(fix) })?;
        }
        match next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}

/// A fix for people.
fn shown(fix: &Value) -> String {
    let text = |name: &str| fix[name].as_str().unwrap_or_default();
    let mut line = format!(
        "{}  {} {}\n    helped {} of {} times, from {}{}",
        text("id"),
        text("code"),
        text("message"),
        fix["helped"],
        fix["used"],
        if text("origin").is_empty() { "another key" } else { text("origin") },
        if fix["trusted"] == true { "" } else { ", not trusted" },
    );
    for (mark, lines) in [('-', text("before")), ('+', text("after"))] {
        for one in lines.lines() {
            write!(line, "\n  {mark} {one}").expect("a string takes any text");
        }
    }
    line
}

async fn export(client: &Client, file: Option<&Path>) -> Result<()> {
    let (mut text, mut from, mut count) = (String::new(), None, 0);
    loop {
        let (fixes, next) = page(client, from.as_deref()).await?;
        for fix in fixes {
            let fix: Fix = serde_json::from_value(fix).context("the node's answer is no fix")?;
            text += &serde_json::to_string(&FixLine::from(fix))?;
            text.push('\n');
            count += 1;
        }
        match next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    let Some(file) = file else { return crate::cli::print(text.trim_end()) };
    if file.exists() {
        bail!("{} is there already: choose another name", file.display());
    }
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    crate::cli::print(&format!("{count} fixes"))
}

async fn import(client: &Client, file: &Path, (origin, trusted): (&str, bool)) -> Result<()> {
    let context = || format!("reading {}", file.display());
    let bytes = file.metadata().with_context(context)?.len();
    if bytes > FILE_BYTES_MAX {
        bail!("{} holds {bytes} bytes: at most {FILE_BYTES_MAX} are read", file.display());
    }
    let text = std::fs::read_to_string(file).with_context(context)?;
    let (mut imported, mut known, mut refused) = (0, 0, 0);
    for (first, lines) in parts(&text) {
        let body = json!({"origin": origin, "trusted": trusted, "lines": lines});
        let answer = client.ask("POST", "/v1/fixes/import", Some(&body)).await;
        let answer = answer.with_context(|| format!("the lines from {first} on"))?;
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        imported += count("imported");
        known += count("known");
        refused += count("refused_count");
        let told = answer["refused"].as_array().into_iter().flatten();
        for one in told.take(REFUSED_SHOWN) {
            let reason = one["reason"].as_str().unwrap_or_default();
            crate::cli::print(&format!("refused, fix {} from line {first}: {reason}", one["fix"]))?;
        }
    }
    crate::cli::print(&format!("{imported} new, {known} known already, {refused} refused"))
}

/// Whole lines, as many as one request carries, and the number of the first.
fn parts(text: &str) -> Vec<(usize, String)> {
    let mut parts: Vec<(usize, String)> = vec![];
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match parts.last_mut() {
            Some((_, part)) if part.len() + line.len() < REQUEST_BYTES => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push((number, line.to_owned())),
        }
    }
    parts
}

fn name_of(file: &Path) -> Result<String> {
    let name = file.file_name().and_then(|name| name.to_str());
    Ok(name.context("the file's name must be UTF-8: give --origin")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_in_parts_of_whole_lines() {
        assert_eq!(parts("\n \n"), []);
        assert_eq!(parts("a\n\nb\n"), [(1, "a\nb".to_owned())]);
        let long = "x".repeat(REQUEST_BYTES);
        let sent = parts(&format!("a\n{long}\nb"));
        assert_eq!(sent.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
