//! Which lines are to be written anew.

use std::collections::BTreeSet;

use super::Region;
use crate::build::{BuildReport, Files, Origin, Span, TestStatus};
use crate::coder::items::{Item, Scan, What, scan};
use crate::coder::repair::state::{Measure, Phase, State};
use crate::coder::tokens::Kind;

/// Regions that are shown at once, and bytes of all of them.
const REGIONS_MAX: usize = 3;
const BYTES_MAX: usize = 3000;
/// Errors whose places are looked at.
const ERRORS_MAX: usize = 3;
/// Places of which they speak.
const SPANS_MAX: usize = 16;
/// Lines of an item that is written anew as a whole.
const ITEM_LINES_MAX: usize = 60;
/// Lines before and behind an error that is in no such item, and in imports.
const AROUND_LINES: usize = 8;
const AROUND_IMPORT_LINES: usize = 1;

/// Where a state is to be changed, the likeliest place first. `tests_too`: a test that fails may be
/// wrong itself.
pub(in crate::coder::repair) fn regions(state: &State, tests_too: bool) -> Vec<Region> {
    let Measure { phase, .. } = state.measure;
    let all = match phase {
        Phase::Done | Phase::Manifest => vec![],
        Phase::Tests => tested(&state.files, &state.report, tests_too),
        _ => at_errors(&state.files, &state.report),
    };
    let mut kept: Vec<Region> = vec![];
    let mut bytes = 0;
    for region in all {
        let size = region.text(&state.files).len();
        // Lines that are no item can't be told from others in an answer.
        let is_alone = kept.first().is_some_and(|first| first.item.is_none());
        let fits = kept.is_empty() || (bytes + size <= BYTES_MAX && region.item.is_some());
        if fits
            && !is_alone
            && kept.len() < REGIONS_MAX
            && kept.iter().all(|own| !own.meets(&region))
        {
            bytes += size;
            kept.push(region);
        }
    }
    kept
}

/// The items that the errors are in, then those of which the first error speaks.
fn at_errors(files: &Files, report: &BuildReport) -> Vec<Region> {
    let errors: Vec<_> = report.errors().take(ERRORS_MAX).collect();
    let primaries = errors.iter().filter_map(|error| error.primary());
    let first = errors.first();
    let labels = first.iter().flat_map(|error| &error.spans).filter(|span| !span.primary);
    let notes = first.iter().flat_map(|error| &error.children).flat_map(|child| &child.spans);
    let spans = primaries.chain(labels).chain(notes);
    let own = spans.filter(|span| span.origin == Origin::Project).take(SPANS_MAX);
    own.filter_map(|span| at(files, span)).collect()
}

fn at(files: &Files, span: &Span) -> Option<Region> {
    let text = files.get(&span.file).filter(|_| span.file.ends_with(".rs"))?;
    let number = |line: u32| (line as usize).saturating_sub(1);
    let first = number(span.line_start);
    // What a program printed itself may end before it begins.
    let lines = (first, number(span.line_end).max(first) + 1);
    let all: Vec<_> = text.lines().collect();
    if lines.0 >= all.len() {
        return None;
    }
    let found = scan(text);
    let around = item_around(text, &found, lines).filter(|_| is_balanced(&found));
    around.map(|region| Region { path: span.file.clone(), ..region }).or_else(|| {
        let is_import = all[lines.0].trim_start().starts_with("use ");
        let more = if is_import { AROUND_IMPORT_LINES } else { AROUND_LINES };
        let last = (lines.1.min(lines.0 + ITEM_LINES_MAX) + more).min(all.len());
        let lines = (lines.0.saturating_sub(more), last);
        Some(Region { path: span.file.clone(), lines, item: None })
    })
}

/// The smallest item around some lines.
fn item_around(text: &str, found: &Scan<'_>, lines: (usize, usize)) -> Option<Region> {
    let holds = |region: &Region| region.lines.0 <= lines.0 && lines.1 <= region.lines.1;
    // A trait's function without a body says what others write: an answer that gives it one changes that.
    let is_declared = |item: &Item| item.what == What::Function && !item.is_written(text);
    let items = found.items.iter().filter(|item| item.what != What::Module && !is_declared(item));
    let regions = items.map(|item| of_item(text, item)).filter(holds);
    regions.min_by_key(Region::count).filter(|region| region.count() <= ITEM_LINES_MAX)
}

/// The lines of an item; the path is for the caller to fill in.
fn of_item(text: &str, item: &Item) -> Region {
    let line = |byte: usize| {
        let byte = text.floor_char_boundary(byte);
        text[..byte].matches('\n').count()
    };
    let lines = (line(item.bytes.0), line(item.bytes.1.saturating_sub(1)) + 1);
    Region { path: String::new(), lines, item: Some((item.what, item.name.clone())) }
}

/// Where braces are missing, an item may end anywhere.
fn is_balanced(found: &Scan<'_>) -> bool {
    let mut open = vec![];
    for token in &found.tokens {
        match (token.kind, token.text) {
            (Kind::Open, text) => open.push(text),
            (Kind::Close, text) => {
                let fits = matches!(
                    (open.pop(), text),
                    (Some("("), ")") | (Some("["), "]") | (Some("{"), "}")
                );
                if !fits {
                    return false;
                }
            }
            _ => {}
        }
    }
    open.is_empty()
}

/// The functions that a failing test calls; the test itself, where it may be wrong.
fn tested(files: &Files, report: &BuildReport, tests_too: bool) -> Vec<Region> {
    let is_bad = |status| matches!(status, TestStatus::Failed | TestStatus::Unfinished);
    let Some(bad) = report.tests.iter().find(|test| is_bad(test.status)) else { return vec![] };
    let name = bad.name.rsplit("::").next().unwrap_or(&bad.name);
    let mut tests = vec![];
    let mut called = BTreeSet::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let found = scan(text);
        for item in found.items.iter().filter(|item| item.what == What::Test && item.name == name) {
            let words = found.body(item).iter().filter(|token| token.kind == Kind::Word);
            called.extend(words.map(|token| token.text.to_owned()));
            tests.push(Region { path: path.clone(), ..of_item(text, item) });
        }
    }
    let functions = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let functions = functions.flat_map(|(path, text)| {
        let items = scan(text).items.into_iter();
        let is_called =
            |item: &Item| item.is_written(text) && is_function(item) && called.contains(&item.name);
        let regions = items.filter(is_called).map(|item| of_item(text, &item));
        regions.map(|region| Region { path: path.clone(), ..region }).collect::<Vec<_>>()
    });
    let functions = functions.filter(|region| region.count() <= ITEM_LINES_MAX);
    tests.truncate(usize::from(tests_too));
    functions.take(REGIONS_MAX - tests.len()).chain(tests.iter().cloned()).collect()
}

fn is_function(item: &Item) -> bool {
    item.what == What::Function && !item.for_tests
}

/// The words in a text that may be names.
pub(in crate::coder::repair) fn names_in(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.len() > 1).collect()
}
