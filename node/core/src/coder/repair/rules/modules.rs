//! Modules whose file is there and that are not declared, and misspelt ones.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{byte_at, quoted, said};
use crate::build::{Diagnostic, Files};
use crate::coder::items::{What, scan};

/// Proposes a declaration, or the name of a module that is spelt almost so.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    if !matches!(error.code.as_deref(), Some("E0432" | "E0433")) {
        return vec![];
    }
    let names = said(error).flat_map(quoted);
    let mut names: Vec<_> = names.map(|name| name.rsplit("::").next().unwrap_or(name)).collect();
    names.sort_unstable();
    names.dedup();
    let declared = names.iter().flat_map(|name| declaration(files, name));
    let renamed = names.iter().flat_map(|name| spelling(files, error, name));
    declared.chain(renamed).collect()
}

/// `mod name;` where `src/name.rs` is and no module has that name.
fn declaration(files: &Files, name: &str) -> Option<Proposal> {
    let own = |path: &&String| {
        path.ends_with(&format!("src/{name}.rs")) || path.ends_with(&format!("src/{name}/mod.rs"))
    };
    let path = files.keys().find(own).filter(|_| !modules(files).any(|own| own == name))?;
    let folder = &path[..path.rfind("src/")? + 4];
    let (root, keyword) = match files.contains_key(&format!("{folder}lib.rs")) {
        true => (format!("{folder}lib.rs"), "pub mod"),
        false => (format!("{folder}main.rs"), "mod"),
    };
    let text = files.get(&root)?;
    let place = first_line(text, &["mod ", "pub mod "])
        .or_else(|| first_line(text, &["use ", "pub use "]))
        .or_else(|| first_line(text, &[""]))?;
    let edits = vec![Edit::insert(&root, place, &format!("{keyword} {name};\n"))];
    Some(Proposal { edits, sure: Sure::Rule, reason: format!("the module `{name}` is declared") })
}

/// The first line that begins so and is no inner attribute or comment.
fn first_line(text: &str, beginnings: &[&str]) -> Option<usize> {
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let is_inner = line.starts_with("#!") || line.starts_with("//") || line.trim().is_empty();
        if !is_inner && beginnings.iter().any(|own| line.starts_with(own)) {
            return Some(place);
        }
        place += line.len();
    }
    None
}

fn modules(files: &Files) -> impl Iterator<Item = String> {
    let sources = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let items = sources.flat_map(|(_, text)| scan(text).items);
    items.filter(|item| item.what == What::Module).map(|item| item.name)
}

fn spelling(files: &Files, error: &Diagnostic, name: &str) -> Vec<Proposal> {
    let Some(span) = error.primary() else { return vec![] };
    let Some(text) = files.get(&span.file) else { return vec![] };
    let place = byte_at(text, span.line_start, span.column_start);
    let Some(start) = place.filter(|start| text[*start..].starts_with(name)) else { return vec![] };
    let near = modules(files).filter(|own| own != name && distance(own, name) <= 2);
    let proposal = |own: String| {
        let edit = Edit { end: start + name.len(), ..Edit::insert(&span.file, start, &own) };
        let reason = format!("`{name}` is spelt `{own}`");
        Proposal { edits: vec![edit], sure: Sure::Rule, reason }
    };
    near.map(proposal).collect()
}

/// How many letters differ, for words of ordinary length.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    if one.len().max(other.len()) > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, own) in one.iter().enumerate() {
        let mut corner = row[0];
        row[0] = line + 1;
        for (column, its) in other.iter().enumerate() {
            let change = corner + usize::from(own != its);
            corner = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}
