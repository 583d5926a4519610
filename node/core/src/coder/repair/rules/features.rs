//! Features of a crate that the code needs and its manifest does not ask for.
//!
//! Of what a feature hides the compiler says that it is not there, or proposes a namesake of another
//! crate. So where it can't find something of a common crate, that crate gets the features with which
//! it is mostly used.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::manifest::{USUAL, manifest};
use super::{byte_at, quoted, said};
use crate::build::{Diagnostic, Files};

/// Derive macros by their crates: of such a one the compiler says no more than its name.
const DERIVES: &[(&str, &[&str])] = &[
    ("serde", &["Serialize", "Deserialize"]),
    ("clap", &["Parser", "Args", "Subcommand", "ValueEnum"]),
];

/// Proposes features for a crate in which something was not found.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let Some(path) = manifest(files, error) else { return vec![] };
    let of_common = USUAL.iter().filter(|(name, _)| misses(files, error, name));
    let proposals = of_common.filter_map(|(name, usual)| {
        let edit = asked(path, &files[path], (name, usual))?;
        let reason = format!("the crate `{name}` gets the features it is mostly used with");
        Some(Proposal { edits: vec![edit], sure: Sure::Rule, reason })
    });
    proposals.collect()
}

/// Whether something of this crate was not found.
fn misses(files: &Files, error: &Diagnostic, name: &str) -> bool {
    if error.message.contains("cannot find derive macro") {
        let macros = DERIVES.iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, all)| all);
        return quoted(&error.message).iter().any(|wanted| macros.contains(wanted));
    }
    if !matches!(error.code.as_deref(), Some("E0432" | "E0433")) {
        return false;
    }
    let path = format!("{name}::");
    let named = |word: &&str| *word == name || word.starts_with(&path);
    said(error).flat_map(quoted).any(|word| named(&word)) || line(files, error).contains(&path)
}

/// The line that the error is in.
fn line<'a>(files: &'a Files, error: &Diagnostic) -> &'a str {
    let line = error.primary().and_then(|span| {
        let text = files.get(&span.file)?;
        text[byte_at(text, span.line_start, 1)?..].lines().next()
    });
    line.unwrap_or_default()
}

/// What stands between the brackets of a dependency's features.
fn features(value: &str) -> Option<&str> {
    let behind = value.split_once("features = [")?.1;
    Some(behind.split_once(']')?.0)
}

/// The change that asks for features in a crate's line, if it stands there without them.
fn asked(path: &str, text: &str, (name, wanted): (&str, &str)) -> Option<Edit> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let own = line.split_once('=').filter(|(own, _)| own.trim() == name);
        if let Some((_, value)) = own {
            let value = value.trim();
            let asked = with(value, wanted)?;
            let place = start + line.find(value)?;
            return Some(Edit { end: place + value.len(), ..Edit::insert(path, place, &asked) });
        }
        start += line.len();
    }
    None
}

/// A dependency's value with more features; none if it has them, or is written in another way.
fn with(value: &str, wanted: &str) -> Option<String> {
    if value.starts_with('"') && value.ends_with('"') && value.len() > 1 {
        return Some(format!("{{ version = {value}, features = [{wanted}] }}"));
    }
    let table = value.strip_prefix('{')?.strip_suffix('}')?;
    match features(value) {
        Some(own) if own.contains(wanted) => None,
        Some(own) if own.trim().is_empty() => {
            Some(value.replacen("features = [", &format!("features = [{wanted}"), 1))
        }
        Some(_) => Some(value.replacen("features = [", &format!("features = [{wanted}, "), 1)),
        // It is written without blanks, or over several lines.
        None if table.contains("features") => None,
        None => {
            Some(format!("{{ {}, features = [{wanted}] }}", table.trim().trim_end_matches(',')))
        }
    }
}
