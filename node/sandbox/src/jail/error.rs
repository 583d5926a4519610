//! Why a job could not be started at all.

use std::io;
use std::path::PathBuf;

use super::layer::Layer;

/// The jail itself failed: nothing of the command has run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command, or the settings, can't be had in any jail.
    #[error("invalid: {0}")]
    Invalid(String),
    /// A program of the jail is missing.
    #[error("{what} is not at {}: {fix}", path.display())]
    Absent {
        /// Which program.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do.
        fix: &'static str,
    },
    /// A layer can't be enforced and the settings don't accept that.
    #[error("layer {layer} can't be enforced: {reason}; fix that, or accept it by name")]
    Layer {
        /// Which one.
        layer: Layer,
        /// Why, and what to do.
        reason: String,
    },
    /// What goes into the job is larger than the job's disk, or can't be read.
    #[error("can't put {} into the job: {reason}", path.display())]
    Input {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The sandbox could not be set up.
    #[error("the sandbox could not be set up: {0}")]
    Setup(String),
    /// The kernel refused something that every job needs.
    #[error("{attempt}: {source}")]
    System {
        /// What was tried.
        attempt: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl StartError {
    /// For `map_err`: names what was tried.
    pub(crate) fn system<E: Into<io::Error>>(attempt: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System { attempt, source: error.into() }
    }
}
