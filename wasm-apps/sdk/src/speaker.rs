//! What a model's text becomes: content, thoughts, function calls.

use gaia_protocol::{Channel, Event, FinishReason};

/// Turns the text of an answer into events as it comes. The events carry no tokens and no
/// probabilities: [`crate::generate`] puts those on the first event that a text makes.
pub trait Speaker {
    /// Takes more text, cut anywhere between characters.
    fn say(&mut self, text: &str, events: &mut Vec<Event>);

    /// The text is at its end: what was held back comes now. Returns why the answer ended, given why
    /// the text did.
    fn finish(&mut self, reason: FinishReason, events: &mut Vec<Event>) -> FinishReason;

    /// Nothing that follows would count: the answer may end here.
    fn has_enough(&self) -> bool {
        false
    }
}

/// All text is content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Speaker for Plain {
    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        events.push(Event::text(text, 0));
    }

    fn finish(&mut self, reason: FinishReason, _: &mut Vec<Event>) -> FinishReason {
        reason
    }
}

/// Appends text of a channel, to the last event if that is of the same.
pub fn push_text(events: &mut Vec<Event>, channel: Channel, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Event::Delta { text: last, channel: of, .. }) = events.last_mut()
        && *of == channel
    {
        last.push_str(text);
        return;
    }
    events.push(Event::Delta { text: text.into(), tokens: 0, channel, logprobs: vec![] });
}
