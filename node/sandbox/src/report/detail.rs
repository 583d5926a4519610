//! A whole answer, as large as its reader wants it.

use gaia_core::build::{Diagnostic, Level, TestResult, TestStatus, Verdict};
use serde::{Deserialize, Serialize};

use super::artifact::{Artifact, Compiled};
use super::compact::{by_weight, compact_lines};
use super::messages::{Cut, Messages};
use super::tests_output::TestRun;
use super::text::cut;

/// How much a reader wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Verdict, numbers, a line a message, names of failed tests.
    Summary,
    /// The messages with places and suggestions, what failed tests printed, the beginning of outputs.
    #[default]
    Evidence,
    /// Everything that was kept.
    Raw,
}

/// What each detail lets through.
struct Caps {
    diagnostics: usize,
    rendered_bytes: usize,
    tests: usize,
    output_bytes: usize,
}

impl Detail {
    fn caps(self) -> Caps {
        match self {
            Self::Summary => {
                Caps { diagnostics: 0, rendered_bytes: 0, tests: 50, output_bytes: 2 << 10 }
            }
            Self::Evidence => {
                Caps { diagnostics: 50, rendered_bytes: 4 << 10, tests: 50, output_bytes: 16 << 10 }
            }
            Self::Raw => Caps {
                diagnostics: 500,
                rendered_bytes: 32 << 10,
                tests: 5000,
                output_bytes: 1 << 20,
            },
        }
    }
}

/// How long things took, in milliseconds. What did not happen is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Timings {
    /// Waiting for a place.
    pub queue_ms: u64,
    /// Making the sandbox and its files.
    pub prepare_ms: u64,
    /// In cargo.
    pub cargo_ms: u64,
    /// In the program, where it was run by itself.
    pub run_ms: u64,
    /// From the request to the answer.
    pub total_ms: u64,
}

/// What is known of a job when it has ended.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// cargo's standard output, read.
    pub messages: Messages,
    /// cargo's standard error.
    pub stderr: String,
    /// What the program printed, where it was run by itself; otherwise it is in the messages' output.
    pub stdout: String,
    /// The program's status, if it ended by itself.
    pub exit_code: Option<i32>,
    /// How long it took.
    pub timings: Timings,
}

/// Numbers of messages and tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Messages that keep the project from compiling.
    pub errors: usize,
    /// Messages that don't.
    pub warnings: usize,
    /// Tests that went as they should.
    pub tests_passed: usize,
    /// Tests that did not.
    pub tests_failed: usize,
    /// Tests that were not run.
    pub tests_ignored: usize,
}

/// The answer to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How it went.
    pub verdict: Verdict,
    /// How much of the rest there is.
    pub detail: Detail,
    /// In numbers.
    pub tally: Tally,
    /// A line a message, the most important first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The messages, the most important first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// Tests: those that failed, or all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestResult>,
    /// Results of the project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// How many crates were compiled.
    pub crates: Compiled,
    /// The program's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What programs and tests printed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// What they, and cargo, printed as errors.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// How long it took.
    pub timings: Timings,
    /// What was left out.
    pub cut: Cut,
}

impl Report {
    /// Puts an answer together.
    pub fn new(verdict: Verdict, detail: Detail, facts: Facts) -> Self {
        let Facts { messages, mut stderr, stdout, exit_code, timings } = facts;
        let mut cut = messages.cut;
        let run = TestRun::parse(&messages.output, &mut cut);
        let mut stdout = if stdout.is_empty() { messages.output } else { stdout };
        let caps = detail.caps();
        limit(&mut stdout, &caps, &mut cut);
        limit(&mut stderr, &caps, &mut cut);
        Self {
            verdict,
            detail,
            tally: tally(&messages.diagnostics, &run),
            lines: compact_lines(&messages.diagnostics),
            diagnostics: diagnostics(&messages.diagnostics, &caps, &mut cut),
            tests: tests(run, detail, &caps, &mut cut),
            artifacts: messages.artifacts,
            crates: messages.crates,
            exit_code,
            stdout,
            stderr,
            timings,
            cut,
        }
    }
}

fn limit(text: &mut String, caps: &Caps, cut: &mut Cut) {
    let before = text.len();
    if self::cut(text, caps.output_bytes) {
        cut.output_bytes += before - caps.output_bytes;
    }
}

fn tally(diagnostics: &[Diagnostic], run: &TestRun) -> Tally {
    let worth = by_weight(diagnostics);
    let count = |level| worth.iter().filter(|diagnostic| diagnostic.level == level).count();
    Tally {
        errors: count(Level::Error) + count(Level::InternalError),
        warnings: count(Level::Warning),
        tests_passed: run.count(TestStatus::Passed),
        tests_failed: run.count(TestStatus::Failed),
        tests_ignored: run.count(TestStatus::Ignored),
    }
}

fn diagnostics(all: &[Diagnostic], caps: &Caps, cut: &mut Cut) -> Vec<Diagnostic> {
    let worth = by_weight(all);
    if caps.diagnostics > 0 {
        cut.diagnostics += worth.len().saturating_sub(caps.diagnostics);
    }
    let mut kept: Vec<_> = worth.into_iter().take(caps.diagnostics).cloned().collect();
    for diagnostic in &mut kept {
        self::cut(&mut diagnostic.rendered, caps.rendered_bytes);
    }
    kept
}

/// All tests for those who want everything, otherwise what did not go well.
fn tests(run: TestRun, detail: Detail, caps: &Caps, cut: &mut Cut) -> Vec<TestResult> {
    let worth = |test: &TestResult| {
        detail == Detail::Raw || matches!(test.status, TestStatus::Failed | TestStatus::Unfinished)
    };
    let mut kept: Vec<_> = run.tests.into_iter().filter(worth).collect();
    cut.tests += kept.len().saturating_sub(caps.tests);
    kept.truncate(caps.tests);
    for test in &mut kept {
        if detail == Detail::Summary {
            test.output = None;
        } else if let Some(output) = &mut test.output {
            self::cut(output, caps.rendered_bytes);
        }
    }
    kept
}

#[cfg(test)]
#[path = "detail_tests.rs"]
mod tests;
