//! From a name and bytes to a document, on a thread of its own and under a deadline.
//!
//! ```text
//! read ── thread `document-reader` ── the reader of the kind ── answer
//!   └─ waits until the deadline; then the thread is lost: it sees the deadline itself, at the latest
//!      where its library gives control back, and ends
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::document::Document;
use crate::error::ReadError;
use crate::formats::{self, Source};
use crate::kind::Kind;

/// Readers recurse by fixed depths only; their libraries are given room to do so too. Only what is
/// used of a stack takes memory.
const STACK_BYTES: usize = 16 << 20;
/// Documents that are read at once, those among them that missed their deadline and have not ended.
const RUNNING_MAX: usize = 8;
/// A reader that sees the deadline itself says what it was about; it gets this long to do so.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 500 });

/// What reading one document may take. Every limit has its answer in [`ReadError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes_max: u64,
    /// Bytes of the text that is read from it, headings included.
    pub text_bytes_max: usize,
    /// Headings or items.
    pub sections_max: usize,
    /// Pages of a PDF.
    pub pages_max: usize,
    /// Bytes that all pages, or any single part, of a PDF may unpack to; also those that the fonts of
    /// a page may take in memory.
    pub unpacked_bytes_max: usize,
    /// Time for one document.
    pub time_max: Duration,
}

impl Default for Limits {
    /// Enough for the longest books: 32 MiB, 16 MiB of text, 5,000 pages, 30 s.
    fn default() -> Self {
        Self {
            bytes_max: 32 << 20,
            text_bytes_max: 16 << 20,
            sections_max: 100_000,
            pages_max: 5_000,
            unpacked_bytes_max: 128 << 20,
            time_max: Duration::from_secs(30),
        }
    }
}

/// Reads documents, at most 8 at once. One whose deadline passed keeps its place until it has ended, so
/// that hostile files can't pile up threads: one `Reader` serves all that a process reads.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    limits: Limits,
    running: Arc<AtomicUsize>,
}

/// Until when a reader may work.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    #[cfg(test)]
    pub fn never() -> Self {
        Self(None)
    }

    #[cfg(test)]
    pub fn passed() -> Self {
        Self::after(Duration::ZERO)
    }

    /// An error once the deadline has passed; long loops ask now and then.
    pub fn check(self, limits: &Limits) -> Result<(), ReadError> {
        match self.0 {
            Some(end) if Instant::now() >= end => Err(missed(limits)),
            _ => Ok(()),
        }
    }
}

/// A document's place among those that are read at once; given back by drop.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Result<Self, ReadError> {
        let place = Self(running.clone());
        let before = running.fetch_add(1, Ordering::AcqRel);
        if before >= RUNNING_MAX { Err(ReadError::Busy { running: before }) } else { Ok(place) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads a single document; who reads more keeps a [`Reader`].
///
/// # Errors
///
/// See [`ReadError`]; each says what to do.
pub fn read(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Document, ReadError> {
    Reader::new(limits.clone()).read(name, bytes)
}

impl Reader {
    /// A reader whose documents have these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, running: Arc::default() }
    }

    /// Reads a document. `name` is the source's name or path: it tells the kind, and the modules of
    /// Rust source. Waits until the document is read or the deadline has passed.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]; each says what to do.
    pub fn read(&self, name: &str, bytes: Vec<u8>) -> Result<Document, ReadError> {
        let (count, bytes_max) = (bytes.len() as u64, self.limits.bytes_max);
        if count > bytes_max {
            return Err(ReadError::TooLarge { bytes: count, bytes_max });
        }
        let source = Source {
            kind: Kind::of(name, &bytes)?,
            name: name.to_owned(),
            bytes,
            limits: self.limits.clone(),
            deadline: Deadline::after(self.limits.time_max),
        };
        self.apart(move || formats::read(&source))
    }

    /// Works on a thread of its own, which is left behind when the deadline passes.
    fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let place = Place::take(&self.running)?;
        let (sender, receiver) = sync_channel(1);
        let builder = thread::Builder::new().name("document-reader".into()).stack_size(STACK_BYTES);
        let spawned = builder.spawn(move || {
            let _place = place;
            let done = catch_unwind(AssertUnwindSafe(work));
            // Nobody waits any more: then it came too late.
            let _ = sender.send(done.unwrap_or(Err(ReadError::ReaderFailed)));
        });
        // No thread: as if all places were taken.
        spawned.map_err(|_| ReadError::Busy { running: self.running.load(Ordering::Acquire) })?;
        match receiver.recv_timeout(self.limits.time_max.saturating_add(GRACE)) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(missed(&self.limits)),
            Err(RecvTimeoutError::Disconnected) => Err(ReadError::ReaderFailed),
        }
    }
}

fn missed(limits: &Limits) -> ReadError {
    let time_max_ms = u64::try_from(limits.time_max.as_millis()).unwrap_or(u64::MAX);
    ReadError::Deadline { time_max_ms }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn reader(time_max: Duration) -> Reader {
        Reader::new(Limits { time_max, ..Limits::default() })
    }

    #[test]
    fn a_panic_is_an_answer() {
        let reader = reader(Duration::from_secs(60));
        let answer = reader.apart::<()>(|| panic!("a reader's mistake"));
        assert_eq!(answer, Err(ReadError::ReaderFailed));
    }

    #[test]
    fn lost_threads_keep_their_places_until_they_end() {
        let reader = reader(Duration::ZERO);
        let (ends, wait) = sync_channel::<()>(0);
        let wait = Arc::new(std::sync::Mutex::new(wait));
        for _ in 0..RUNNING_MAX {
            let wait = wait.clone();
            let hang = move || {
                let _ = wait.lock().map(|wait| wait.recv());
                Ok(())
            };
            assert_eq!(reader.apart(hang), Err(ReadError::Deadline { time_max_ms: 0 }));
        }
        let refused = reader.apart(|| Ok(()));
        assert_eq!(refused, Err(ReadError::Busy { running: RUNNING_MAX }));
        drop(ends);
        while reader.running.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        let patient = Reader { limits: Limits::default(), ..reader };
        assert_eq!(patient.apart(|| Ok(7)), Ok(7));
    }

    #[test]
    fn a_large_file_is_refused_before_it_is_looked_at() {
        let limits = Limits { bytes_max: 3, ..Limits::default() };
        let refused = read("a.bin", vec![0; 4], &limits);
        assert_eq!(refused, Err(ReadError::TooLarge { bytes: 4, bytes_max: 3 }));
    }
}
