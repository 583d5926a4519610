//! Why a download failed.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{HopError, Refusal, TransportError};

/// A download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The URL is not followed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The way to the server failed, also after repeating. What has come stays for the next try.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server answered with an error.
    #[error("{url} answered {status}: {excerpt}")]
    Status {
        /// Without credentials and query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server compresses although it was asked not to.
    #[error("{url} answered in the encoding {encoding}, which was not asked for")]
    Encoded {
        /// Without credentials and query.
        url: String,
        /// The content encoding.
        encoding: String,
    },
    /// The file is larger than allowed. Nothing is kept.
    #[error(
        "{source_shown} is larger than the {bytes_max} bytes allowed; allow more or take another"
    )]
    TooLarge {
        /// The URL or path, without secrets.
        source_shown: String,
        /// The limit.
        bytes_max: u64,
    },
    /// What came is something else than what was asked for. Nothing is kept.
    #[error("the SHA-256 of what came is {actual}, not {expected}; is the URL the right version?")]
    WrongHash {
        /// What was asked for, in hexadecimal.
        expected: String,
        /// What came, in hexadecimal.
        actual: String,
    },
    /// The disk is too full. What has come stays for the next try.
    #[error("{path} needs {bytes_needed} more bytes and the disk has {bytes_free}; make room")]
    NoRoom {
        /// Where the file should go.
        path: String,
        /// What is still to come, as far as known.
        bytes_needed: u64,
        /// What is free.
        bytes_free: u64,
    },
    /// Another download writes the same file.
    #[error("{path} is being downloaded already; wait for it")]
    Busy {
        /// The part file.
        path: String,
    },
    /// The source is a folder, a pipe or a device.
    #[error("{path} is no regular file; give a file")]
    NotAFile {
        /// The source.
        path: String,
    },
    /// A file of this machine can't be read or written.
    #[error("can't {attempted} {path}: {source}")]
    File {
        /// What was attempted.
        attempted: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl DownloadError {
    pub(super) fn file(
        attempted: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> DownloadError {
        move |source| Self::File { attempted, path: path.display().to_string(), source }
    }

    /// Whether a later try may succeed without anyone doing anything.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Transport(TransportError::Setup { .. }) => false,
            Self::Transport(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 416 | 429 | 500..=599),
            _ => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<HopError> for DownloadError {
    fn from(error: HopError) -> Self {
        match error {
            HopError::Refused(refusal) => Self::Refused(refusal),
            HopError::Transport(error) => Self::Transport(error),
        }
    }
}
