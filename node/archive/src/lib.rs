//! Tar files and JSON lines.
#![forbid(unsafe_code)]
