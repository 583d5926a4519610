//! Where the jail finds its programs, and what it may do without.

use std::path::PathBuf;

use super::error::StartError;
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

    /// Ordinary users lie below, and 2^32 - 1 is no user: the launchers' numbers go up to 2^22.
    pub(crate) fn validate(&self) -> Result<(), StartError> {
        let users = 100_000..u32::MAX - (1 << 22);
        if users.contains(&self.uid_first) {
            return Ok(());
        }
        Err(StartError::Invalid(format!(
            "uid_first is {}: choose one from {} to {}, with four million unused ids above it",
            self.uid_first,
            users.start,
            users.end - 1
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_get_no_ordinary_user() {
        let with = |uid_first| Settings { uid_first, ..Settings::new("x") }.validate();
        for uid in [0, 1000, 65_534, u32::MAX, u32::MAX - (1 << 22)] {
            assert!(with(uid).is_err(), "{uid}");
        }
        assert!(Settings::new("x").validate().is_ok());
        assert!(with(100_000).is_ok());
    }
}
