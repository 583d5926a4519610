//! A streamed answer as `text/event-stream`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use gaia_core::ServeError;
use gaia_protocol::Event;
use serde::Serialize;
use tokio::time::timeout;

use super::error::ApiError;
use super::running::Running;

/// Proxies give up on a connection that is silent for half a minute or more.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// One server-sent event.
pub struct Frame {
    /// Its name, where the API names its events.
    pub name: Option<&'static str>,
    /// Its data, on one line.
    pub data: String,
}

impl Frame {
    /// An event without a name.
    pub fn data(chunk: &impl Serialize) -> Self {
        Self { name: None, data: json(chunk) }
    }

    /// An event with a name.
    pub fn named(name: &'static str, chunk: &impl Serialize) -> Self {
        Self { name: Some(name), data: json(chunk) }
    }
}

/// How one route words its stream. Each call may say nothing, or several things.
pub trait Chunks: Send + 'static {
    /// What is said before anything else.
    fn start(&mut self) -> Vec<Frame>;
    /// What an event of a choice becomes, [`Event::Finish`] included.
    fn event(&mut self, choice: u32, event: Event) -> Vec<Frame>;
    /// What is said when all choices are finished; the stream ends behind it.
    fn end(&mut self) -> Vec<Frame>;
    /// What is said when the answer fails on its way; the stream ends behind it.
    fn fail(&mut self, error: ServeError) -> Vec<Frame> {
        vec![Frame::data(&ApiError::from(error).body())]
    }
}

/// OpenAI's last word.
pub fn done() -> Frame {
    Frame { name: None, data: "[DONE]".into() }
}

/// Streams an answer; dropping the body cancels it.
pub fn response(running: Running, chunks: impl Chunks) -> Response {
    let begun = Begun { chunks, running: Some(running), started: false };
    of_body(Body::from_stream(stream::unfold(begun, Begun::next)))
}

/// A body of events, with the headers that let it through proxies at once.
pub fn of_body(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

fn json(chunk: &impl Serialize) -> String {
    serde_json::to_string(chunk).expect("our own chunks have string keys only")
}

struct Begun<C> {
    chunks: C,
    /// `None` after the end.
    running: Option<Running>,
    started: bool,
}

impl<C: Chunks> Begun<C> {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let text = self.text().await?;
        Some((Ok(Bytes::from(text)), self))
    }

    /// What to send next; never empty, `None` at the end.
    async fn text(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.started, true) {
            let start = frames(self.chunks.start());
            if !start.is_empty() {
                return Some(start);
            }
        }
        loop {
            let Ok(next) = timeout(KEEP_ALIVE, self.running.as_mut()?.next()).await else {
                return Some(":\n\n".into());
            };
            let text = match next {
                Some(Ok((choice, event))) => frames(self.chunks.event(choice, event)),
                Some(Err(error)) => self.fail(error),
                None => self.end(),
            };
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    fn end(&mut self) -> String {
        self.running = None;
        frames(self.chunks.end())
    }

    fn fail(&mut self, error: ServeError) -> String {
        self.running = None;
        tracing::warn!(%error, "an answer failed after its start");
        frames(self.chunks.fail(error))
    }
}

fn frames(frames: Vec<Frame>) -> String {
    frames.into_iter().map(wire).collect()
}

/// An event's bytes.
pub fn wire(frame: Frame) -> String {
    let name = frame.name.map_or(String::new(), |name| format!("event: {name}\n"));
    format!("{name}data: {}\n\n", frame.data)
}
