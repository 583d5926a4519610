//! One repair or generation, when it is its turn.
//!
//! A work compiles several candidates side by side, so that some works at once fill the line of jobs.
//! They stand in a line of their own, in which the keys take turns; waiting counts as time.

use std::time::Duration;

use gaia_core::build::{BuildJob, Command, Files, Verdict};
use gaia_core::coder::{Budget, Coder, CoderError, Generate, Repair, Tell};
use gaia_core::{ServeError, coder};
use tokio::time::timeout;

use super::Made;
use crate::compile::{Permit, Turn};

/// Less time than this is as good as none: nothing is compiled in it.
const TIME_MIN: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Order {
    /// Repair a project; its files that are no text go beside it.
    Repair(Box<Repair>, Vec<(String, Vec<u8>)>),
    /// Make one.
    Generate(Box<Generate>),
}

/// A work and its place in the line. Dropping its future gives both up.
pub struct Work {
    /// What is to be done.
    pub order: Order,
    /// With what.
    pub coder: Coder,
    /// When.
    pub turn: Turn,
    /// Whether a project that came out well is run, to show what it prints.
    pub run: bool,
}

impl Work {
    /// Does it.
    ///
    /// # Errors
    /// Its turn did not come in time; as [`coder::repair`] and [`coder::generate`].
    pub async fn run(self, tell: Tell<'_>) -> Result<Made, CoderError> {
        let Self { order, coder, turn, run } = self;
        let mut made = match order {
            Order::Repair(mut request, others) => {
                let _permit = wait(&coder, turn, &mut request.budget).await?;
                let given = request.files.clone();
                let repaired = coder::repair(&coder, *request, tell).await?;
                Made::of_repair(repaired, (&given, others))
            }
            Order::Generate(mut request) => {
                let _permit = wait(&coder, turn, &mut request.budget).await?;
                Made::of_generation(coder::generate(&coder, *request, tell).await?)
            }
        };
        if run && made.outcome.success {
            made.run_output = printed(&coder, &made.outcome.files).await;
        }
        Ok(made)
    }
}

/// Waits for the turn, and takes the time off the budget.
async fn wait(coder: &Coder, turn: Turn, budget: &mut Budget) -> Result<Permit, ServeError> {
    let begun = coder.clock.now();
    let permit = timeout(budget.time, turn.wait()).await;
    let permit = permit.ok().and_then(Result::ok).ok_or_else(ServeError::overloaded)?;
    let gone = coder.clock.now().saturating_sub(begun);
    budget.time = budget.time.saturating_sub(gone).max(TIME_MIN);
    Ok(permit)
}

/// What a program prints; nothing where there is none, or nobody knows.
async fn printed(coder: &Coder, files: &Files) -> Option<String> {
    let has_program = files.keys().any(|path| path.ends_with("src/main.rs"));
    if !has_program {
        return None;
    }
    let (command, stdin) = (Command::Run, String::new());
    let job = BuildJob { files: files.clone(), command, stdin, explain: false };
    let report = coder.builder.run(job).await.ok()?;
    let ran = matches!(report.verdict, Verdict::Ok | Verdict::RuntimeFailure);
    ran.then(|| format!("{}{}", report.stdout, report.stderr))
}
