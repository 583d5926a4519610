//! Events on their way to the host.

use gaia_protocol::Event;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ffi;

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "Stop means that the client is gone: nothing more should be computed for it"]
pub enum Flow {
    /// Go on.
    Continue,
    /// The client is gone: clean up and return.
    Stop,
}

/// Why the host refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The event is over the limit (`event_bytes_max`) that the node's config gives this app.
    #[error("an event of {bytes} bytes is over the node's limit for this app (event_bytes_max)")]
    EventTooLarge {
        /// Size of the event.
        bytes: usize,
    },
    /// This program does not run inside a Gaia node.
    #[error("there is no host: this app runs inside a Gaia node only (see wasm-apps/README.md)")]
    NotInANode,
    /// Anything else.
    #[error("the host refused {call} with errno {errno}")]
    Refused {
        /// The host function.
        call: &'static str,
        /// Its answer.
        errno: i32,
    },
}

impl HostError {
    pub(crate) fn new(call: &'static str, errno: i32) -> Self {
        match errno {
            ffi::NOT_IN_A_NODE => Self::NotInANode,
            errno => Self::Refused { call, errno },
        }
    }
}

/// Where events go. The host in an app, [`crate::testing::Recorder`] in tests.
pub trait Sink {
    /// Takes the JSON of one event.
    ///
    /// # Errors
    /// Every [`HostError`].
    fn send(&mut self, json: &[u8]) -> Result<Flow, HostError>;
}

/// The node this app runs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct GaiaHost;

impl Sink for GaiaHost {
    fn send(&mut self, json: &[u8]) -> Result<Flow, HostError> {
        match ffi::emit(json) {
            0 => Ok(Flow::Continue),
            1 => Ok(Flow::Stop),
            ffi::TOO_LARGE => Err(HostError::EventTooLarge { bytes: json.len() }),
            errno => Err(HostError::new("emit", errno)),
        }
    }
}

/// Writes events as JSON, in a buffer that is used again for each.
#[derive(Debug, Default)]
pub struct Events<S = GaiaHost> {
    sink: S,
    buffer: Vec<u8>,
}

impl<S: Sink> Events<S> {
    /// Events that go to `sink`.
    pub fn new(sink: S) -> Self {
        Self { sink, buffer: Vec::with_capacity(256) }
    }

    /// Hands over one event. Blocks while the client is slower than the app.
    ///
    /// # Errors
    /// Every [`HostError`]; the event is then lost.
    pub fn emit(&mut self, event: &Event) -> Result<Flow, HostError> {
        self.write(event)
    }

    /// [`Event::Delta`] without a `String` of its own.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_delta(&mut self, text: &str, tokens: u32) -> Result<Flow, HostError> {
        self.write(&Borrowed::Delta { text, tokens })
    }

    /// [`Event::Embedding`] whose vector is still the JSON array that the engine wrote.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_embedding(
        &mut self,
        index: u32,
        vector: &RawValue,
        tokens: u32,
    ) -> Result<Flow, HostError> {
        self.write(&Borrowed::Embedding { index, vector, tokens })
    }

    /// Hands over bytes as they are: for tests of the host.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub fn emit_bytes(&mut self, bytes: &[u8]) -> Result<Flow, HostError> {
        self.sink.send(bytes)
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    fn write(&mut self, event: &impl Serialize) -> Result<Flow, HostError> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, event)
            .expect("events have string keys and a Vec takes every byte");
        self.sink.send(&self.buffer)
    }
}

/// The same JSON as [`Event`]'s, from borrowed parts.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Borrowed<'a> {
    Delta { text: &'a str, tokens: u32 },
    Embedding { index: u32, vector: &'a RawValue, tokens: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorder;

    #[test]
    fn outside_a_node_the_host_is_missed_by_name() {
        let error =
            Events::<GaiaHost>::default().emit(&Event::Prompt { tokens: 1, cached_tokens: 0 });
        assert_eq!(error, Err(HostError::NotInANode));
    }

    #[test]
    fn borrowed_events_read_as_owned_ones() {
        let mut events = Events::new(Recorder::default());
        let vector = RawValue::from_string("[0.5,-1e-7]".into()).expect("JSON");
        for flow in [events.emit_delta("a\"\n\u{1F600}", 2), events.emit_embedding(3, &vector, 4)] {
            assert_eq!(flow, Ok(Flow::Continue));
        }
        assert_eq!(
            events.into_sink().events,
            [
                Event::text("a\"\n\u{1F600}", 2),
                Event::Embedding { index: 3, vector: vec![0.5, -1e-7], tokens: 4 },
            ]
        );
    }
}
