//! The answer of a repair.

use std::time::Duration;

use similar::TextDiff;

use super::workshop::{Workshop, first_words};
use crate::build::Files;
use crate::coder::{Repaired, Stage};

/// Texts that have little in common are compared roughly after this long.
const DIFF_TIME: Duration = Duration::from_millis(200);

/// Puts the answer together.
pub(super) fn ending(mut shop: Workshop<'_>) -> Repaired {
    let best = shop.best();
    shop.spent.total_ms = shop.total_ms();
    let message = message(&shop, best);
    let (attempts, spent, model) = (shop.attempts, shop.spent, shop.model);
    let state = shop.states.swap_remove(best);
    let success = state.measure.is_done();
    Repaired {
        success,
        message,
        diff: diff(&shop.request.files, &state.files),
        files: state.files,
        attempts,
        report: state.report,
        spent,
        by: success.then_some(state.stage),
        model,
    }
}

fn message(shop: &Workshop<'_>, best: usize) -> String {
    let state = &shop.states[best];
    let mut sentences = vec![];
    let done = match (state.measure.is_done(), state.stage) {
        (true, Stage::Given) => "There is nothing to repair.".to_owned(),
        (true, Stage::Suggestions) => "Repaired by what the compiler suggests.".to_owned(),
        (true, Stage::Memory) => "Repaired by a fix that helped before.".to_owned(),
        (true, Stage::Model) => "Repaired by the model.".to_owned(),
        (false, Stage::Given) => {
            format!("It could not be repaired and is as it came: {}.", first_words(&state.report))
        }
        (false, _) => {
            format!("It could not be repaired, yet it is better: {}.", first_words(&state.report))
        }
    };
    sentences.push(done);
    let reasons = shop.way(best).into_iter().map(|place| shop.states[place].reason.clone());
    let reasons: Vec<_> = reasons.filter(|reason| !reason.is_empty()).collect();
    if !reasons.is_empty() {
        sentences.push(format!("What was done: {}.", reasons.join("; ")));
    }
    if !state.measure.is_done() {
        sentences.extend(shop.remarks.iter().cloned());
        if shop.is_over() {
            sentences.push("The time was over, or all was compiled that may be.".to_owned());
        }
    }
    sentences.join(" ")
}

/// What changed, as a unified diff.
fn diff(old: &Files, new: &Files) -> String {
    let mut all = String::new();
    for (path, text) in new {
        let before = old.get(path);
        if before == Some(text) {
            continue;
        }
        let header = before.map_or("/dev/null".to_owned(), |_| format!("a/{path}"));
        let before = before.map_or("", String::as_str);
        let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(before, text);
        let mut unified = diff.unified_diff();
        all.push_str(&unified.context_radius(3).header(&header, &format!("b/{path}")).to_string());
    }
    all
}
