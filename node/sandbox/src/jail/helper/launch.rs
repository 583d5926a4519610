//! From the outside: prepares, starts bubblewrap, and stays until everything below is dead.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, set_child_subreaper, wait,
};

use super::{Attempt, bwrap, privileges, stage};
use crate::jail::wire::{Spec, Status, short};
use crate::jail::{control, ffi};

/// What the node passes on.
struct Passed {
    control: UnixStream,
    spec: File,
    stdin: OwnedFd,
    status: File,
}

pub fn main() -> ExitCode {
    let Ok(passed) = receive() else { return ExitCode::from(125) };
    match run(&passed) {
        Ok(status) => status.send(&passed.status),
        Err(reason) => Status::Failed(short(&reason)).send(&passed.status),
    }
    ExitCode::SUCCESS
}

fn receive() -> std::io::Result<Passed> {
    let control = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let [spec, stdin, status] = control::receive(&control)?;
    Ok(Passed { control, spec: spec.into(), stdin, status: status.into() })
}

fn run(passed: &Passed) -> Result<Status, String> {
    ffi::close_all_on_exec().attempt("close descriptors to the job (Linux 5.11 or newer?)")?;
    // The node's own may keep the job from what is made for it.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let Spec { launch, .. } = Spec::from_file(&passed.spec).attempt("read the job")?;
    let uid = launch.uid_first.map(|first| first + std::process::id());
    let folders = stage::build(&launch, uid)?;
    privileges::drop(uid)?;
    for folder in folders {
        control::send(&passed.control, &[folder.as_fd()]).attempt("pass the disk on")?;
    }
    control::receive::<0>(&passed.control).attempt("wait for the start")?;
    set_child_subreaper(Pid::from_raw(1)).attempt("become the reaper of the job")?;
    let child = bwrap::start(&launch, passed.spec.as_fd(), passed.stdin.as_fd(), &passed.status)?;
    supervise(child, &passed.control)
}

/// Until bubblewrap ends by itself, or the node says so or is gone; then until nothing is left.
fn supervise(mut child: Child, control: &UnixStream) -> Result<Status, String> {
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).attempt("watch bwrap")?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
    while fds[0].revents().is_empty() {
        if !fds[1].revents().is_empty() {
            let _ = child.kill();
            break;
        }
        // Interrupted: look again.
        let _ = poll(&mut fds, None);
    }
    let code = child.wait().attempt("wait for bwrap")?.code();
    reap_all();
    Ok(Status::Ended { code, cpu_ms: cpu_ms_of_children() })
}

/// Bubblewrap's end kills the job's pid 1, and the kernel the rest with it. Only a pid 1 that was
/// killed while it was being set up doesn't hear of it; as an orphan it is our child by then.
fn reap_all() {
    loop {
        for pid in children() {
            let _ = kill_process(pid, Signal::KILL);
        }
        if wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// Ours until we have waited for them: their numbers can't become someone else's.
fn children() -> Vec<Pid> {
    let text = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Fields 16 and 17 of `stat`, in the hundredths of a second that Linux counts for programs.
fn cpu_ms_of_children() -> u64 {
    let stat = std::fs::read_to_string(Path::new("/proc/self/stat")).unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// The program and its arguments, with nothing of this process's environment.
pub fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/");
    command
}
