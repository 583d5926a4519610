//! One output stream: its beginning is kept, the rest is counted.

use std::io::{ErrorKind, PipeReader, Read};

use crate::jail::outcome::Output;

/// The most that one turn takes, so that both streams and the clocks get theirs.
const TURN_BYTES: usize = 64 << 10;
/// Turns after the end: more than a pipe can hold.
const DRAIN_TURNS: usize = 64;

/// A stream while it is read.
pub struct Capture {
    pipe: PipeReader,
    kept_max: usize,
    output: Output,
    /// No writer is left.
    pub ended: bool,
}

impl Capture {
    pub fn new(pipe: PipeReader, kept_max: usize) -> Self {
        Self { pipe, kept_max, output: Output::default(), ended: false }
    }

    /// To wait for more.
    pub fn pipe(&self) -> &PipeReader {
        &self.pipe
    }

    /// All bytes so far.
    pub fn total(&self) -> u64 {
        self.output.bytes.len() as u64 + self.output.cut_bytes
    }

    /// Takes what is there, up to a turn's worth. Returns how much.
    pub fn turn(&mut self) -> usize {
        let mut buffer = [0; TURN_BYTES];
        match self.pipe.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.take(&buffer[..count]);
                return count;
            }
            Err(error) if is_temporary(error.kind()) => {}
            Err(_) => self.ended = true,
        }
        0
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.kept_max.saturating_sub(self.output.bytes.len());
        let (kept, cut) = bytes.split_at(room.min(bytes.len()));
        self.output.bytes.extend_from_slice(kept);
        self.output.cut_bytes += cut.len() as u64;
    }

    /// What was written and not yet read, once no process is left.
    pub fn finish(mut self) -> Output {
        for _ in 0..DRAIN_TURNS {
            if self.turn() == 0 {
                break;
            }
        }
        self.output
    }
}

fn is_temporary(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_beginning_is_kept_and_the_rest_counted() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let mut capture = Capture::new(reader, 5);
        writer.write_all(b"abc").expect("written");
        assert_eq!(capture.turn(), 3);
        writer.write_all(b"defg").expect("written");
        drop(writer);
        assert!(!capture.ended);
        let output = capture.finish();
        assert_eq!(output, Output { bytes: b"abcde".to_vec(), cut_bytes: 2 });
    }

    #[test]
    fn nothing_kept_is_still_counted() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(b"abc").expect("written");
        drop(writer);
        let mut capture = Capture::new(reader, 0);
        capture.turn();
        assert_eq!(capture.total(), 3);
        capture.turn();
        assert!(capture.ended);
    }
}
