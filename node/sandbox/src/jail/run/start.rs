//! A job up to the moment when its command may start.

use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command as Program};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::Jail;
use crate::jail::cgroup::Group;
use crate::jail::command::Command;
use crate::jail::control;
use crate::jail::error::StartError;
use crate::jail::files::Disk;
use crate::jail::layer::Layer;
use crate::jail::wire::{Enter, Landlock, Launch, Rlimits, Spec, Status, overlays, sealed};

/// Mounts take milliseconds; a machine that takes this long is broken.
const SETUP_MAX: Duration = Duration::from_secs(20);
const DROP_TRIES: u32 = 1000;
const DROP_PAUSE: Duration = Duration::from_millis(2);
/// The group's limit is the one that is noted; this one holds where there is none.
const OWN_PROCESSES: u64 = 8;

/// A job that runs. Dropping it kills it and waits.
pub struct Job {
    pub child: Child,
    /// Closed, it ends the job.
    pub control: UnixStream,
    pub status: PipeReader,
    pub stdout: PipeReader,
    pub stderr: PipeReader,
    pub disk: Disk,
    pub group: Group,
    pub missing: Vec<(Layer, String)>,
    pub uid: Option<u32>,
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.control.shutdown(std::net::Shutdown::Both);
        // The launcher is given the time to see everything below it dead.
        for _ in 0..DROP_TRIES {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(DROP_PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a job: its files are in, its command is about to run.
///
/// # Errors
/// A layer is missing, something does not fit, or the sandbox can't be set up.
pub fn start(jail: &Jail, command: &Command, landlock: Landlock) -> Result<Job, StartError> {
    let (group, missing) = Group::create(&jail.places, &command.limits);
    let refused = |(layer, _): &&(Layer, String)| !jail.settings.accepted.contains(layer);
    if let Some((layer, reason)) = missing.iter().find(refused) {
        return Err(StartError::Layer { layer: *layer, reason: reason.clone() });
    }
    let spec = spec(jail, (command, landlock), &group);
    let mut job = launch(&spec, group, &command.stdin)?;
    job.missing = missing;
    command.files.iter().try_for_each(|file| job.disk.write(file))?;
    command.copies.iter().try_for_each(|copy| job.disk.copy(copy))?;
    control::send(&job.control, &[]).map_err(StartError::system("start the command"))?;
    Ok(job)
}

fn spec(jail: &Jail, (command, landlock): (&Command, Landlock), group: &Group) -> Spec {
    let limits = command.limits;
    let launch = Launch {
        bwrap: jail.settings.bwrap.clone(),
        helper: jail.settings.helper.clone(),
        uid_first: rustix::process::geteuid().is_root().then_some(jail.settings.uid_first),
        binds: command.binds.clone(),
        disk_bytes: limits.disk_bytes,
        disk_files: limits.disk_files,
    };
    let rlimits = Rlimits {
        file_bytes: limits.file_bytes,
        open_files: limits.open_files,
        processes: u64::from(limits.processes) + OWN_PROCESSES,
        data_bytes: (!group.limits_memory()).then_some(limits.memory_bytes),
    };
    let enter = Enter {
        argv: command.argv.clone(),
        env: command.env.clone(),
        directory: command.directory.clone(),
        rlimits,
        landlock,
    };
    Spec { launch, enter }
}

fn launch(spec: &Spec, group: Group, stdin: &[u8]) -> Result<Job, StartError> {
    let system = StartError::system::<std::io::Error>;
    let (control, theirs) = UnixStream::pair().map_err(system("make a socket pair"))?;
    let (stdout, stdout_writer) = std::io::pipe().map_err(system("make a pipe"))?;
    let (stderr, stderr_writer) = std::io::pipe().map_err(system("make a pipe"))?;
    let (mut status, status_writer) = std::io::pipe().map_err(system("make a pipe"))?;
    let child = Program::new(&spec.launch.helper)
        .arg("launch")
        .env_clear()
        .current_dir("/")
        // A terminal's interrupt is the node's to handle.
        .process_group(0)
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(stdout_writer)
        .stderr(stderr_writer)
        .spawn()
        .map_err(system("start the jail's helper"))?;
    let pid = child.id();
    let uid = spec.launch.uid_first.map(|first| first + pid);
    let mut child = Reaped(Some(child));
    let file = spec.to_file().map_err(system("write the job down"))?;
    let input = sealed(stdin).map_err(system("keep the input"))?;
    control::send(&control, &[file.as_fd(), input.as_fd(), status_writer.as_fd()])
        .map_err(system("pass the job on"))?;
    drop(status_writer);
    // While the launcher mounts: the kernel takes its time to move a process.
    group.adopt(pid).map_err(system("move the launcher into the job's cgroups"))?;
    control.set_read_timeout(Some(SETUP_MAX)).map_err(system("wait for the sandbox"))?;
    let mut folder = || control::receive(&control).map_err(|_| failure(&mut status));
    let [disk] = folder()?;
    let mut disk = Disk::new(disk, uid)?;
    for index in overlays(&spec.launch.binds) {
        let [overlay] = folder()?;
        disk.lay(&spec.launch.binds[index].target, overlay);
    }
    [stdout.as_fd(), stderr.as_fd(), status.as_fd()].into_iter().try_for_each(not_blocking)?;
    let child = child.0.take().expect("nobody else takes it");
    let missing = vec![];
    Ok(Job { child, control, status, stdout, stderr, disk, group, missing, uid })
}

/// A child that is killed and reaped when setting up fails.
struct Reaped(Option<Child>);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn not_blocking(fd: std::os::fd::BorrowedFd<'_>) -> Result<(), StartError> {
    fcntl_getfl(fd)
        .and_then(|flags| fcntl_setfl(fd, flags | OFlags::NONBLOCK))
        .map_err(StartError::system("ready a pipe"))
}

/// What the launcher said before it gave up. The pipe ends with the launcher, which is ending.
fn failure(status: &mut PipeReader) -> StartError {
    let mut text = vec![];
    let _ = status.take(64 << 10).read_to_end(&mut text);
    let reason = Status::parse_all(&text).into_iter().find_map(|status| match status {
        Status::Failed(reason) => Some(reason),
        _ => None,
    });
    StartError::Setup(reason.unwrap_or_else(|| "the jail's helper ended without a word".into()))
}
