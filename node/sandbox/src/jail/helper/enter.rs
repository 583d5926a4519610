//! From the inside, behind bubblewrap and its filter: the last limits, then the command.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::Attempt;
use crate::jail::wire::{Enter, Landlock, Rlimits, Spec, Status, short};
use crate::jail::{ffi, landlock, policy};

pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let (Ok(spec), Ok(status)) = (passed(arguments.next()), passed(arguments.next())) else {
        return ExitCode::from(125);
    };
    let status = File::from(status);
    enter(&File::from(spec), &status).send(&status);
    ExitCode::from(125)
}

/// A descriptor that the command must not have.
fn passed(number: Option<String>) -> Result<OwnedFd, String> {
    let number = number.unwrap_or_default().parse().attempt("read the number of a descriptor")?;
    let fd = ffi::inherited(number).attempt("take a descriptor over")?;
    fcntl_setfd(&fd, FdFlags::CLOEXEC).attempt("close a descriptor to the command")?;
    Ok(fd)
}

/// Comes back only when it fails.
fn enter(spec: &File, status: &File) -> Status {
    let enter = match Spec::from_file(spec) {
        Ok(spec) => spec.enter,
        Err(error) => return Status::Failed(short(&error.to_string())),
    };
    if let Err(reason) = limit(enter.rlimits) {
        return Status::Failed(short(&reason));
    }
    // Behind the serving processes also where no cgroup has a weight, and first to go when memory is
    // short. A kernel that refuses either only loses that order.
    let _ = rustix::process::nice(policy::NICE);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    match restrict(enter.landlock) {
        Err(reason) => Status::NoLandlock(short(&reason)),
        Ok(whole) => execute(&enter, (status, whole)),
    }
}

/// Whether all the rules hold.
fn restrict(landlock: Landlock) -> Result<bool, String> {
    let without = (landlock == Landlock::Probed).then_some("/tmp");
    match landlock::restrict(without) {
        Err(_) if landlock == Landlock::Accepted => Ok(false),
        result => result,
    }
}

fn limit(limits: Rlimits) -> Result<(), String> {
    let mut all = vec![
        (Resource::Core, 0),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, limits.processes),
        // Pages that can't be swapped, and messages in queues, are the kernel's: none needed.
        (Resource::Memlock, 64 << 10),
        (Resource::Msgqueue, 0),
    ];
    all.extend(limits.data_bytes.map(|bytes| (Resource::Data, bytes)));
    all.into_iter().try_for_each(|(resource, value)| {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        setrlimit(resource, limit).attempt(&format!("limit {resource:?} to {value}"))
    })
}

fn execute(enter: &Enter, (status, landlock_whole): (&File, bool)) -> Status {
    if let Err(error) = std::env::set_current_dir(&enter.directory) {
        let directory = enter.directory.display();
        return Status::NotExecuted(short(&format!("can't start in {directory}: {error}")));
    }
    let Some((program, arguments)) = enter.argv.split_first() else {
        return Status::NotExecuted("argv is empty".into());
    };
    Status::Started { landlock_whole }.send(status);
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(enter.env.iter().cloned());
    let error = command.exec();
    Status::NotExecuted(short(&format!("can't execute {program}: {error}")))
}
