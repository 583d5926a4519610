//! What the compiler itself proposes, and what follows from its words without a doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::{Edit, choices};
use super::rules;
use crate::build::{Applicability, BuildReport, Crates, Diagnostic, Files, Suggestion};
use crate::coder::items::scan;

/// Errors that are looked at in one state; the others may be gone with them.
const ERRORS_MAX: usize = 6;
/// Proposals for one error.
const PER_ERROR_MAX: usize = 8;

/// How sure a proposal is; the surest is the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sure {
    /// The compiler says that a machine can make it.
    Machine,
    /// It follows from the error by a rule.
    Rule,
    /// The compiler says that it may be wrong.
    Maybe,
    /// A guess of ours, or the compiler says nothing.
    Guess,
}

/// A change that may make an error go away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) edits: Vec<Edit>,
    pub(super) sure: Sure,
    /// What it does, in a sentence.
    pub(super) reason: String,
}

/// What proposals are made from.
pub(super) struct Ground<'a> {
    pub(super) files: &'a Files,
    /// The crates that can be had.
    pub(super) crates: &'a Crates,
    /// Guesses are made only where tests can tell whether they are right.
    pub(super) guesses: bool,
}

/// What is proposed for each error of a state, the surest first.
pub(super) fn proposals(ground: &Ground<'_>, report: &BuildReport) -> Vec<Vec<Proposal>> {
    let errors = report.errors().take(ERRORS_MAX);
    let mut all: Vec<_> = errors.map(|error| for_error(ground, error)).collect();
    all.retain(|own| !own.is_empty());
    all
}

fn for_error(ground: &Ground<'_>, error: &Diagnostic) -> Vec<Proposal> {
    let mut all: Vec<_> = error.suggestions.iter().flat_map(suggested).collect();
    all.extend(rules::for_error((ground.files, ground.crates), error));
    all.retain(|proposal| ground.guesses || proposal.sure < Sure::Guess);
    let tests = tests_in(ground.files, &all);
    all.sort_by_cached_key(|proposal| (touches_tests(&tests, proposal), proposal.sure));
    let mut kept: Vec<Proposal> = vec![];
    for proposal in all {
        if kept.len() < PER_ERROR_MAX && kept.iter().all(|own| own.edits != proposal.edits) {
            kept.push(proposal);
        }
    }
    kept
}

/// The bytes of what only exists for tests, in the files that are to be changed.
fn tests_in(files: &Files, all: &[Proposal]) -> BTreeMap<String, Vec<(usize, usize)>> {
    let touched: BTreeSet<_> =
        all.iter().flat_map(|own| &own.edits).map(|edit| &edit.file).collect();
    let tests = |path: &String| {
        let text = files.get(path).map_or("", String::as_str);
        let items = scan(text).items.into_iter().filter(|item| item.for_tests);
        (path.clone(), items.map(|item| item.bytes).collect())
    };
    touched.into_iter().map(tests).collect()
}

/// Tests say what is wanted: they are changed last.
fn touches_tests(tests: &BTreeMap<String, Vec<(usize, usize)>>, proposal: &Proposal) -> bool {
    let is_in_test = |edit: &Edit| {
        let within = |bytes: &(usize, usize)| (bytes.0..bytes.1).contains(&edit.start);
        tests.get(&edit.file).is_some_and(|items| items.iter().any(within))
    };
    let mut edits = proposal.edits.iter();
    edits.any(|edit| edit.file.starts_with("tests/") || is_in_test(edit))
}

fn suggested(suggestion: &Suggestion) -> Vec<Proposal> {
    let sure = match suggestion.applicability {
        Applicability::MachineApplicable => Sure::Machine,
        Applicability::MaybeIncorrect => Sure::Maybe,
        Applicability::Unspecified => Sure::Guess,
        // Names are whole, whatever the compiler calls them.
        Applicability::HasPlaceholders if suggestion.message.contains("similar name") => {
            Sure::Maybe
        }
        Applicability::HasPlaceholders => return vec![],
    };
    let all = choices(suggestion).into_iter().filter(|edits| edits.iter().all(is_honest));
    let reason = suggestion.message.clone();
    all.map(|edits| Proposal { edits, sure, reason: reason.clone() }).collect()
}

/// No text that is to be filled in, and none that silences.
fn is_honest(edit: &Edit) -> bool {
    ["/*", "todo!", "unimplemented!", "[allow", "[expect"].iter().all(|no| !edit.text.contains(no))
}

/// Proposals that can be made together: the first of each error that fits to those before.
pub(super) fn together(all: &[Vec<Proposal>], least: Sure) -> Option<Proposal> {
    let mut edits: Vec<Edit> = vec![];
    let mut reasons: Vec<&str> = vec![];
    for own in all {
        let fits = |proposal: &&Proposal| {
            proposal.sure <= least
                && proposal.edits.iter().all(|new| edits.iter().all(|old| new.fits(old)))
        };
        let Some(first) = own.iter().find(fits) else { continue };
        edits.extend(first.edits.iter().cloned());
        reasons.push(&first.reason);
    }
    let several = reasons.len() > 1;
    reasons.dedup();
    several.then(|| Proposal { edits, sure: least, reason: reasons.join("; ") })
}
