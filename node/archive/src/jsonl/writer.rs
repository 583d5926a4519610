//! Writes a file of records.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{FORMAT, HeaderLine, JsonlError, Limits, Summary, TrailerLine, VERSION};
use crate::compression::{self, Compression};
use crate::hex::hex;
use crate::newfile::NewFile;

/// Writes records; the file stands at its path only after [`finish`](Self::finish).
pub struct Writer {
    path: PathBuf,
    writer: compression::Writer<BufWriter<NewFile>>,
    limits: Limits,
    hash: Sha256,
    lines: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a file by its header.
    ///
    /// # Errors
    /// The file can't be made, or the header does not fit the limits.
    pub fn create<H: Serialize>(
        path: &Path,
        header: &H,
        limits: Limits,
    ) -> Result<Self, JsonlError> {
        let file = NewFile::create(path).map_err(JsonlError::file("make", path))?;
        let writer = compression::Writer::new(Compression::Zstd, BufWriter::new(file));
        let writer = writer.map_err(JsonlError::file("write", path))?;
        let hash = Sha256::new();
        let mut this = Self { path: path.into(), writer, limits, hash, lines: 0, bytes: 0 };
        this.write(&HeaderLine { format: FORMAT.into(), version: VERSION, header })?;
        Ok(this)
    }

    /// Appends a record. After an error the file can't be finished in good faith: drop the writer.
    ///
    /// # Errors
    /// The record does not fit the limits or is no JSON, or the disk is full.
    pub fn write<T: Serialize>(&mut self, record: &T) -> Result<(), JsonlError> {
        let line = self.lines + 1;
        let text = serde_json::to_vec(record);
        let mut text =
            text.map_err(|error| JsonlError::Record { line, reason: error.to_string() })?;
        text.push(b'\n');
        let Limits { line_bytes_max, bytes_max } = self.limits;
        if text.len() > line_bytes_max {
            return Err(JsonlError::LongLine { line, line_bytes_max });
        }
        if self.bytes + text.len() as u64 > bytes_max {
            return Err(JsonlError::TooLarge { bytes_max });
        }
        self.hash.update(&text);
        self.bytes += text.len() as u64;
        self.lines = line;
        self.writer.write_all(&text).map_err(JsonlError::file("write", &self.path))
    }

    /// Writes the trailer and puts the file in its place.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn finish(mut self) -> Result<Summary, JsonlError> {
        let sha256 = hex(&self.hash.clone().finalize());
        let summary = Summary { records: self.lines - 1, bytes: self.bytes, sha256 };
        let trailer = TrailerLine { trailer: summary.clone() };
        let done = self.end(&trailer).and_then(|()| self.writer.finish()).and_then(|file| {
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(NewFile::keep)
        });
        done.map_err(JsonlError::file("write", &self.path))?;
        Ok(summary)
    }

    fn end(&mut self, trailer: &TrailerLine) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, trailer)?;
        self.writer.write_all(b"\n")
    }
}
