//! What happened in the jail.

use std::path::PathBuf;

/// All that is known about a job that ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What it ran into on the way, which may explain the ending.
    pub notes: Notes,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// From start to end.
    pub wall_ms: u64,
    /// Time on cores, of all processes together; of those that ended where no cgroup counts.
    pub cpu_ms: u64,
    /// The most memory in use at once, with the job's files; unknown where no cgroup counts.
    pub memory_peak_bytes: Option<u64>,
    /// What was asked for with [`Command::collect`](super::Command::collect), in that order.
    pub collected: Vec<Collected>,
}

/// How a job ended. The first reason counts: a job that is ended for its silence is not also killed
/// by a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal. A program that exits with 128 + signal by itself looks the same.
    Signalled(i32),
    /// Its time was over.
    TimedOut,
    /// It wrote nothing and did nothing for too long.
    Silent,
    /// The kernel killed one of its processes because the job was at its limit of memory.
    OutOfMemory,
    /// It wrote more than is taken.
    OutputLimit,
    /// The caller did not want it any more.
    Cancelled,
    /// The command itself could not be executed: not found, no program, a bad directory.
    NotStarted(String),
}

/// What a job ran into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How often a process was refused because the job had its limit of them.
    pub process_limit_hits: u64,
    /// How many processes were killed for lack of memory.
    pub oom_kills: u64,
    /// Was its disk full when it was looked at, by bytes or by number of files?
    pub disk_full: bool,
    /// Did a process outlive every attempt to kill it, stuck in the kernel? Its limits still hold,
    /// and its cgroup is removed by a later node.
    pub stuck: bool,
}

/// One output stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its beginning.
    pub bytes: Vec<u8>,
    /// How many bytes after that were dropped.
    pub cut_bytes: u64,
}

/// A file that was asked for.
#[derive(Clone, Debug)]
pub struct Collected {
    /// As it was asked for.
    pub path: PathBuf,
    /// Its content.
    pub content: Result<Vec<u8>, CollectError>,
}

/// Why a file was not brought out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// There is none, or a link stands in the way.
    #[error("no such file, or a link on the way to it: links are not followed")]
    Absent,
    /// It is a folder, a pipe, a socket.
    #[error("not a regular file")]
    NotRegular,
    /// It is larger than asked for.
    #[error("{bytes} bytes, more than the limit: raise the limit or make it smaller")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It could not be read.
    #[error("can't be read: {0}")]
    Unreadable(String),
}
