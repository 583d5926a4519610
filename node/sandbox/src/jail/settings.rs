//! Where the jail finds its programs, and what it may do without.

use std::path::PathBuf;

use super::layer::Layer;

/// Set once for all jobs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program `gaia-jail` of this crate, which sets a job up from the outside and the inside.
    pub helper: PathBuf,
    /// Bubblewrap, 0.8 or newer.
    pub bwrap: PathBuf,
    /// Started as root, a job runs as user `uid_first` + the process id of its launcher, which no
    /// other job on this machine has at that time. The four million ids above it must be nobody's.
    pub uid_first: u32,
    /// Layers that a job may run without. Nothing is weakened silently: a layer that fails and is
    /// not named here fails the job.
    pub accepted: Vec<Layer>,
}

impl Settings {
    /// Debian's places, and every layer required.
    pub fn new(helper: impl Into<PathBuf>) -> Self {
        Self {
            helper: helper.into(),
            bwrap: "/usr/bin/bwrap".into(),
            uid_first: 1_900_000_000,
            accepted: vec![],
        }
    }
}
