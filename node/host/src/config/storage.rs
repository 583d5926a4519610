//! The tables about what the node keeps for its users: answers in memory, files on disk.

use std::path::PathBuf;

use super::paths::Places;
use super::reader::Reader;

/// `[responses]`: answers that a later request may go on from. They are kept in memory alone; the
/// least recently used goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponsesConfig {
    /// Answers at most.
    pub stored_max: usize,
    /// Their bytes together, at most, as JSON.
    pub stored_bytes_max: usize,
}

impl Default for ResponsesConfig {
    fn default() -> Self {
        Self { stored_max: 1000, stored_bytes_max: 256 << 20 }
    }
}

impl ResponsesConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            stored_max: table.within("stored_max", default.stored_max, 0..=1_000_000),
            stored_bytes_max: table.within(
                "stored_bytes_max",
                default.stored_bytes_max,
                1024..=1 << 40,
            ),
        };
        table.finish();
        read
    }
}

/// `[files]`: what users upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// Where they are kept: `files` in the node's home.
    pub folder: PathBuf,
    /// Bytes of one file at most; a larger one is answered 413.
    pub bytes_max: u64,
    /// Bytes of all files together; one more is answered 507.
    pub total_bytes_max: u64,
    /// Files at most; one more is answered 507.
    pub count_max: usize,
}

impl FilesConfig {
    /// The default limits on the files in `folder`.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, bytes_max: 64 << 20, total_bytes_max: 4 << 30, count_max: 10_000 }
    }

    pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Self {
        let default = Self::in_folder(places.node_home.join("files"));
        let read = Self {
            bytes_max: table.within("bytes_max", default.bytes_max, 1..=1 << 40),
            total_bytes_max: table.within("total_bytes_max", default.total_bytes_max, 1..=1 << 50),
            count_max: table.within("count_max", default.count_max, 0..=1_000_000),
            folder: default.folder,
        };
        if read.bytes_max > read.total_bytes_max {
            table.wrong("bytes_max", "must not be above total_bytes_max");
        }
        table.finish();
        read
    }
}
