//! Why an archive is not unpacked.

use std::io;
use std::path::Path;

/// An archive was not unpacked; nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// `into` is there already.
    #[error("{path} exists already; choose a new folder")]
    Exists {
        /// The folder.
        path: String,
    },
    /// Something is being unpacked to the same place.
    #[error("something is being unpacked to {path} already; wait for it")]
    Busy {
        /// The folder.
        path: String,
    },
    /// The archive is a folder, a pipe or a device.
    #[error("{path} is no regular file; give a tar file")]
    NotAFile {
        /// The archive.
        path: String,
    },
    /// The content is no tar file, or is damaged.
    #[error("the archive is no tar file or is damaged at byte {offset}: {reason}; get it again")]
    Damaged {
        /// Where in the uncompressed content.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The archive ends too early.
    #[error("the archive is cut at byte {offset} of its content; get it again")]
    Cut {
        /// Where in the uncompressed content.
        offset: u64,
    },
    /// Something follows after the end of the archive.
    #[error("the archive goes on after its end with something that is no padding; get it again")]
    TrailingGarbage,
    /// A path begins at the root.
    #[error("the archive holds the absolute path {path}; only relative ones are unpacked")]
    AbsolutePath {
        /// The path.
        path: String,
    },
    /// A path leads upwards.
    #[error("the archive holds the path {path}, which leads out of it by ..")]
    ParentPath {
        /// The path.
        path: String,
    },
    /// A path is empty, no UTF-8, or has characters that no name of ours has.
    #[error("the archive holds the path {path:?}, which names no file")]
    BadPath {
        /// The path.
        path: String,
    },
    /// A path is too long.
    #[error("the archive holds a path of more than {path_bytes_max} bytes")]
    LongPath {
        /// The limit.
        path_bytes_max: usize,
    },
    /// A symbolic or hard link.
    #[error("the archive holds the link {path}; links are not unpacked")]
    Link {
        /// The link's own path.
        path: String,
    },
    /// A device, pipe, or an entry of an unknown kind.
    #[error("the archive holds {path}, which is neither file nor folder")]
    Special {
        /// Its path.
        path: String,
    },
    /// A path comes twice, or is file and folder at once.
    #[error("the archive holds {path} twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// More files and folders than allowed.
    #[error("the archive holds more than {files_max} files and folders")]
    TooManyFiles {
        /// The limit.
        files_max: u64,
    },
    /// More bytes than allowed.
    #[error("the archive holds more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// The content is too many times larger than the file.
    #[error("the archive grows more than {ratio_max} times when unpacked; it looks like a bomb")]
    Bomb {
        /// The limit.
        ratio_max: u64,
    },
    /// A snapshot that is an archive itself has company.
    #[error("the archive holds {path}, an archive itself, among others; it must be the only file")]
    NotAlone {
        /// The snapshot.
        path: String,
    },
    /// The caller wanted no more.
    #[error("unpacking was cancelled")]
    Cancelled,
    /// A file or folder can't be read or written.
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

impl UnpackError {
    pub(super) fn file(
        attempted: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> UnpackError {
        move |source| Self::File { attempted, path: path.display().to_string(), source }
    }

    /// What reading the content says: an error of ours on its way through a reader, a cut, or damage
    /// that a decompressor found.
    pub(super) fn reading(offset: u64) -> impl FnOnce(io::Error) -> UnpackError {
        move |error| match error.downcast::<UnpackError>() {
            Ok(ours) => ours,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Cut { offset },
            Err(error) if error.raw_os_error().is_some() => {
                Self::File { attempted: "read", path: "the archive".into(), source: error }
            }
            Err(_) => Self::Damaged { offset, reason: "its compression is damaged" },
        }
    }
}
