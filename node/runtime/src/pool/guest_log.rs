//! What guests print goes to the log, line by line, up to a limit per instance.
//!
//! Each instance has a pipe; one thread reads them all, always, so that no guest ever waits for its
//! own output.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::ffi::wait_readable;

/// Bytes that one instance may print; the rest is dropped.
const INSTANCE_BYTES_MAX: usize = 64 << 10;
/// Bytes of a line at most; a longer one is cut into several.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Reads the output of all instances of one app.
pub(super) struct GuestLog {
    new: Arc<Mutex<Vec<Source>>>,
    /// A byte wakes the reader; closing it ends it.
    wake: Option<PipeWriter>,
    reader: Option<JoinHandle<()>>,
}

struct Source {
    instance: u64,
    pipe: PipeReader,
    lines: Lines,
}

impl GuestLog {
    pub(super) fn start(app: String) -> std::io::Result<Self> {
        let (woken, wake) = std::io::pipe()?;
        let new: Arc<Mutex<Vec<Source>>> = Arc::default();
        let reader = std::thread::Builder::new().name("guest-log".into()).spawn({
            let new = Arc::clone(&new);
            move || read_all(&app, &new, woken)
        })?;
        Ok(Self { new, wake: Some(wake), reader: Some(reader) })
    }

    /// A pipe for one instance; the log ends when its last copy is closed.
    pub(super) fn register(&self, instance: u64) -> std::io::Result<OwnedFd> {
        let (pipe, output) = std::io::pipe()?;
        let source = Source { instance, pipe, lines: Lines::default() };
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(source);
        if let Some(mut wake) = self.wake.as_ref() {
            wake.write_all(&[0])?;
        }
        Ok(output.into())
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        self.wake.take();
        if let Some(reader) = self.reader.take() {
            // A panic there was reported when it happened.
            drop(reader.join());
        }
    }
}

/// Reads until the wake pipe is closed.
fn read_all(app: &str, new: &Mutex<Vec<Source>>, mut woken: PipeReader) {
    let mut sources: Vec<Source> = Vec::new();
    let mut buffer = vec![0; 8 << 10];
    loop {
        let pipes = std::iter::once(&woken).chain(sources.iter().map(|source| &source.pipe));
        let ready = match wait_readable(pipes) {
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, "what apps print can't be read any more");
                return;
            }
        };
        let mut index = 0;
        sources.retain_mut(|source| {
            index += 1;
            !ready[index] || read_some(app, source, &mut buffer)
        });
        if !ready[0] {
            continue;
        }
        // One byte for each new source, or none at all when the log is closed.
        match woken.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(_) => sources.append(&mut new.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// Reads once. False: the instance has ended.
fn read_some(app: &str, source: &mut Source, buffer: &mut [u8]) -> bool {
    let length = source.pipe.read(buffer).unwrap_or(0);
    let lines = if length == 0 { source.lines.end() } else { source.lines.push(&buffer[..length]) };
    for line in lines {
        tracing::info!(target: "guest", app, instance = source.instance, "{line}");
    }
    length > 0
}

/// Cuts bytes into lines, within the limits.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    bytes: usize,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let room = INSTANCE_BYTES_MAX.saturating_sub(self.bytes);
        let was_open = room > 0;
        self.bytes = self.bytes.saturating_add(bytes.len());
        let mut lines = Vec::new();
        for byte in &bytes[..bytes.len().min(room)] {
            if *byte != b'\n' {
                self.partial.push(*byte);
            }
            if *byte == b'\n' || self.partial.len() >= LINE_BYTES_MAX {
                lines.extend(self.end());
            }
        }
        if was_open && self.bytes > INSTANCE_BYTES_MAX {
            lines.extend(self.end());
            lines.push(format!("[more than {INSTANCE_BYTES_MAX} bytes: the rest is dropped]"));
        }
        lines
    }

    /// The last line, which has no line end.
    fn end(&mut self) -> Vec<String> {
        if self.partial.is_empty() {
            return Vec::new();
        }
        let line = std::mem::take(&mut self.partial);
        // Escapes, so that a guest can't write to the terminal or fake another log line.
        let text = String::from_utf8_lossy(&line);
        vec![text.chars().flat_map(printable).collect()]
    }
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if character.is_control() {
        (None, Some(character.escape_default()))
    } else {
        (Some(character), None)
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_without_control_characters() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\x1b[31mred"), ["two"]);
        assert_eq!(lines.end(), ["\\u{1b}[31mred"]);
        assert!(lines.end().is_empty());
    }

    #[test]
    fn a_long_line_is_cut() {
        let mut lines = Lines::default();
        let cut = lines.push(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].len(), LINE_BYTES_MAX);
        assert_eq!(lines.end(), ["x"]);
    }

    #[test]
    fn what_is_over_the_limit_is_dropped_and_said_once() {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for _ in 0..40 {
            all.extend(lines.push(&[b"y".repeat(4000), b"\n".to_vec()].concat()));
        }
        assert!(all.iter().map(String::len).sum::<usize>() < INSTANCE_BYTES_MAX + 100);
        assert_eq!(all.iter().filter(|line| line.contains("dropped")).count(), 1);
    }
}
