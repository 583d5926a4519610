//! How a job went.

use gaia_core::build::Verdict;
use serde::Serialize;

/// How the job's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that the sandbox did not send.
    Signalled(i32),
    /// The sandbox ended it when its time was over.
    Timeout,
    /// The kernel ended it for its memory.
    OutOfMemory,
    /// The sandbox ended it when it had printed too much.
    OutputLimit,
    /// The sandbox ended it because it was told to.
    Cancelled,
    /// It was never begun.
    Refused,
}

/// What the process was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Compiling, checking, formatting, documenting.
    Compile,
    /// Compiling tests and running them, in one process.
    Test,
    /// Compiling a program and running it, in one process.
    Run,
    /// Running a program that is compiled.
    Execute,
}

/// Decides by how the process ended. `built` is what cargo said last of its build, and only tells
/// apart for what reason a process failed that failed: it may be forged.
pub fn judge(ending: Ending, stage: Stage, built: Option<bool>) -> Verdict {
    match ending {
        Ending::Exited(0) => Verdict::Ok,
        Ending::Timeout => Verdict::Timeout,
        Ending::OutOfMemory => Verdict::OutOfMemory,
        Ending::OutputLimit => Verdict::OutputLimit,
        Ending::Cancelled => Verdict::Cancelled,
        Ending::Refused => Verdict::Refused,
        Ending::Exited(_) | Ending::Signalled(_) => of_failure(stage, built == Some(true)),
    }
}

fn of_failure(stage: Stage, built: bool) -> Verdict {
    match stage {
        Stage::Execute => Verdict::RuntimeFailure,
        Stage::Run if built => Verdict::RuntimeFailure,
        Stage::Test if built => Verdict::TestFailure,
        Stage::Compile | Stage::Test | Stage::Run => Verdict::CompileError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 4] = [Stage::Compile, Stage::Test, Stage::Run, Stage::Execute];

    #[test]
    fn a_forged_message_makes_no_success() {
        for stage in STAGES {
            assert_ne!(judge(Ending::Exited(101), stage, Some(true)), Verdict::Ok);
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let of = |stage, built| judge(Ending::Exited(101), stage, built);
        assert_eq!(of(Stage::Compile, Some(false)), Verdict::CompileError);
        assert_eq!(of(Stage::Test, None), Verdict::CompileError);
        assert_eq!(of(Stage::Test, Some(true)), Verdict::TestFailure);
        assert_eq!(of(Stage::Run, Some(true)), Verdict::RuntimeFailure);
        assert_eq!(of(Stage::Execute, None), Verdict::RuntimeFailure);
        assert_eq!(judge(Ending::Signalled(11), Stage::Execute, None), Verdict::RuntimeFailure);
    }

    #[test]
    fn what_the_sandbox_did_wins() {
        for (ending, verdict) in [
            (Ending::Timeout, Verdict::Timeout),
            (Ending::OutOfMemory, Verdict::OutOfMemory),
            (Ending::OutputLimit, Verdict::OutputLimit),
            (Ending::Cancelled, Verdict::Cancelled),
            (Ending::Refused, Verdict::Refused),
            (Ending::Exited(0), Verdict::Ok),
        ] {
            for stage in STAGES {
                assert_eq!(judge(ending, stage, Some(false)), verdict);
            }
        }
    }
}
