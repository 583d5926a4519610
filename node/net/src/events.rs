//! A stream of server-sent events from a server.

use std::time::Duration;

use reqwest::{Response, Url};

use crate::error::{CallError, TransportError};
use crate::http::failed;
use crate::sse::{Bounds, Event, Parser, SseError};
use crate::target::shown;

/// Limits of an event stream.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// Bytes of one line.
    pub line_bytes_max: usize,
    /// Bytes of one event's data.
    pub event_bytes_max: usize,
    /// Bytes of the whole stream.
    pub stream_bytes_max: usize,
    /// How long the server may send nothing.
    pub idle_timeout: Duration,
}

impl Default for EventLimits {
    /// A line of 1 MiB, an event of 2 MiB, a stream of 256 MiB, two minutes of silence: far above
    /// what a chat answer takes.
    fn default() -> Self {
        Self {
            line_bytes_max: 1 << 20,
            event_bytes_max: 2 << 20,
            stream_bytes_max: 256 << 20,
            idle_timeout: Duration::from_secs(120),
        }
    }
}

/// Events as they come; dropping it ends the connection.
pub struct Events {
    url: Url,
    response: Response,
    parser: Parser,
    piece: Vec<u8>,
    taken: usize,
    bytes: usize,
    limits: EventLimits,
}

impl Events {
    pub(crate) fn new(url: Url, response: Response, limits: EventLimits) -> Self {
        let EventLimits { line_bytes_max, event_bytes_max, .. } = limits;
        let parser = Parser::new(Bounds { line_bytes_max, event_bytes_max });
        Self { url, response, parser, piece: vec![], taken: 0, bytes: 0, limits }
    }

    /// The next event, or `None` after the last. What comes before an error is complete.
    ///
    /// # Errors
    /// The connection breaks or is silent for too long; the stream is malformed, cut or too large.
    pub async fn next(&mut self) -> Result<Option<Event>, CallError> {
        loop {
            let rest = &self.piece[self.taken..];
            let (event, taken) = self.parser.take(rest).map_err(|error| self.malformed(error))?;
            self.taken += taken;
            if event.is_some() {
                return Ok(event);
            }
            if !self.receive().await? {
                self.parser.end().map_err(|error| self.malformed(error))?;
                return Ok(None);
            }
        }
    }

    async fn receive(&mut self) -> Result<bool, CallError> {
        let waited = self.limits.idle_timeout;
        let piece = tokio::time::timeout(waited, self.response.chunk()).await;
        let silent = |_| TransportError::Silent { url: shown(&self.url), waited };
        let piece = piece.map_err(silent)?.map_err(|error| failed(&self.url, error))?;
        let Some(piece) = piece else { return Ok(false) };
        self.bytes += piece.len();
        let bytes_max = self.limits.stream_bytes_max;
        if self.bytes > bytes_max {
            return Err(self.malformed(SseError::LongStream { bytes_max }));
        }
        (self.piece, self.taken) = (piece.into(), 0);
        Ok(true)
    }

    fn malformed(&self, source: SseError) -> CallError {
        CallError::Events { url: shown(&self.url), source }
    }
}
