//! How a job went.

use serde::Serialize;

/// One word for what became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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

impl Verdict {
    /// Decides by how the process ended. `built` is what cargo said last of its build, and only tells
    /// apart for what reason a process failed that failed: it may be forged.
    pub fn of(ending: Ending, stage: Stage, built: Option<bool>) -> Self {
        match ending {
            Ending::Exited(0) => Self::Ok,
            Ending::Timeout => Self::Timeout,
            Ending::OutOfMemory => Self::OutOfMemory,
            Ending::OutputLimit => Self::OutputLimit,
            Ending::Cancelled => Self::Cancelled,
            Ending::Refused => Self::Refused,
            Ending::Exited(_) | Ending::Signalled(_) => {
                Self::of_failure(stage, built == Some(true))
            }
        }
    }

    fn of_failure(stage: Stage, built: bool) -> Self {
        match stage {
            Stage::Execute => Self::RuntimeFailure,
            Stage::Run if built => Self::RuntimeFailure,
            Stage::Test if built => Self::TestFailure,
            Stage::Compile | Stage::Test | Stage::Run => Self::CompileError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 4] = [Stage::Compile, Stage::Test, Stage::Run, Stage::Execute];

    #[test]
    fn a_forged_message_makes_no_success() {
        for stage in STAGES {
            assert_ne!(Verdict::of(Ending::Exited(101), stage, Some(true)), Verdict::Ok);
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let of = |stage, built| Verdict::of(Ending::Exited(101), stage, built);
        assert_eq!(of(Stage::Compile, Some(false)), Verdict::CompileError);
        assert_eq!(of(Stage::Test, None), Verdict::CompileError);
        assert_eq!(of(Stage::Test, Some(true)), Verdict::TestFailure);
        assert_eq!(of(Stage::Run, Some(true)), Verdict::RuntimeFailure);
        assert_eq!(of(Stage::Execute, None), Verdict::RuntimeFailure);
        assert_eq!(
            Verdict::of(Ending::Signalled(11), Stage::Execute, None),
            Verdict::RuntimeFailure
        );
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
                assert_eq!(Verdict::of(ending, stage, Some(false)), verdict);
            }
        }
    }
}
