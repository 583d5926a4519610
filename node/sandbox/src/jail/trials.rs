//! What the jail's trials are called and find: shared by the side that starts them and the side in
//! the jail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The namespaces that a job has for itself.
pub const NAMESPACES: [&str; 7] = ["user", "pid", "net", "ipc", "uts", "cgroup", "mnt"];

/// One trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Looks around and touches what it should not.
    Look,
    /// Takes 256 MiB.
    Memory,
    /// Starts 64 threads.
    Processes,
    /// Leaves a process behind.
    Daemon,
    /// That process.
    Sleep,
}

impl Trial {
    const ALL: [Self; 5] = [Self::Look, Self::Memory, Self::Processes, Self::Daemon, Self::Sleep];

    /// As an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Daemon => "daemon",
            Self::Sleep => "sleep",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trial| trial.name() == name)
    }
}

/// What [`Trial::Look`] saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Links of `/proc/self/ns`.
    pub namespaces: BTreeMap<String, String>,
    /// `/proc/self/status`.
    pub status: BTreeMap<String, String>,
    /// Of the network.
    pub interfaces: Vec<String>,
    /// Places of the host that are to be seen.
    pub host_paths: Vec<String>,
    /// Places that should be read-only and aren't.
    pub writable: Vec<String>,
    /// Bytes and files of the job's disk.
    pub disk: Option<(u64, u64)>,
    /// Did the disk end where it should?
    pub disk_stops: bool,
    /// The error of making a network socket, if there was one.
    pub socket: Option<i32>,
    /// The error of writing where only Landlock forbids it, if there was one.
    pub landlock: Option<i32>,
    /// Limits of the process.
    pub core_bytes: Option<u64>,
    /// The same.
    pub file_bytes: Option<u64>,
    /// The same.
    pub open_files: Option<u64>,
}
