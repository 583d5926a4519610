//! Traits that a type of the project lacks and can derive.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{quoted, said};
use crate::build::{Diagnostic, Files};
use crate::coder::items::{Item, Scan, What, scan};

/// What can be derived, with what has to be derived as well.
const TRAITS: &[(&str, &[&str])] = &[
    ("Debug", &[]),
    ("Clone", &[]),
    ("Copy", &["Clone"]),
    ("PartialEq", &[]),
    ("Eq", &["PartialEq"]),
    ("Hash", &[]),
    ("PartialOrd", &["PartialEq"]),
    ("Ord", &["PartialEq", "Eq", "PartialOrd"]),
    ("Default", &[]),
    ("Serialize", &[]),
    ("Deserialize", &[]),
];

/// Proposes to derive what the compiler misses.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let mut wanted = vec![];
    for text in said(error) {
        wanted.extend(lacks(text));
    }
    wanted.extend(candidate(error));
    wanted.sort_unstable();
    wanted.dedup();
    let edits = wanted.iter().filter_map(|(name, wanted)| {
        let edits = edits(files, name, wanted)?;
        let reason = format!("`{name}` derives `{wanted}`");
        Some(Proposal { edits, sure: Sure::Rule, reason })
    });
    edits.collect()
}

/// From sentences such as "`A` does not implement `B`" and "the trait bound `A: B` is not satisfied".
fn lacks(text: &str) -> Option<(&str, &'static str)> {
    let names = quoted(text);
    if text.contains("t implement ") || text.contains("does not implement") {
        let wanted = names.iter().rev().find_map(|name| derivable(name))?;
        let name = names.iter().rev().map(|name| plain(name)).find(|name| *name != wanted)?;
        return Some((name, wanted));
    }
    if text.contains("trait bound ") {
        let (name, wanted) = names.iter().find_map(|bound| bound.split_once(": "))?;
        return Some((plain(name), derivable(wanted)?));
    }
    None
}

/// From a missing method and the trait that has it.
fn candidate(error: &Diagnostic) -> Option<(&str, &'static str)> {
    if error.code.as_deref() != Some("E0599") {
        return None;
    }
    let wanted = said(error).find_map(|text| {
        let behind = text.split_once("perhaps you need to implement it")?.1;
        quoted(behind).iter().find_map(|name| derivable(name))
    })?;
    let names = quoted(&error.message);
    Some((plain(names.last()?), wanted))
}

fn derivable(name: &str) -> Option<&'static str> {
    let plain = plain(name);
    TRAITS.iter().map(|(own, _)| *own).find(|own| *own == plain)
}

/// A type's own name: without references, path and parameters.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches(['&', ' ']).trim_start_matches("mut ");
    let name = name.split(['<', ' ']).next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

fn edits(files: &Files, name: &str, wanted: &str) -> Option<Vec<Edit>> {
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let scan = scan(text);
        let is_it = |item: &&Item| item.what == What::Type && item.name == name;
        let Some(item) = scan.items.iter().find(is_it) else { continue };
        let head = text.get(item.bytes.0..item.bytes.1)?;
        let is_enum = scan.tokens.iter().any(|token| {
            token.is("enum") && token.start >= item.bytes.0 && token.start < item.bytes.1
        });
        if (wanted == "Default" && is_enum) || !has_body_of_a_type(head) {
            return None;
        }
        return Some(vec![derive(path, (text, &scan, item), wanted)]);
    }
    None
}

/// A trait or an alias derives nothing.
fn has_body_of_a_type(head: &str) -> bool {
    let keyword = |word: &str| head.contains(&format!("{word} "));
    (keyword("struct") || keyword("enum"))
        && !head.starts_with("trait")
        && !head.starts_with("type")
}

fn derive(path: &str, place: (&str, &Scan<'_>, &Item), wanted: &str) -> Edit {
    let (text, scan, item) = place;
    let inside = |start: usize| start >= item.bytes.0 && start < item.bytes.1;
    let list = scan.tokens.iter().position(|token| token.is("derive") && inside(token.start));
    let close = list.and_then(|list| {
        let rest = scan.tokens.get(list..)?;
        rest.iter().position(|token| token.is(")")).map(|length| &rest[..=length])
    });
    let has = |name: &str| close.is_some_and(|list| list.iter().any(|token| token.is(name)));
    let also = TRAITS.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, also)| also);
    let names = also.iter().copied().chain([wanted]).filter(|name| !has(name));
    let names: Vec<_> = names.map(|name| spelled(text, name)).collect();
    match close {
        Some([.., open, last]) if open.is("(") => Edit::insert(path, last.start, &names.join(", ")),
        Some([.., last]) => Edit::insert(path, last.start, &format!(", {}", names.join(", "))),
        _ => Edit::insert(path, item.bytes.0, &format!("#[derive({})]\n", names.join(", "))),
    }
}

/// serde's traits are not always imported.
fn spelled(text: &str, name: &str) -> String {
    let is_foreign = matches!(name, "Serialize" | "Deserialize");
    let imports = text.lines().any(|line| line.contains("use serde") && line.contains(name));
    if is_foreign && !imports { format!("serde::{name}") } else { name.to_owned() }
}
