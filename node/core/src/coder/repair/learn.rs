//! What is remembered of a repair that reached its goal: each error that a step made go away, with the
//! lines that were changed for it.

use std::time::Duration;

use similar::{DiffOp, TextDiff};

use super::state::{State, identity};
use super::workshop::Workshop;
use crate::build::Diagnostic;
use crate::coder::clock::before;
use crate::coder::{Fix, Stage, Symptom};

/// Fixes of one repair.
const FIXES_MAX: usize = 8;
/// Lines of a fix; a larger change says little about one error.
const LINES_MAX: usize = 30;
/// Lines between an error and the change that is taken for its fix.
const DISTANCE_MAX: usize = 12;
/// Bytes of an explanation.
const EXPLANATION_BYTES_MAX: usize = 400;

/// The memory has this long, also when the repair's own time is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// Remembers what led to a state.
pub(super) async fn learn(shop: &mut Workshop<'_>, done: usize) {
    let Some(memory) = shop.coder.memory.clone() else { return };
    let alarm = shop.coder.clock.now().saturating_add(PATIENCE);
    for fix in fixes(shop, done) {
        match before(shop.coder.clock.until(alarm), memory.remember(fix)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                return shop.remark(format!("What helped was not remembered: {error}."));
            }
            None => return shop.remark("What helped was not remembered in time.".to_owned()),
        }
    }
}

fn fixes(shop: &Workshop<'_>, done: usize) -> Vec<Fix> {
    let mut all: Vec<Fix> = vec![];
    for pair in shop.way(done).windows(2) {
        let (old, new) = (&shop.states[pair[0]], &shop.states[pair[1]]);
        if new.stage == Stage::Memory {
            continue;
        }
        let left: Vec<_> = new.report.errors().map(identity).collect();
        let gone = old.report.errors().filter(|error| !left.contains(&identity(error)));
        for fix in gone.filter_map(|error| fix(old, new, error)) {
            let is_new = |own: &Fix| (&own.before, &own.after) != (&fix.before, &fix.after);
            if all.len() < FIXES_MAX && all.iter().all(is_new) {
                all.push(fix);
            }
        }
    }
    all
}

fn fix(old: &State, new: &State, error: &Diagnostic) -> Option<Fix> {
    let span = error.primary()?;
    let line = (span.line_start as usize).saturating_sub(1);
    let (old_text, new_text) = (old.files.get(&span.file)?, new.files.get(&span.file)?);
    let (before, after) = nearest(old_text, new_text, line)?;
    let symptom = Symptom::of(error, Some(old_text));
    let mut explanation = new.reason.clone();
    explanation.truncate(explanation.floor_char_boundary(EXPLANATION_BYTES_MAX));
    let (code, message) = (symptom.code, symptom.message);
    Some(Fix { code, message, before, after, explanation, ..Fix::default() })
}

/// The change that is nearest to a line, counted from 0: the lines before and after. Lines that were
/// only added have the one below, or above, to be found by.
fn nearest(old: &str, new: &str, line: usize) -> Option<(String, String)> {
    let diff = TextDiff::configure().timeout(Duration::from_millis(100)).diff_lines(old, new);
    let (old_lines, new_lines): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let distance = |op: &DiffOp| {
        let range = op.old_range();
        if range.contains(&line) {
            0
        } else {
            line.abs_diff(range.start).min(line.abs_diff(range.end))
        }
    };
    let changes = diff.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let op = changes.min_by_key(|op| distance(op)).filter(|op| distance(op) <= DISTANCE_MAX)?;
    let (mut was, mut is) = (op.old_range(), op.new_range());
    if was.is_empty() || is.is_empty() {
        if was.end < old_lines.len() && is.end < new_lines.len() {
            (was.end, is.end) = (was.end + 1, is.end + 1);
        } else {
            (was.start, is.start) = (was.start.checked_sub(1)?, is.start.checked_sub(1)?);
        }
    }
    let fits = was.len() <= LINES_MAX && is.len() <= LINES_MAX;
    let (before, after) = (old_lines.get(was)?.join("\n"), new_lines.get(is)?.join("\n"));
    (fits && before != after).then_some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_near_an_error_is_its_fix() {
        let old = "a\nb\nc\nd\n";
        assert_eq!(nearest(old, "a\nB\nc\nd\n", 1), Some(("b".into(), "B".into())));
        assert_eq!(nearest(old, "a\nb\nnew\nc\nd\n", 2), Some(("c".into(), "new\nc".into())));
        assert_eq!(nearest(old, "a\nb\nc\nd\nnew\n", 3), Some(("d".into(), "d\nnew".into())));
        assert_eq!(nearest(old, old, 1), None);
        let far = "x\n".repeat(40);
        assert_eq!(nearest(&format!("{far}a\n"), &format!("{far}b\n"), 0), None);
    }
}
