//! Proposals for errors to which the compiler tells the cure in words alone, or not at all.
//!
//! Each rule is exact: it follows from the error and the place, and says nothing where it is not
//! sure what was meant. The compiler and the tests decide, as ever.

mod privacy;

use super::proposals::Proposal;
use crate::build::{BuildReport, Diagnostic, Files};

/// What the rules propose for one error.
pub(super) fn for_error(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let rules: [fn(&Files, &Diagnostic) -> Vec<Proposal>; 1] = [privacy::propose];
    rules.iter().flat_map(|rule| rule(files, error)).collect()
}

/// What the rules propose for the project as a whole.
pub(super) fn for_project(_files: &Files, _report: &BuildReport) -> Vec<Proposal> {
    vec![]
}

/// The byte of a place in a text: a line and a column, both counted from 1.
pub(super) fn byte_at(text: &str, line: u32, column: u32) -> Option<usize> {
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
