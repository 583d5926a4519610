//! Reads a file of records and judges it by its trailer.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{FORMAT, HeaderLine, JsonlError, Limits, Summary, TrailerLine, VERSION};
use crate::compression::ZSTD_WINDOW_LOG_MAX;
use crate::hex::hex;

/// Reads records one by one. What was read counts only when [`next`](Self::next) has said that there
/// is no more: until then the file may prove cut or damaged.
pub struct Reader {
    path: PathBuf,
    reader: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    limits: Limits,
    hash: Sha256,
    /// Lines that were given out.
    lines: u64,
    lines_read: u64,
    bytes: u64,
    /// The line after them; it may be the trailer.
    ahead: Vec<u8>,
    summary: Option<Summary>,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// The file can't be read, is of another format, or its header is not of the type.
    pub fn open<H: DeserializeOwned>(path: &Path, limits: Limits) -> Result<(Self, H), JsonlError> {
        let file = File::open(path).map_err(JsonlError::file("open", path))?;
        let decoder = zstd::Decoder::new(file).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Ok(decoder)
        });
        let reader = BufReader::new(decoder.map_err(JsonlError::file("open", path))?);
        let (hash, ahead) = (Sha256::new(), vec![]);
        let path = path.to_owned();
        let (lines, lines_read, bytes, summary) = (0, 0, 0, None);
        let mut this =
            Self { path, reader, limits, hash, lines, lines_read, bytes, ahead, summary };
        this.read_ahead()?;
        let header = this.header()?;
        Ok((this, header))
    }

    /// The next record; `None` when the file has ended well.
    ///
    /// # Errors
    /// A line is no such record or too long; the file is cut or damaged.
    #[expect(clippy::should_implement_trait, reason = "the type of a record is chosen per call")]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, JsonlError> {
        match self.next_line()? {
            Some(line) => self.parse(&line).map(Some),
            None => Ok(None),
        }
    }

    /// What the file holds; known after the last record.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Bytes of the lines that were given out, the header's included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn header<H: DeserializeOwned>(&mut self) -> Result<H, JsonlError> {
        let Some(line) = self.next_line()? else { return Err(JsonlError::Format) };
        let format: HeaderLine<serde::de::IgnoredAny> =
            serde_json::from_slice(&line).map_err(|_| JsonlError::Format)?;
        if format.format != FORMAT || format.version != VERSION {
            return Err(JsonlError::Format);
        }
        self.parse::<HeaderLine<H>>(&line).map(|line| line.header)
    }

    fn parse<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, JsonlError> {
        let failed = |error: serde_json::Error| JsonlError::Record {
            line: self.lines,
            reason: error.to_string(),
        };
        serde_json::from_slice(line).map_err(failed)
    }

    /// The next line that is not the last; the last must be a trailer that fits.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, JsonlError> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.ahead);
        self.read_ahead()?;
        if self.ahead.is_empty() {
            self.judge(&line)?;
            return Ok(None);
        }
        self.hash.update(&line);
        self.bytes += line.len() as u64;
        self.lines += 1;
        let bytes_max = self.limits.bytes_max;
        match self.bytes > bytes_max {
            true => Err(JsonlError::TooLarge { bytes_max }),
            false => Ok(Some(line)),
        }
    }

    /// Reads a line with its line feed; nothing at the end.
    fn read_ahead(&mut self) -> Result<(), JsonlError> {
        let line_bytes_max = self.limits.line_bytes_max;
        let mut bounded = (&mut self.reader).take(line_bytes_max as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.ahead);
        read.map_err(|error| self.unreadable(error))?;
        if self.ahead.len() > line_bytes_max {
            return Err(JsonlError::LongLine { line: self.lines_read + 1, line_bytes_max });
        }
        match self.ahead.last() {
            None => Ok(()),
            Some(b'\n') => {
                self.lines_read += 1;
                Ok(())
            }
            Some(_) => Err(JsonlError::Cut { line: self.lines_read }),
        }
    }

    fn judge(&mut self, line: &[u8]) -> Result<(), JsonlError> {
        if self.lines == 0 {
            return Err(JsonlError::Format);
        }
        let trailer = serde_json::from_slice::<TrailerLine>(line);
        let trailer = trailer.map_err(|_| JsonlError::Cut { line: self.lines })?.trailer;
        let sha256 = hex(&self.hash.clone().finalize());
        let found = Summary { records: self.lines - 1, bytes: self.bytes, sha256 };
        if trailer != found {
            let reason = "its trailer tells of other records".into();
            return Err(JsonlError::Damaged { reason });
        }
        self.summary = Some(found);
        Ok(())
    }

    fn unreadable(&self, error: io::Error) -> JsonlError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return JsonlError::Cut { line: self.lines_read };
        }
        match error.raw_os_error() {
            Some(_) => JsonlError::file("read", &self.path)(error),
            None => JsonlError::Damaged { reason: error.to_string() },
        }
    }
}
