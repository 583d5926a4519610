//! Counts what goes through, and stops what grows too much or is no longer wanted.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::{Limits, UnpackError, Watch};

/// Content up to this is no bomb, whatever the ratio.
const FREE_BYTES: u64 = 1 << 20;
/// The caller is told after so much.
const REPORT_BYTES: u64 = 1 << 20;
/// Headers of so many bytes per file are no content, and yet a bomb can be made of them.
const OVERHEAD_BYTES_PER_FILE: u64 = 64 << 10;

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the archive's file that were read.
    pub bytes_read: u64,
    /// All of them.
    pub bytes_total: u64,
}

/// Counts one unpacking.
pub(super) struct Meter<'a> {
    limits: Limits,
    watch: Watch<'a>,
    bytes_read: Rc<Cell<u64>>,
    bytes_total: u64,
}

impl<'a> Meter<'a> {
    pub fn new(limits: Limits, watch: Watch<'a>, bytes_total: u64) -> Self {
        Self { limits, watch, bytes_read: Rc::default(), bytes_total }
    }

    /// The count that the file's reader keeps.
    pub fn bytes_read(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.bytes_read)
    }

    /// Counts what comes out of the compression.
    pub fn reader<R: Read>(self, inner: R) -> MeteredReader<'a, R> {
        MeteredReader { inner, meter: self, bytes: 0, bytes_reported: 0 }
    }

    fn check(&self, bytes: u64) -> Result<(), UnpackError> {
        let cancel = self.watch.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed));
        if cancel {
            return Err(UnpackError::Cancelled);
        }
        let Limits { bytes_max, files_max, ratio_max, .. } = self.limits;
        let allowed = self.bytes_read.get().saturating_mul(ratio_max);
        if bytes > allowed.max(FREE_BYTES) {
            return Err(UnpackError::Bomb { ratio_max });
        }
        let overhead = files_max.saturating_mul(OVERHEAD_BYTES_PER_FILE).max(FREE_BYTES);
        if bytes > bytes_max.saturating_add(overhead) {
            return Err(UnpackError::TooLarge { bytes_max });
        }
        Ok(())
    }

    fn report(&mut self) {
        let progress =
            Progress { bytes_read: self.bytes_read.get(), bytes_total: self.bytes_total };
        if let Some(callback) = &mut self.watch.progress {
            callback(progress);
        }
    }
}

/// The archive's file; counts what is read of it.
pub(super) struct CountedFile {
    file: File,
    bytes_read: Rc<Cell<u64>>,
}

impl CountedFile {
    pub fn new(file: File, bytes_read: Rc<Cell<u64>>) -> Self {
        Self { file, bytes_read }
    }
}

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.bytes_read.set(self.bytes_read.get() + length as u64);
        Ok(length)
    }
}

/// The archive's content; fails with an [`UnpackError`] inside when a limit is reached.
pub(super) struct MeteredReader<'a, R> {
    inner: R,
    meter: Meter<'a>,
    bytes: u64,
    bytes_reported: u64,
}

impl<R: Read> Read for MeteredReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.bytes += length as u64;
        self.meter.check(self.bytes).map_err(io::Error::other)?;
        if length == 0 || self.bytes - self.bytes_reported >= REPORT_BYTES {
            self.bytes_reported = self.bytes;
            self.meter.report();
        }
        Ok(length)
    }
}
