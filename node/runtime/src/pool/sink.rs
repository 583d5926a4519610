//! Where a request's events go.

use std::time::Duration;

use gaia_protocol::Outcome;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// Taken; more are welcome.
    Continue,
    /// Nobody listens any more. The guest is told to end.
    Stop,
    /// No room: nothing was taken; the same event will be offered again.
    Full,
}

/// Takes one request's events, in order, and its end. Called on the pool's threads.
pub trait EventSink: Send {
    /// Takes one event: the JSON of a `gaia_protocol::Event` as the guest wrote it, hostile until
    /// parsed. May wait for room, but not longer than `wait`, and then answers [`Emit::Full`]; the
    /// pool looks after time limits and cancellation between two calls.
    fn emit(&mut self, event: &[u8], wait: Duration) -> Emit;

    /// The request's end: called exactly once, after every event, whatever happens.
    fn end(self: Box<Self>, outcome: Outcome);
}
