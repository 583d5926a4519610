//! What a caller asks for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::StartError;
use super::policy;

/// One command to run in the jail, with all that goes in and what comes out.
///
/// A job sees `/job` (its work folder), `/tmp` and `/dev/shm`, all writable and on one sized tmpfs,
/// and the read-only system with the binds.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments. A program without a slash is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment of the command.
    pub env: Vec<(String, String)>,
    /// Where the command starts, inside the jail.
    pub directory: PathBuf,
    /// Files written into `/job` before the command starts.
    pub files: Vec<File>,
    /// Folders of the host copied into `/job` before the command starts.
    pub copies: Vec<CopyIn>,
    /// Folders and files of the host that the command sees, none of which it can change. 32 at most.
    pub binds: Vec<Bind>,
    /// What the command reads from its standard input, then end of file. 16 MiB at most.
    pub stdin: Vec<u8>,
    /// How much of everything.
    pub limits: Limits,
    /// Files of `/job` to read after the end, whatever the end was.
    pub collect: Vec<Collect>,
}

impl Command {
    /// A command with the policy's limits, nothing in `/job` and an empty environment.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: vec![],
            directory: "/job".into(),
            files: vec![],
            copies: vec![],
            binds: vec![],
            stdin: vec![],
            limits: policy::LIMITS,
            collect: vec![],
        }
    }

    /// # Errors
    /// The first thing that can't be part of a command, by name.
    pub(crate) fn validate(&self) -> Result<(), StartError> {
        let invalid = |what: String| Err(StartError::Invalid(what));
        if self.argv.first().is_none_or(String::is_empty) {
            return invalid("argv is empty: name a program".into());
        }
        if let Some(text) = self.strings().find(|text| text.contains('\0')) {
            return invalid(format!("a NUL byte in {text:?}: no program can receive it"));
        }
        let bytes: usize = self.strings().map(|text| text.len() + 1).sum();
        if bytes > ARGUMENT_BYTES_MAX {
            return invalid(format!(
                "argv and env are {bytes} bytes, {ARGUMENT_BYTES_MAX} at most: pass the rest in files"
            ));
        }
        if let Some((name, _)) = self.env.iter().find(|(name, _)| !is_env_name(name)) {
            return invalid(format!("{name:?} is no name of an environment variable"));
        }
        if self.stdin.len() > STDIN_BYTES_MAX {
            let bytes = self.stdin.len();
            return invalid(format!(
                "{bytes} bytes of input, {STDIN_BYTES_MAX} at most: pass the rest in files"
            ));
        }
        if self.binds.len() > BINDS_MAX {
            return invalid(format!("{} binds, {BINDS_MAX} at most", self.binds.len()));
        }
        self.validate_paths()
    }

    fn strings(&self) -> impl Iterator<Item = &String> {
        self.argv.iter().chain(self.env.iter().flat_map(|(name, value)| [name, value]))
    }

    fn validate_paths(&self) -> Result<(), StartError> {
        let inside = self.files.iter().map(|file| &file.path);
        let inside = inside.chain(self.copies.iter().map(|copy| &copy.to));
        let inside = inside.chain(self.collect.iter().map(|collect| &collect.path));
        if let Some(path) = inside.into_iter().find(|path| !is_relative(path)) {
            return Err(StartError::Invalid(format!(
                "{} must be relative to /job, without `..`",
                path.display()
            )));
        }
        let outside = self.binds.iter().map(|bind| &bind.target).chain([&self.directory]);
        if let Some(path) = outside.into_iter().find(|path| !is_plain_absolute(path)) {
            return Err(StartError::Invalid(format!(
                "{} must be an absolute path in the jail, without `..`",
                path.display()
            )));
        }
        Ok(())
    }
}

/// Well below the kernel's 2 MiB.
const ARGUMENT_BYTES_MAX: usize = 512 << 10;
/// It is held in memory outside the job's own.
const STDIN_BYTES_MAX: usize = 16 << 20;
/// Each is two mounts.
const BINDS_MAX: usize = 32;

fn is_env_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('=')
}

/// Only names: no root, no `..`; `.` stands for `/job` itself.
fn is_relative(path: &Path) -> bool {
    use std::path::Component::{CurDir, Normal};
    !path.as_os_str().is_empty() && path.components().all(|part| matches!(part, CurDir | Normal(_)))
}

fn is_plain_absolute(path: &Path) -> bool {
    use std::path::Component::{Normal, RootDir};
    path.is_absolute() && path.components().all(|part| matches!(part, RootDir | Normal(_)))
}

