//! Use case: say how good a project is, as a number for training loops.
//!
//! The score is the mean of four parts, each from 0 to 1, by their weights:
//!
//! - `compiles`: 1 if it does. If it does not, all parts are 0.
//! - `warnings`: 1 / (1 + warnings of the compiler).
//! - `clippy`: 1 / (1 + findings of clippy).
//! - `tests`: the share of the tests that pass; without tests 0, for otherwise leaving them out would
//!   pay.
//!
//! It follows from the project alone: no time, no random number and no other candidate counts. What
//! tests print is their own word, so whoever trains on it brings tests of their own.

use serde::Serialize;

use super::CoderError;
use crate::Builder;
use crate::build::{BuildJob, BuildReport, Command, Diagnostic, Files, Level, TestStatus, Verdict};

/// How much each part counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Weights {
    /// That it compiles.
    pub compiles: f64,
    /// That the compiler warns of nothing.
    pub warnings: f64,
    /// That clippy finds nothing.
    pub clippy: f64,
    /// That its tests pass.
    pub tests: f64,
}

impl Default for Weights {
    /// Code that compiles and does what it should is what is wanted; manners are worth a fifth.
    fn default() -> Self {
        Self { compiles: 0.4, warnings: 0.1, clippy: 0.1, tests: 0.4 }
    }
}

/// What is to be scored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// The project.
    pub files: Files,
    /// How much each part counts; parts that count nothing are not looked at.
    pub weights: Weights,
}

/// Each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScoreParts {
    /// Whether it compiles.
    pub compiles: f64,
    /// How little the compiler warns of.
    pub warnings: f64,
    /// How little clippy finds.
    pub clippy: f64,
    /// The share of tests that pass.
    pub tests: f64,
}

/// How good a project is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// From 0 to 1.
    pub score: f64,
    /// What it is made of.
    pub parts: ScoreParts,
    /// How its compiling, and then its tests, went.
    pub verdict: Verdict,
    /// Errors of the compiler.
    pub errors: usize,
    /// Warnings of the compiler.
    pub warnings: usize,
    /// Findings of clippy.
    pub clippy: usize,
    /// Tests that passed.
    pub tests_passed: usize,
    /// Tests that were begun.
    pub tests_total: usize,
    /// The first errors, a line each; names of tests that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Why it was not begun, and what it ran into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Lines of one score at most.
const LINES_MAX: usize = 10;

/// Compiles, lints and tests a project. One that is refused or does not compile has a score of 0.
///
/// # Errors
/// [`CoderError::Build`]: nothing is known of it.
pub async fn score(builder: &dyn Builder, request: Score) -> Result<Scored, CoderError> {
    let Score { files, weights } = request;
    let look = if weights.clippy > 0.0 { Command::Clippy } else { Command::Check };
    let looked = builder.run(job(&files, look)).await?;
    let mut scored = Scored::of(&looked);
    if looked.verdict == Verdict::Ok {
        scored.parts = manners(&scored);
        if weights.tests > 0.0 {
            scored.take_tests(&builder.run(job(&files, Command::Test)).await?);
        }
    }
    scored.score = mean(&scored.parts, &weights);
    Ok(scored)
}

fn job(files: &Files, command: Command) -> BuildJob {
    BuildJob { files: files.clone(), command, stdin: String::new(), explain: false }
}

impl Scored {
    fn of(report: &BuildReport) -> Self {
        let warns = |found: &&Diagnostic| found.level == Level::Warning && !found.is_trailer();
        let all = report.diagnostics.iter().filter(warns);
        let (clippy, warnings): (Vec<_>, Vec<_>) = all.partition(|found| is_clippys(found));
        Self {
            score: 0.0,
            parts: ScoreParts::default(),
            verdict: report.verdict,
            errors: report.errors().count(),
            warnings: warnings.len(),
            clippy: clippy.len(),
            tests_passed: 0,
            tests_total: 0,
            lines: report.errors().take(LINES_MAX).map(line).collect(),
            notes: report.notes.clone(),
        }
    }

    fn take_tests(&mut self, report: &BuildReport) {
        let count = |wanted: fn(TestStatus) -> bool| {
            report.tests.iter().filter(|test| wanted(test.status)).count()
        };
        self.verdict = report.verdict;
        self.tests_total =
            count(|status| !matches!(status, TestStatus::Ignored | TestStatus::Measured));
        self.tests_passed = count(|status| status == TestStatus::Passed);
        self.parts.tests = share(self.tests_passed, self.tests_total);
        // Tests that don't compile, or whose process failed although all that it printed is good.
        if report.verdict != Verdict::Ok && self.tests_passed == self.tests_total {
            self.parts.tests = 0.0;
        }
        self.errors += report.errors().count();
        let failed = report.tests.iter().filter(|test| test.status == TestStatus::Failed);
        let failed = failed.map(|test| format!("test {} failed", test.name));
        let left = LINES_MAX.saturating_sub(self.lines.len());
        self.lines.extend(report.errors().map(line).chain(failed).take(left));
        self.notes.extend(report.notes.iter().cloned());
    }
}

fn is_clippys(found: &Diagnostic) -> bool {
    found.code.as_deref().is_some_and(|code| code.starts_with("clippy::"))
}

fn manners(scored: &Scored) -> ScoreParts {
    let few = |count: usize| share(1, 1 + count);
    let (warnings, clippy) = (few(scored.warnings), few(scored.clippy));
    ScoreParts { compiles: 1.0, warnings, clippy, tests: 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a job prints a few thousand tests at most")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A weight of 0 takes a part out; all of them 0 is refused where the weights come in.
fn mean(parts: &ScoreParts, weights: &Weights) -> f64 {
    let pairs = [
        (parts.compiles, weights.compiles),
        (parts.warnings, weights.warnings),
        (parts.clippy, weights.clippy),
        (parts.tests, weights.tests),
    ];
    let whole: f64 = pairs.iter().map(|(_, weight)| weight).sum();
    let sum: f64 = pairs.iter().map(|(part, weight)| part * weight).sum();
    if whole > 0.0 { sum / whole } else { 0.0 }
}

fn line(found: &Diagnostic) -> String {
    let code = found.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let place = found.primary().map(|span| format!("{}:{}: ", span.file, span.line_start));
    format!("{}error{code}: {}", place.unwrap_or_default(), found.message)
}

#[cfg(test)]
mod tests;
