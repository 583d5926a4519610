//! Records as JSON lines under zstd, between a header that says what they are and a trailer that says
//! how many there were: a file that was cut or changed is noticed.
//!
//! The first line is `{"format":"gaia-jsonl","version":1,"header":…}`; each record is a line; the last
//! is `{"trailer":{"records":…,"bytes":…,"sha256":"…"}}`, where bytes and hash are those of all lines
//! before it, line feeds included.

mod reader;
mod writer;

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use reader::Reader;
pub use writer::Writer;

const FORMAT: &str = "gaia-jsonl";
const VERSION: u32 = 1;

/// What a file may hold at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one line.
    pub line_bytes_max: usize,
    /// Bytes of all lines.
    pub bytes_max: u64,
}

/// What a whole file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Records, without header and trailer.
    pub records: u64,
    /// Bytes of all lines before the trailer, uncompressed.
    pub bytes: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A file of records was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The file is of another kind or version.
    #[error("this is no file of records of version {VERSION}; give one that this program wrote")]
    Format,
    /// A line is longer than allowed.
    #[error("line {line} is longer than {line_bytes_max} bytes")]
    LongLine {
        /// Counted from 1, the header.
        line: u64,
        /// The limit.
        line_bytes_max: usize,
    },
    /// All lines are more than allowed.
    #[error("the records are more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// A line is not what it should be.
    #[error("line {line} is not what is expected there: {reason}")]
    Record {
        /// Counted from 1, the header.
        line: u64,
        /// What the parser says.
        reason: String,
    },
    /// The file ends without a trailer.
    #[error("the file is cut after line {line}; get it again")]
    Cut {
        /// The last whole line, counted from 1.
        line: u64,
    },
    /// The trailer does not fit what is before it, or something follows it, or the compression is
    /// damaged.
    #[error("the file is damaged: {reason}; get it again")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// The file can't be read or written.
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

impl JsonlError {
    fn file(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JsonlError {
        move |source| Self::File { attempted, path: path.display().to_string(), source }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<H> {
    format: String,
    version: u32,
    header: H,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailerLine {
    trailer: Summary,
}
