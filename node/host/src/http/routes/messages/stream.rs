//! The words of a streamed answer.

use gaia_core::ServeError;
use gaia_protocol::Event;
use serde_json::{Value, json};

use super::answer::{Answer, Step};
use super::error;
use crate::http::error::ApiError;
use crate::http::sse::{Chunks, Frame};

/// Streams an answer while it grows.
pub struct Stream {
    answer: Answer,
    /// The sources were named.
    is_cited: bool,
}

impl Stream {
    /// Goes on from `answer`, which has no blocks yet.
    pub fn new(answer: Answer) -> Self {
        Self { answer, is_cited: false }
    }

    fn stop(&self) -> Option<Frame> {
        let index = self.answer.blocks().len().checked_sub(1)?;
        Some(frame("content_block_stop", json!({"index": index})))
    }
}

impl Chunks for Stream {
    fn start(&mut self) -> Vec<Frame> {
        let message = self.answer.beginning();
        self.is_cited = message.get("citations").is_some();
        vec![frame("message_start", json!({"message": message})), frame("ping", json!({}))]
    }

    fn event(&mut self, _choice: u32, event: Event) -> Vec<Frame> {
        let stop = self.stop();
        let Step { opened, delta } = self.answer.apply(event);
        let blocks = self.answer.blocks();
        let index = blocks.len().saturating_sub(1);
        let mut frames = vec![];
        if opened {
            frames.extend(stop);
            // As it is before the delta.
            let block = blocks[index].empty();
            let start = json!({"index": index, "content_block": block});
            frames.push(frame("content_block_start", start));
        }
        let delta = delta.map(|delta| json!({"index": index, "delta": delta}));
        frames.extend(delta.map(|delta| frame("content_block_delta", delta)));
        frames
    }

    fn end(&mut self) -> Vec<Frame> {
        let (reason, sequence) = (self.answer.stop_reason(), self.answer.stop_sequence());
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let mut end = json!({"delta": delta, "usage": self.answer.usage()});
        // What the model found on its way.
        if let Some(citations) = self.answer.citations().filter(|_| !self.is_cited) {
            end["citations"] = json!(citations);
        }
        let last = [frame("message_delta", end), frame("message_stop", json!({}))];
        self.stop().into_iter().chain(last).collect()
    }

    fn fail(&mut self, failure: ServeError) -> Vec<Frame> {
        vec![Frame::named("error", &error::body(&ApiError::from(failure)))]
    }
}

fn frame(name: &'static str, rest: Value) -> Frame {
    let mut data = json!({"type": name});
    if let (Value::Object(data), Value::Object(rest)) = (&mut data, rest) {
        data.extend(rest);
    }
    Frame::named(name, &data)
}
