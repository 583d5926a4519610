//! A streamed answer: sends the request, reads its events, and ends the connection with the stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use gaia_core::{EventStream, ServeError};
use gaia_net::{Call, Events};
use gaia_protocol::{Event, PictureUrl};

use super::chunks::{Chunks, Fault};
use super::error::in_stream;
use super::server::{Place, Server};

/// How long the end of a connection is waited for after the end of its answer, so that it is kept for
/// the next request.
const CLOSING: Duration = Duration::from_millis(20);

/// Starts an answer about these pictures; nothing is sent before its first event is asked for.
///
/// # Errors
/// [`ServeError::UpstreamBusy`]: there is no place.
pub fn stream(
    server: &Arc<Server>,
    call: Call,
    pictures: Vec<PictureUrl>,
) -> Result<EventStream, ServeError> {
    let answer = Answer {
        place: server.place()?,
        call,
        events: None,
        chunks: Chunks::default(),
        ready: VecDeque::new(),
        is_done: false,
        _pictures: pictures,
    };
    Ok(Box::pin(stream::try_unfold(answer, Answer::next)))
}

struct Answer {
    place: Place,
    call: Call,
    events: Option<Events>,
    chunks: Chunks,
    ready: VecDeque<Event>,
    is_done: bool,
    /// What the server was shown: held as long as the request is.
    _pictures: Vec<PictureUrl>,
}

impl Answer {
    async fn next(mut self) -> Result<Option<(Event, Self)>, ServeError> {
        while self.ready.is_empty() && !self.is_done {
            if let Err(error) = self.read().await {
                self.place.failed();
                return Err(error);
            }
        }
        Ok(self.ready.pop_front().map(|event| (event, self)))
    }

    /// Reads the next chunk, or the end.
    async fn read(&mut self) -> Result<(), ServeError> {
        let events = match &mut self.events {
            Some(events) => events,
            None => {
                let server = self.place.server();
                let events = server.events(&self.call).await;
                self.events.insert(events.map_err(|error| server.failed(&error))?)
            }
        };
        match events.next().await {
            Ok(Some(event)) if event.is_done() => {
                // Whether or not it comes, the answer is whole.
                let _ = tokio::time::timeout(CLOSING, events.next()).await;
                self.end()
            }
            Ok(Some(event)) => {
                let events = self.chunks.take(&event.data).map_err(|fault| self.explain(fault))?;
                self.ready.extend(events);
                Ok(())
            }
            Ok(None) => self.end(),
            Err(_) if self.chunks.has_ended() => self.end(),
            Err(error) => Err(self.place.server().failed(&error)),
        }
    }

    fn end(&mut self) -> Result<(), ServeError> {
        let last = self.chunks.end().map_err(|fault| self.explain(fault))?;
        if let Event::Finish { usage, .. } = &last {
            self.place.ended(usage);
        }
        self.ready.push_back(last);
        self.is_done = true;
        self.events = None;
        Ok(())
    }

    fn explain(&self, fault: Fault) -> ServeError {
        let error = match fault {
            Fault::Wrong(message) => ServeError::Upstream { message },
            Fault::Told(error) => in_stream(&error, |text| self.call.excerpt(text.as_bytes())),
        };
        tracing::warn!(model = self.place.server().config().name, %error, "the upstream failed");
        error
    }
}
