//! Proposals for errors to which the compiler tells the cure in words alone, or not at all.
//!
//! Each rule follows from the error and the place, and says nothing where it is not sure what was
//! meant. The compiler and the tests decide, as ever.

mod delimiters;
mod derive;
mod expected;
mod features;
mod imports;
mod manifest;
mod modules;
mod privacy;
#[cfg(test)]
mod tests;
mod types;

use super::proposals::Proposal;
use crate::build::{Crates, Diagnostic, Files};

type Rule = fn(&Files, &Diagnostic) -> Vec<Proposal>;

const RULES: &[Rule] = &[
    derive::propose,
    modules::propose,
    imports::propose,
    manifest::propose,
    features::propose,
    delimiters::propose,
    expected::propose,
    types::propose,
    privacy::propose,
];

/// What the rules propose for one error; `crates` are those that can be had.
pub(super) fn for_error((files, crates): (&Files, &Crates), error: &Diagnostic) -> Vec<Proposal> {
    let all = RULES.iter().flat_map(|rule| rule(files, error));
    all.chain(manifest::dependencies((files, crates), error)).collect()
}

/// All that is said of an error: its message, its labels, its notes.
fn said(error: &Diagnostic) -> impl Iterator<Item = &str> {
    let labels = error.spans.iter().filter_map(|span| span.label.as_deref());
    let notes = error.children.iter().map(|child| child.message.as_str());
    [error.message.as_str()].into_iter().chain(labels).chain(notes)
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The byte of a place in a text: a line and a column, both counted from 1.
fn byte_at(text: &str, line: u32, column: u32) -> Option<usize> {
    let mut start = 0;
    for _ in 1..line {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let rest = text.get(start..)?;
    let own = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let skipped = column.saturating_sub(1) as usize;
    let inside = own.char_indices().nth(skipped).map_or(own.len(), |(place, _)| place);
    Some(start + inside)
}
