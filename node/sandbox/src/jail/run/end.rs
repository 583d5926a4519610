//! What a job's remains say about it.

use std::io::Read;

use super::Ran;
use super::watch::Watched;
use crate::jail::command::Command;
use crate::jail::error::StartError;
use crate::jail::layer::Layer;
use crate::jail::outcome::{Ending, Notes, Outcome, Output};
use crate::jail::wire::{Status, short};

/// Reads what is wanted and removes everything else.
///
/// # Errors
/// The command has not run, because the sandbox could not be set up.
pub fn end(watched: Watched, command: &Command) -> Result<Ran, StartError> {
    let Watched { mut job, stopped, stdout, stderr, disk_full, wall } = watched;
    let mut text = vec![];
    // Not blocking, and everyone who wrote is gone.
    let _ = (&mut job.status).take(64 << 10).read_to_end(&mut text);
    let story = Story::read(&Status::parse_all(&text));
    let (usage, oom_kills) = (job.group.usage(), job.group.oom_kills());
    let collected = job.disk.collect(&command.collect);
    let stuck = !job.group.remove();
    let stopped = stopped.or_else(|| (oom_kills > 0).then_some(Ending::OutOfMemory));
    let ending = match stopped {
        Some(ending) => ending,
        None => story.ending(&stderr)?,
    };
    let process_limit_hits = usage.process_limit_hits;
    let outcome = Outcome {
        ending,
        notes: Notes { process_limit_hits, oom_kills, disk_full, stuck },
        stdout,
        stderr,
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        cpu_ms: usage.cpu_ms.unwrap_or(story.cpu_ms),
        memory_peak_bytes: usage.memory_peak_bytes,
        collected,
    };
    let missing = std::mem::take(&mut job.missing);
    Ok(Ran { outcome, missing, landlock_whole: story.landlock_whole, uid: job.uid })
}

/// The lines of the status pipe put together.
#[derive(Debug, Default)]
struct Story {
    started: bool,
    landlock_whole: bool,
    not_executed: Option<String>,
    no_landlock: Option<String>,
    failed: Option<String>,
    /// bubblewrap's exit code, 128 + signal after a signal; `None` inside: a signal ended itself.
    code: Option<Option<i32>>,
    cpu_ms: u64,
}

impl Story {
    fn read(lines: &[Status]) -> Self {
        let mut story = Self::default();
        for line in lines {
            match line {
                Status::Started { landlock_whole } => {
                    (story.started, story.landlock_whole) = (true, *landlock_whole);
                }
                Status::NotExecuted(reason) => story.not_executed = Some(reason.clone()),
                Status::NoLandlock(reason) => story.no_landlock = Some(reason.clone()),
                Status::Failed(reason) => story.failed = Some(reason.clone()),
                Status::Ended { code, cpu_ms } => {
                    (story.code, story.cpu_ms) = (Some(*code), *cpu_ms);
                }
            }
        }
        story
    }

    fn ending(&self, stderr: &Output) -> Result<Ending, StartError> {
        if let Some(reason) = &self.failed {
            return Err(StartError::Setup(reason.clone()));
        }
        if let Some(reason) = &self.no_landlock {
            return Err(StartError::Layer { layer: Layer::Landlock, reason: reason.clone() });
        }
        if let Some(reason) = &self.not_executed {
            return Ok(Ending::NotStarted(reason.clone()));
        }
        match self.code {
            Some(Some(code)) if self.started && code > 128 => Ok(Ending::Signalled(code - 128)),
            Some(Some(code)) if self.started => Ok(Ending::Exited(code)),
            Some(None) if self.started => Ok(Ending::Signalled(libc::SIGKILL)),
            None if self.started => Err(StartError::Setup("the launcher was killed".into())),
            // bubblewrap says there why it gave up.
            _ => Err(StartError::Setup(short(&String::from_utf8_lossy(&stderr.bytes)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: Status = Status::Started { landlock_whole: true };

    fn ending(lines: &[Status]) -> Result<Ending, String> {
        let stderr = Output { bytes: b"bwrap: no".to_vec(), cut_bytes: 0 };
        Story::read(lines).ending(&stderr).map_err(|error| error.to_string())
    }

    fn ended(code: Option<i32>) -> Status {
        Status::Ended { code, cpu_ms: 10 }
    }

    #[test]
    fn a_sandbox_that_failed_is_no_ending_of_the_command() {
        assert!(ending(&[]).expect_err("nothing ran").contains("bwrap: no"));
        assert!(ending(&[ended(Some(1))]).expect_err("bwrap gave up").contains("bwrap: no"));
        assert!(ending(&[STARTED]).expect_err("no end").contains("launcher was killed"));
        assert!(ending(&[Status::Failed("mount".into())]).expect_err("failed").contains("mount"));
        let refused = ending(&[Status::NoLandlock("none".into()), ended(Some(125))]);
        assert!(refused.expect_err("a layer").contains("landlock"));
    }

    #[test]
    fn codes_and_signals() {
        assert_eq!(ending(&[STARTED, ended(Some(0))]), Ok(Ending::Exited(0)));
        assert_eq!(ending(&[STARTED, ended(Some(101))]), Ok(Ending::Exited(101)));
        assert_eq!(ending(&[STARTED, ended(Some(134))]), Ok(Ending::Signalled(6)));
        assert_eq!(ending(&[STARTED, ended(None)]), Ok(Ending::Signalled(9)));
    }

    #[test]
    fn a_program_that_is_not_there_is_said_so() {
        let lines = [STARTED, Status::NotExecuted("no such".into()), ended(Some(125))];
        assert_eq!(ending(&lines), Ok(Ending::NotStarted("no such".into())));
    }
}