/// A file to write into `/job`.
#[derive(Clone, Debug)]
pub struct File {
    /// Relative to `/job`; folders on the way are made.
    pub path: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
    /// May it be executed?
    pub executable: bool,
}

/// A folder to copy into `/job`: regular files and folders; a link or device is refused.
#[derive(Clone, Debug)]
pub struct CopyIn {
    /// On the host.
    pub from: PathBuf,
    /// Relative to `/job`; `.` is `/job` itself.
    pub to: PathBuf,
}

/// A folder or file of the host that a job sees.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Bind {
    /// On the host. A node that runs as root may bind from folders that others can't enter; what is
    /// bound itself must be readable for others.
    pub source: PathBuf,
    /// In the jail.
    pub target: PathBuf,
    /// What the job may do there.
    pub access: Access,
}

/// What a job may do with a bind. The host's files stay as they are in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Change, within the job's disk and for this job alone: an overlay, for a folder that was built
    /// ahead. Modes hold as on the host: started as root, what a job shall change there must be
    /// writable for others, behind a folder that they can't enter.
    Overlay,
}

impl Bind {
    /// A bind that the job can only read.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), access: Access::ReadOnly }
    }

    /// A folder whose changes are the job's own.
    pub fn overlay(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), access: Access::Overlay }
    }
}

/// A file of `/job` to read after the end.
#[derive(Clone, Debug)]
pub struct Collect {
    /// Relative to `/job`.
    pub path: PathBuf,
    /// A larger file is not read.
    pub bytes_max: u64,
}

/// How much of everything a job may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to end.
    pub time: Duration,
    /// Without a byte on standard output or standard error and without work on a core. Where no cgroup
    /// counts time on cores: without a byte.
    pub silence: Duration,
    /// Memory of all processes together, with the job's files; no swap.
    pub memory_bytes: u64,
    /// Size of all files in `/job`, `/tmp` and `/dev/shm` together.
    pub disk_bytes: u64,
    /// Number of files and folders there.
    pub disk_files: u64,
    /// Size of one file.
    pub file_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Open files of one process.
    pub open_files: u64,
    /// Kept of each of the two output streams; what follows is counted and dropped.
    pub output_bytes: usize,
    /// Written on both together; a job that writes more is ended.
    pub output_bytes_max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Command)) -> String {
        let mut command = Command::new(["true"]);
        change(&mut command);
        command.validate().expect_err("refused").to_string()
    }

    #[test]
    fn a_command_needs_a_program() {
        assert!(refusal(|command| command.argv.clear()).contains("argv is empty"));
        assert!(refusal(|command| command.argv[0].clear()).contains("argv is empty"));
    }

    #[test]
    fn strings_that_no_program_can_receive_are_refused() {
        assert!(refusal(|command| command.argv.push("a\0b".into())).contains("NUL"));
        let env = |name: &str| {
            let pair = (name.to_owned(), String::new());
            refusal(|command| command.env.push(pair))
        };
        assert!(env("").contains("no name"));
        assert!(env("A=B").contains("no name"));
        let long = "x".repeat(ARGUMENT_BYTES_MAX);
        assert!(refusal(|command| command.argv.push(long)).contains("pass the rest in files"));
    }

    #[test]
    fn input_and_binds_have_an_end() {
        let input = refusal(|command| command.stdin = vec![0; STDIN_BYTES_MAX + 1]);
        assert!(input.contains("pass the rest in files"), "{input}");
        let binds = vec![Bind::read_only("/a", "/b"); BINDS_MAX + 1];
        assert!(refusal(|command| command.binds = binds).contains("32 at most"));
    }

    #[test]
    fn paths_stay_in_the_job() {
        for path in ["/etc/passwd", "../x", "a/../../x", ""] {
            let file = File { path: path.into(), content: vec![], executable: false };
            assert!(refusal(|command| command.files.push(file)).contains("relative to /job"));
            let collect = Collect { path: path.into(), bytes_max: 1 };
            assert!(refusal(|command| command.collect.push(collect)).contains("relative to /job"));
        }
        for target in ["x", "/a/../b", ""] {
            let bind = Bind::read_only("/", target);
            assert!(refusal(|command| command.binds.push(bind)).contains("absolute"));
        }
    }

    #[test]
    fn an_ordinary_command_is_fine() {
        let mut command = Command::new(["cargo", "check"]);
        command.env.push(("PATH".into(), "/rust/bin".into()));
        command.copies.push(CopyIn { from: "/srv/project".into(), to: ".".into() });
        assert!(command.validate().is_ok());
    }
}
