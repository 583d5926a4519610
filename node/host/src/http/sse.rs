//! A streamed answer as `text/event-stream`, in OpenAI's shape.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use gaia_core::ServeError;
use gaia_protocol::{Event, FinishReason, Usage};
use serde::Serialize;
use tokio::time::timeout;

use super::error::ApiError;
use super::running::Running;

/// Proxies give up on a connection that is silent for half a minute or more.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How one route words its chunks.
pub trait Chunks: Send + 'static {
    /// What is said before any text.
    fn start(&self) -> Option<String>;
    /// More text.
    fn delta(&self, text: &str) -> String;
    /// The end of the text.
    fn finish(&self, reason: FinishReason) -> String;
    /// What it took, if that was asked for.
    fn usage(&self, usage: Usage) -> Option<String>;
}

/// Streams an answer; dropping the body cancels it.
pub fn response(running: Running, chunks: impl Chunks) -> Response {
    let begun = Begun { chunks, running: Some(running), started: false };
    let body = Body::from_stream(stream::unfold(begun, Begun::next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// One chunk's data.
pub fn json(chunk: &impl Serialize) -> String {
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

    async fn text(&mut self) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.started, true);
        if let Some(start) = self.chunks.start().filter(|_| is_first) {
            return Some(event(&start));
        }
        loop {
            let Ok(next) = timeout(KEEP_ALIVE, self.running.as_mut()?.next()).await else {
                return Some(":\n\n".into());
            };
            match next? {
                Ok(Event::Delta { text, .. }) => return Some(event(&self.chunks.delta(&text))),
                Ok(Event::Finish { reason, usage }) => return Some(self.end(reason, usage)),
                Err(error) => return Some(self.fail(error)),
                Ok(_) => {}
            }
        }
    }

    fn end(&mut self, reason: FinishReason, usage: Usage) -> String {
        self.running = None;
        let mut text = event(&self.chunks.finish(reason));
        if let Some(usage) = self.chunks.usage(usage) {
            text += &event(&usage);
        }
        text + &event("[DONE]")
    }

    fn fail(&mut self, error: ServeError) -> String {
        self.running = None;
        tracing::warn!(%error, "an answer failed after its start");
        event(&json(&ApiError::from(error).body()))
    }
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}
