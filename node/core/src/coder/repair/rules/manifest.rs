//! What is missing in a manifest: a dependency, an edition.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{quoted, said};
use crate::build::{Crates, Diagnostic, Files};

/// Features with which common crates are mostly used.
pub(super) const USUAL: &[(&str, &str)] =
    &[("serde", "\"derive\""), ("tokio", "\"full\""), ("clap", "\"derive\""), ("uuid", "\"v4\"")];

/// Versions of one crate that are proposed.
const VERSIONS_MAX: usize = 3;

/// Proposes another edition for the package at fault.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let Some(path) = manifest(files, error) else { return vec![] };
    let about_editions = ["edition 20", "Rust 2015", "Rust 2024", "Rust 2018", "Rust 2021"];
    if !said(error).any(|text| about_editions.iter().any(|words| text.contains(words))) {
        return vec![];
    }
    let years = ["2021", "2024", "2018"].iter();
    years.filter_map(|year| edition(path, &files[path], year)).collect()
}

/// Proposes the crates that are missing, in the versions that can be had here.
pub(super) fn dependencies(
    (files, crates): (&Files, &Crates),
    error: &Diagnostic,
) -> Vec<Proposal> {
    let Some(path) = manifest(files, error) else { return vec![] };
    let mut all: Vec<_> = said(error).filter_map(crate_name).collect();
    all.sort_unstable();
    all.dedup();
    let added = |name: &str| dependency((path, &files[path]), crates, name);
    all.into_iter().flat_map(added).collect()
}

/// The manifest of the package that the error is in.
pub(super) fn manifest<'a>(files: &'a Files, error: &Diagnostic) -> Option<&'a str> {
    let file = error.primary().map_or("", |span| span.file.as_str());
    let own = files.keys().filter(|path| {
        let folder = path.strip_suffix("Cargo.toml");
        folder.is_some_and(|folder| file.starts_with(folder) && files[*path].contains("[package]"))
    });
    own.max_by_key(|path| path.len()).map(String::as_str)
}

fn crate_name(text: &str) -> Option<&str> {
    let says = ["unlinked crate", "use `cargo add ", "can't find crate for", "missing crate"];
    if !says.iter().any(|words| text.contains(words)) {
        return None;
    }
    let name = quoted(text).into_iter().find(|name| !name.contains(' '))?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && !matches!(name, "crate" | "self" | "super" | "std")).then_some(name)
}

/// Code writes `_` where a crate's name may have `-`.
fn dependency(manifest: (&str, &str), crates: &Crates, name: &str) -> Vec<Proposal> {
    let spelt = crates.iter().find(|(own, _)| own.replace('-', "_") == name);
    let Some((name, offer)) = spelt else { return vec![] };
    let newest = offer.requirements.iter().rev().take(VERSIONS_MAX);
    newest.map(|version| with_dependency(manifest, (name, version))).collect()
}

fn with_dependency((path, text): (&str, &str), (name, version): (&str, &str)) -> Proposal {
    let value = match USUAL.iter().find(|(own, _)| *own == name) {
        Some((_, features)) => format!("{{ version = \"{version}\", features = [{features}] }}"),
        None => format!("\"{version}\""),
    };
    let line = format!("{name} = {value}\n");
    let edit = match line_behind(text, "[dependencies]") {
        Some(place) => Edit::insert(path, place, &line),
        None => {
            let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
            Edit::insert(path, text.len(), &format!("{gap}[dependencies]\n{line}"))
        }
    };
    let reason = format!("the crate `{name}` becomes a dependency");
    Proposal { edits: vec![edit], sure: Sure::Rule, reason }
}

fn edition(path: &str, text: &str, year: &str) -> Option<Proposal> {
    let line = format!("edition = \"{year}\"\n");
    let start = line_start(text, "edition");
    let edit = match start {
        Some(start) => {
            let end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
            Edit { end, ..Edit::insert(path, start, &line) }
        }
        None => Edit::insert(path, line_behind(text, "[package]")?, &line),
    };
    let reason = format!("the edition is {year}");
    Some(Proposal { edits: vec![edit], sure: Sure::Rule, reason })
}

fn line_start(text: &str, beginning: &str) -> Option<usize> {
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(beginning) {
            return Some(place);
        }
        place += line.len();
    }
    None
}

/// The place behind a line.
fn line_behind(text: &str, line: &str) -> Option<usize> {
    let start = line_start(text, line)?;
    text[start..].find('\n').map(|length| start + length + 1)
}
