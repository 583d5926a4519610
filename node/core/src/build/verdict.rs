//! How a job went.

use serde::{Deserialize, Serialize};

/// One word for what became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was asked for was done.
    Ok,
    /// The project does not compile.
    CompileError,
    /// A test failed.
    TestFailure,
    /// The program ended by an error or a signal.
    RuntimeFailure,
    /// The time was over, or nothing was printed for too long.
    Timeout,
    /// The memory was used up.
    OutOfMemory,
    /// More was printed than a job may.
    OutputLimit,
    /// Who asked does not want it any more.
    Cancelled,
    /// It was not begun.
    Refused,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// The place of its program in the list.
    pub suite: usize,
    /// Its path, as `module::name`, or a doc test's file and line.
    pub name: String,
    /// How it went.
    pub status: TestStatus,
    /// Why it was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it printed, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// How a test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// It was not run.
    Ignored,
    /// It was a benchmark.
    Measured,
    /// It began, and no line says how it ended.
    Unfinished,
}
