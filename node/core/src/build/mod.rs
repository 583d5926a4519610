//! The port to the compiler, wherever it runs, and what it says.
//!
//! A builder takes the files of a project as they are, does one thing with them and tells what came of
//! it. Files that are no text, options of the build and the place in the line belong to whoever made
//! the builder: one is made for each request.

mod crates;
mod diagnostic;
mod verdict;

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crates::{Crates, Offer};
pub use diagnostic::{
    Applicability, Child, Diagnostic, Level, Origin, Replacement, Span, Suggestion,
};
pub use verdict::{TestResult, TestStatus, Verdict};

/// The texts of a project by their paths from its top, with `/` between folders.
pub type Files = BTreeMap<String, String>;

/// What to do with a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Look for errors.
    Check,
    /// Look for errors and bad habits.
    Clippy,
    /// Compile its tests and run them.
    Test,
    /// Make its program and run it.
    Run,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildJob {
    /// The project.
    pub files: Files,
    /// What to do with it.
    pub command: Command,
    /// What the program reads from its standard input, for [`Command::Run`].
    pub stdin: String,
    /// Whether the compiler's own explanations of its errors are wanted.
    pub explain: bool,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildReport {
    /// How it went.
    pub verdict: Verdict,
    /// What the compiler said, the most important first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// All tests that were begun or left aside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestResult>,
    /// What the program or the tests printed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// What they, and cargo, printed as errors.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// Why it was not begun, all reasons at once; and what it ran into on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The compiler's own explanations of its errors, by their numbers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub explanations: BTreeMap<String, String>,
    /// How long it took, waiting included.
    pub total_ms: u64,
}

impl BuildReport {
    /// The messages that keep the project's own code from compiling.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_error = |level| matches!(level, Level::Error | Level::InternalError);
        self.diagnostics.iter().filter(move |found| is_error(found.level) && !found.is_trailer())
    }
}

/// Why nothing is known of a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Too many jobs wait.
    #[error("too many compile jobs wait: {message}")]
    Overloaded {
        /// What is full.
        message: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// Nothing is compiled on this node.
    #[error("this node can't compile: {0}")]
    Unavailable(String),
    /// The sandbox itself failed.
    #[error("the sandbox failed: {0}")]
    Failed(String),
}

/// A report that is being waited for. Dropping it ends the job.
pub type BuildReply<'a> =
    Pin<Box<dyn Future<Output = Result<BuildReport, BuildError>> + Send + 'a>>;

/// An explanation that is being waited for; `None`: there is none.
pub type ExplainReply<'a> =
    Pin<Box<dyn Future<Output = Result<Option<String>, BuildError>> + Send + 'a>>;

/// Compiles projects from strangers. Implemented over the sandbox, and by a strict fake in tests.
pub trait Builder: Send + Sync {
    /// Does a job. Several may be asked for at once; they wait for each other where there is no room.
    fn run(&self, job: BuildJob) -> BuildReply<'_>;

    /// The compiler's own explanation of an error's number, such as `E0502`. A builder that does not
    /// say otherwise knows none.
    fn explain<'a>(&'a self, _code: &'a str) -> ExplainReply<'a> {
        Box::pin(ready(Ok(None)))
    }

    /// The crates that projects may depend on. A builder that does not say otherwise has none.
    fn crates(&self) -> Arc<Crates> {
        Arc::default()
    }
}
