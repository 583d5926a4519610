//! A running job: output, clocks, limits and cancellation, until nothing of it is left.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::output::Capture;
use super::start::Job;
use crate::jail::cancel::Cancel;
use crate::jail::command::Limits;
use crate::jail::error::StartError;
use crate::jail::outcome::{Ending, Output};

/// How often limits that can't be waited for are looked at.
const TICK: Duration = Duration::from_millis(50);
/// The launcher kills its job within milliseconds. After this the node does, and after twice this
/// the launcher is killed too.
const GRACE: Duration = Duration::from_secs(3);
/// Time on cores that is a sign of life: far less than a compiler gets in a minute on the busiest
/// machine, more than a sleeper takes to look at its clock.
const ALIVE_MS: u64 = 10;

/// A job whose processes are gone.
pub struct Watched {
    pub job: Job,
    /// Why it was ended, if it was.
    pub stopped: Option<Ending>,
    pub stdout: Output,
    pub stderr: Output,
    pub disk_full: bool,
    pub wall: Duration,
}

/// Watches until the launcher has seen the last process dead.
///
/// # Errors
/// The kernel gives no handle of the launcher.
pub fn watch(job: Job, limits: &Limits, cancel: &Cancel) -> Result<Watched, StartError> {
    let launcher = pidfd_open(Pid::from_child(&job.child), PidfdFlags::empty())
        .map_err(StartError::system("watch the launcher"))?;
    let mut watch = Watch::new(job, limits, cancel)?;
    while !watch.wait(&launcher) {
        watch.look();
    }
    Ok(watch.finish())
}

struct Watch<'a> {
    job: Job,
    limits: &'a Limits,
    cancel: &'a Cancel,
    stdout: Capture,
    stderr: Capture,
    started: Instant,
    /// The last sign of life, and the job's time on cores then.
    heard: Instant,
    heard_cpu_ms: u64,
    disk_full: bool,
    lowered: bool,
    stopped: Option<(Ending, Instant)>,
}

impl<'a> Watch<'a> {
    fn new(job: Job, limits: &'a Limits, cancel: &'a Cancel) -> Result<Self, StartError> {
        let copy = |pipe: &std::io::PipeReader| {
            pipe.try_clone().map_err(StartError::system("read the output"))
        };
        let stdout = Capture::new(copy(&job.stdout)?, limits.output_bytes);
        let stderr = Capture::new(copy(&job.stderr)?, limits.output_bytes);
        let now = Instant::now();
        Ok(Self {
            job,
            limits,
            cancel,
            stdout,
            stderr,
            started: now,
            heard: now,
            heard_cpu_ms: 0,
            disk_full: false,
            lowered: false,
            stopped: None,
        })
    }

    /// The command has started: setting up is over.
    fn has_started(&self) -> bool {
        let mut fds = [PollFd::new(&self.job.status, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        !fds[0].revents().is_empty()
    }

    /// Until something happens or the next tick. `true`: the launcher is gone.
    fn wait(&self, launcher: &OwnedFd) -> bool {
        let mut fds = vec![PollFd::new(launcher, PollFlags::IN)];
        // A job that was stopped is not listened to any more.
        let heard = |capture: &&Capture| !capture.ended && self.stopped.is_none();
        for capture in [&self.stdout, &self.stderr].into_iter().filter(heard) {
            fds.push(PollFd::new(capture.pipe(), PollFlags::IN));
        }
        if !self.lowered && self.stopped.is_none() {
            fds.push(PollFd::new(&self.job.status, PollFlags::IN));
        }
        // Once rung it stays so: only the first ring is waited for.
        let event = self.cancel.event().filter(|_| self.stopped.is_none());
        fds.extend(event.as_ref().map(|event| PollFd::new(event, PollFlags::IN)));
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        // Interrupted: the next round looks again.
        let _ = poll(&mut fds, Some(&tick));
        !fds[0].revents().is_empty()
    }

    fn look(&mut self) {
        if self.stopped.is_none() {
            self.listen();
        }
        if !self.lowered && self.stopped.is_none() && self.has_started() {
            self.job.group.lower_weight();
            self.lowered = true;
        }
        self.disk_full |= self.job.disk.is_full();
        match &self.stopped {
            Some((_, at)) if at.elapsed() > 2 * GRACE => self.insist(),
            Some((_, at)) if at.elapsed() > GRACE => {
                self.job.group.kill_all_but(self.job.child.id());
            }
            Some(_) => {}
            None => self.stopped = self.reason().map(|reason| (reason, self.stop())),
        }
    }

    /// Output, or time on cores: rustc says nothing about a large crate for minutes. Where nothing
    /// counts a job's time, output alone.
    fn listen(&mut self) {
        let cpu_ms = self.job.group.cpu_ms().unwrap_or(0);
        let works = cpu_ms >= self.heard_cpu_ms + ALIVE_MS;
        if self.stdout.turn() + self.stderr.turn() > 0 || works {
            (self.heard, self.heard_cpu_ms) = (Instant::now(), cpu_ms);
        }
    }

    fn reason(&self) -> Option<Ending> {
        if self.cancel.is_cancelled() {
            return Some(Ending::Cancelled);
        }
        if self.job.group.oom_kills() > 0 {
            return Some(Ending::OutOfMemory);
        }
        if self.stdout.total() + self.stderr.total() > self.limits.output_bytes_max {
            return Some(Ending::OutputLimit);
        }
        if self.started.elapsed() > self.limits.time {
            return Some(Ending::TimedOut);
        }
        (self.heard.elapsed() > self.limits.silence).then_some(Ending::Silent)
    }

    /// The launcher hears that its socket is closed, kills the job and waits for its last process.
    fn stop(&self) -> Instant {
        let _ = self.job.control.shutdown(std::net::Shutdown::Both);
        self.job.group.raise_weight();
        Instant::now()
    }

    fn insist(&mut self) {
        let _ = self.job.child.kill();
        self.job.group.kill();
    }

    fn finish(mut self) -> Watched {
        let wall = self.started.elapsed();
        let _ = self.job.child.wait();
        // A launcher that was killed has not seen the rest die.
        self.job.group.kill();
        Watched {
            disk_full: self.disk_full || self.job.disk.is_full(),
            stopped: self.stopped.map(|(ending, _)| ending),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
            wall,
            job: self.job,
        }
    }
}
