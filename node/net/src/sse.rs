//! Server-sent events, read from bytes as they come, within limits.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The event's type; empty when the server named none.
    pub name: String,
    /// The lines of its data, joined by line feeds.
    pub data: String,
}

impl Event {
    /// Whether this is the mark by which OpenAI-compatible servers end a stream.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.data.trim() == "[DONE]"
    }
}

/// The stream is malformed or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line is longer than allowed.
    #[error("a line is longer than {bytes_max} bytes")]
    LongLine {
        /// The limit.
        bytes_max: usize,
    },
    /// The data of one event is larger than allowed.
    #[error("an event is larger than {bytes_max} bytes")]
    LargeEvent {
        /// The limit.
        bytes_max: usize,
    },
    /// The whole stream is larger than allowed.
    #[error("the stream is larger than {bytes_max} bytes")]
    LongStream {
        /// The limit.
        bytes_max: usize,
    },
    /// A line is not UTF-8.
    #[error("a line is not UTF-8")]
    NotUtf8,
    /// The stream ended in the middle of an event.
    #[error("it ended in the middle of an event")]
    Cut,
}

/// Bytes of one line and of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub line_bytes_max: usize,
    pub event_bytes_max: usize,
}

/// Puts bytes together to lines and lines to events.
pub(crate) struct Parser {
    bounds: Bounds,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_return: bool,
    at_start: bool,
}

impl Parser {
    pub fn new(bounds: Bounds) -> Self {
        let (line, event) = (vec![], Event::default());
        Self { bounds, line, event, has_data: false, after_return: false, at_start: true }
    }

    /// Takes bytes up to the end of the next event; gives the event and how many bytes were taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(Option<Event>, usize), SseError> {
        for (index, byte) in bytes.iter().enumerate() {
            if let Some(event) = self.take_byte(*byte)? {
                return Ok((Some(event), index + 1));
            }
        }
        Ok((None, bytes.len()))
    }

    /// The stream has ended: fine between events, and an error inside one.
    pub fn end(&self) -> Result<(), SseError> {
        match self.line.is_empty() && !self.has_data {
            true => Ok(()),
            false => Err(SseError::Cut),
        }
    }

    /// Lines end by CR, LF, or both.
    fn take_byte(&mut self, byte: u8) -> Result<Option<Event>, SseError> {
        let second_half = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if second_half => Ok(None),
            b'\n' | b'\r' => self.end_line(),
            _ => self.extend_line(byte).map(|()| None),
        }
    }

    fn extend_line(&mut self, byte: u8) -> Result<(), SseError> {
        let bytes_max = self.bounds.line_bytes_max;
        if self.line.len() >= bytes_max {
            return Err(SseError::LongLine { bytes_max });
        }
        self.line.push(byte);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8(line).map_err(|_| SseError::NotUtf8)?;
        let marked = std::mem::take(&mut self.at_start);
        let line = line.strip_prefix('\u{feff}').filter(|_| marked).unwrap_or(&line);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.set(field, value.strip_prefix(' ').unwrap_or(value))?;
        Ok(None)
    }

    /// Comments, ids, times to reconnect and unknown fields are nothing to a stream that is read once.
    fn set(&mut self, field: &str, value: &str) -> Result<(), SseError> {
        let bytes_max = self.bounds.event_bytes_max;
        if self.event.data.len() + value.len() + 1 > bytes_max {
            return Err(SseError::LargeEvent { bytes_max });
        }
        match field {
            "data" if self.has_data => {
                self.event.data.push('\n');
                self.event.data.push_str(value);
            }
            "data" => {
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            _ => {}
        }
        Ok(())
    }

    /// An event without data is none.
    fn end_event(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { line_bytes_max: 32, event_bytes_max: 64 };

    fn read_in(bytes: &[u8], piece: usize) -> Result<Vec<Event>, SseError> {
        let mut parser = Parser::new(BOUNDS);
        let mut events = vec![];
        for mut rest in bytes.chunks(piece) {
            while !rest.is_empty() {
                let (event, taken) = parser.take(rest)?;
                events.extend(event);
                rest = &rest[taken..];
            }
        }
        parser.end().map(|()| events)
    }

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.into(), data: data.into() }
    }

    #[test]
    fn bad_utf8_is_an_error_and_not_replaced() {
        assert_eq!(read_in(b"data: \xff\xfe\n\n", 3), Err(SseError::NotUtf8));
    }

    #[test]
    fn long_lines_and_large_events_are_errors() {
        let line = format!("data: {}\n\n", "x".repeat(64));
        assert_eq!(read_in(line.as_bytes(), 7), Err(SseError::LongLine { bytes_max: 32 }));
        let event = "data: 0123456789\n".repeat(9);
        assert_eq!(read_in(event.as_bytes(), 7), Err(SseError::LargeEvent { bytes_max: 64 }));
        let empty = "data\n".repeat(99);
        assert_eq!(read_in(empty.as_bytes(), 7), Err(SseError::LargeEvent { bytes_max: 64 }));
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        assert_eq!(read_in(b"data: a\n", 2), Err(SseError::Cut));
        assert_eq!(read_in(b"data: a\n\ndat", 2), Err(SseError::Cut));
    }

    #[test]
    fn events_come_whole_whatever_the_pieces_and_line_ends() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\u{feff}: hi", "event: x", "data: ä", "data:b", "id: 1", "", "data", ""];
            let text = text.join(end) + end;
            for piece in 1..9 {
                let events = read_in(text.as_bytes(), piece);
                assert_eq!(events, Ok(vec![event("x", "ä\nb"), event("", "")]), "{end:?}");
            }
        }
    }

    #[test]
    fn the_end_mark_is_known() {
        assert!(event("", "[DONE]").is_done());
        assert!(!event("", "{}").is_done());
    }

    proptest! {
        #[test]
        fn any_bytes_mean_the_same_in_any_pieces(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..200),
            piece in 1_usize..50,
        ) {
            prop_assert_eq!(read_in(&bytes, piece), read_in(&bytes, 1));
        }
    }
}
