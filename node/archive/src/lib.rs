//! Archives, read and written under limits: tar files, and JSON lines under zstd.
//!
//! Rooms: [`unpack()`] makes a folder of a tar file that anyone may have made; [`pack()`] makes a tar
//! file of a folder; [`jsonl`] writes records to a file that tells when it was cut.
//!
//! Invariants: what is made stands at its path only when it is whole, and nothing is left of what
//! failed; nothing is written outside the new folder, no link is made, and no file of the archive
//! decides on owner, mode or time; memory does not grow with an archive beyond its limits.
//! Everything blocks: call it from a thread that may wait.
#![forbid(unsafe_code)]

mod compression;
mod hex;
mod holes;
pub mod jsonl;
mod newfile;
mod pack;
mod unpack;

pub use compression::Compression;
pub use pack::{PackError, Packed, pack};
pub use unpack::{Limits, Progress, UnpackError, Unpacked, Watch, unpack};
