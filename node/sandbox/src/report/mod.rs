//! What cargo and the tests print, as data.
//!
//! All of it is foreign: a procedural macro or a test can print whatever cargo could have printed. So
//! nothing here is proof. Whether a job went well is decided by how its process ended
//! ([`Verdict::of`]); messages say where and why, and a forged one fools its own author alone. Paths
//! in [`Artifact`] are checked to lie in the folder of results; who collects them checks again.
//!
//! Every list and text has a limit, and what exceeds it is counted in [`Cut`].

mod artifact;
mod compact;
mod detail;
mod diagnostic;
mod explain;
mod messages;
mod place;
mod tests_output;
mod text;
mod verdict;
mod wire;

pub use artifact::{Artifact, Compiled};
pub use compact::compact_lines;
pub use detail::{Detail, Facts, Report, Tally, Timings};
pub use explain::{ErrorCode, ExplainError, explain};
pub use gaia_core::build::{
    Applicability, Child, Diagnostic, Level, Origin, Replacement, Span, Suggestion, TestResult,
    TestStatus, Verdict,
};
pub use messages::{Cut, MessageReader, Messages};
pub use place::Places;
pub use tests_output::{Suite, TestRun};
pub use verdict::{Ending, Stage, judge};
