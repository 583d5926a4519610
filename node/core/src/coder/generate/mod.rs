//! Use case: make a project from a description.
//!
//! What is always the same (manifests, README) is ours; the model writes the code. Several drafts are
//! sampled as one batch and compiled side by side, the best goes through [`repair`], and if it has no
//! tests the model is asked for some. Nothing is taken for granted: where the model writes nothing of
//! use, there is no project, and the answer says so.

mod ask;
mod draft;
mod judge;
mod manifest;
mod plan;
mod prompt;
mod read;
mod spec;
#[cfg(test)]
mod tests;
mod writing;

pub use self::spec::{Generate, Generated, Kind};

use self::judge::{has_tests, judged};
use self::plan::Plan;
use self::writing::Writing;
use super::items::{What, scan};
use super::{Coder, CoderError, Goal, Repair, Repaired, Tell, repair};
use crate::ServeError;
use crate::build::Files;
use crate::knowledge::Citation;

/// Makes a project within a budget. When the time is over, the best state so far is the answer.
///
/// # Errors
/// [`CoderError::NoModel`]; [`CoderError::Invalid`] for a request that makes no sense; as
/// [`crate::chat`] and [`super::repair`] where nothing was written yet.
pub async fn generate(
    coder: &Coder,
    request: Generate,
    tell: Tell<'_>,
) -> Result<Generated, CoderError> {
    let model = request.check(coder)?;
    let plan = Plan::of(&request);
    let examples = prompt::examples(&coder.node, &request).await?;
    let mut writing = Writing::begin((coder, tell), (&request, &plan), model);
    let draft = writing.draft(&examples).await?;
    let mut outcome = match draft {
        Some(files) => mend(&writing, files).await?,
        None => writing.nothing(),
    };
    if request.tests && outcome.success && !has_tests(&outcome) {
        outcome = with_tests(&mut writing, outcome).await;
    }
    writing.account(&mut outcome);
    let outcome = judged(outcome, (&request, &plan));
    let examples = if writing.shown_examples { examples } else { vec![] };
    let Plan { name, kind, .. } = plan;
    Ok(Generated { name, kind, examples, outcome })
}

/// A draft becomes a project that compiles, or the best that is reached. A draft that can't even be
/// compiled in time is better than none.
async fn mend(writing: &Writing<'_>, files: Files) -> Result<Repaired, CoderError> {
    let order = writing.order(files.clone());
    if order.budget.time.is_zero() {
        return Ok(writing.unfinished(files));
    }
    match repair(writing.coder, order, writing.tell).await {
        Err(CoderError::Serve(ServeError::TimeLimit)) => Ok(writing.unfinished(files)),
        other => other.map(|outcome| worded(outcome, &files)),
    }
}

/// The same with tests, if the model writes some that the project passes.
async fn with_tests(writing: &mut Writing<'_>, outcome: Repaired) -> Repaired {
    let Some(files) = writing.tests(&outcome.files).await else {
        return remarked(outcome, "The model wrote no tests when it was asked for some.");
    };
    match mend(writing, files).await {
        Ok(tested) if tested.success && has_tests(&tested) => joined(outcome, tested),
        _ => remarked(outcome, "The tests that the model wrote when it was asked did not pass."),
    }
}

fn remarked(outcome: Repaired, remark: &str) -> Repaired {
    Repaired { message: format!("{} {remark}", outcome.message), ..outcome }
}

/// What was tried and spent in both.
fn joined(first: Repaired, second: Repaired) -> Repaired {
    let mut attempts = first.attempts;
    let before = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
    attempts.extend(second.attempts.into_iter().map(|mut attempt| {
        attempt.attempt = attempt.attempt.saturating_add(before);
        attempt
    }));
    let mut spent = second.spent;
    spent.builds = spent.builds.saturating_add(first.spent.builds);
    spent.prompt_tokens += first.spent.prompt_tokens;
    spent.completion_tokens += first.spent.completion_tokens;
    Repaired { attempts, spent, ..second }
}

/// What a repair says of a draft that is good, of a project that is new.
fn worded(outcome: Repaired, draft: &Files) -> Repaired {
    let message = match (outcome.success, has_tests(&outcome)) {
        (false, _) => return outcome,
        (true, true) => "It compiles, and its tests pass.",
        (true, false) => "It compiles.",
    };
    let is_corrected = tests(&outcome.files) != tests(draft);
    let outcome = Repaired { message: message.to_owned(), ..outcome };
    match is_corrected {
        true => remarked(outcome, "Tests were corrected on the way: see whether they are right."),
        false => outcome,
    }
}

/// The tests as they are written.
fn tests(files: &Files) -> Vec<&str> {
    let of = |text: &'_ String| -> Vec<(usize, usize)> {
        let items = scan(text).items.into_iter();
        items.filter(|item| item.what == What::Test).map(|item| item.bytes).collect()
    };
    let sources = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let cut = |(_, text)| {
        let text: &String = text;
        of(text).into_iter().filter_map(|(start, end)| text.get(start..end)).collect::<Vec<_>>()
    };
    sources.flat_map(cut).collect()
}

impl Writing<'_> {
    /// What is left of the budget, for a repair of these files.
    fn order(&self, files: Files) -> Repair {
        Repair {
            files,
            description: Some(self.request.description.clone()),
            goal: if self.request.tests { Goal::Test } else { Goal::Check },
            model: Some(self.model.clone()),
            without_model: false,
            drafted: true,
            budget: self.left(),
            learn: self.request.learn,
        }
    }
}

/// The passages that a project was made after.
type Examples = Vec<Citation>;
