//! The first stage: the compiler's own proposals, tried from state to state until none helps.
//!
//! The state from which the compiler got furthest is gone on from first; so a proposal that led
//! nowhere is left behind, and another one of an earlier state gets its turn.

use super::edit::apply;
use super::proposals::{Ground, Proposal, Sure, proposals, together};
use super::workshop::{Candidate, Workshop};
use crate::build::Files;
use crate::coder::items::{What, scan};
use crate::coder::{Goal, Stage};

/// Steps in a row that are no gain.
const SIDEWAYS_MAX: u32 = 3;
/// Candidates of one state.
const CANDIDATES_MAX: usize = 12;

/// Tries proposals within so many builds.
pub(super) async fn search(shop: &mut Workshop<'_>, builds_max: u32) {
    let last = shop.spent.builds.saturating_add(builds_max);
    while shop.done().is_none() && !shop.is_over() && shop.spent.builds < last {
        let Some(from) = next(shop) else { return };
        shop.states[from].looked_at = true;
        let mut candidates = candidates(shop, from);
        candidates.truncate((last - shop.spent.builds) as usize);
        shop.try_all(from, candidates).await;
    }
}

fn next(shop: &Workshop<'_>) -> Option<usize> {
    let open = shop.states.iter().enumerate().filter(|(_, state)| {
        !state.looked_at && !state.measure.compiles() && state.sideways <= SIDEWAYS_MAX
    });
    open.min_by_key(|(_, state)| state.measure.distance()).map(|(place, _)| place)
}

fn candidates(shop: &Workshop<'_>, from: usize) -> Vec<Candidate> {
    let state = &shop.states[from];
    let guesses = shop.request.goal == Goal::Test && has_tests(&state.files);
    let crates = shop.coder.builder.crates();
    let ground = Ground { files: &state.files, crates: &crates, guesses };
    let all = proposals(&ground, &state.report);
    let sets = [Sure::Machine, Sure::Guess].into_iter().filter_map(|sure| together(&all, sure));
    let mut singles: Vec<(usize, &Proposal)> =
        all.iter().flat_map(|own| own.iter().enumerate()).collect();
    singles.sort_by_key(|(place, proposal)| (*place, proposal.sure));
    let singles = singles.into_iter().map(|(_, proposal)| proposal.clone());
    let changed = |proposal: Proposal| {
        let files = apply(&state.files, &proposal.edits)?;
        Some(Candidate { files, stage: Stage::Suggestions, reason: proposal.reason })
    };
    let mut candidates: Vec<Candidate> = vec![];
    for candidate in sets.chain(singles).filter_map(changed) {
        let is_new = candidates.iter().all(|own| own.files != candidate.files);
        if is_new && candidates.len() < CANDIDATES_MAX {
            candidates.push(candidate);
        }
    }
    candidates
}

fn has_tests(files: &Files) -> bool {
    let sources = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    sources.flat_map(|(_, text)| scan(text).items).any(|item| item.what == What::Test)
}
