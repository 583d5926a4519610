//! From a model's text to content, thoughts and function calls, as it comes.
//!
//! Every family of models marks its calls in its own way; [`crate::families`] says how. The reader
//! here knows the marks and the forms that calls take behind them. What turns out to be no call comes
//! out as content: nothing is lost, however the text is cut.

mod call;
mod header;
mod json;
mod tags;

use gaia_app_sdk::{Channel, Event, FinishReason, Speaker, Tool, push_text};

use self::call::{Call, Marks, Progress};
use crate::families::{Family, Meaning};

/// Bytes of blanks and signs that are held back at most: more before a mark are content. So each
/// character costs the same, however long an answer is.
const HELD_BYTES_MAX: usize = 64;

/// What may stand between two calls without marks, and is no content.
const BETWEEN_CALLS: [char; 5] = [' ', '\n', '\t', '\r', ';'];

/// Reads one answer.
#[derive(Debug)]
pub struct Speech<'a> {
    family: &'static Family,
    tools: &'a [Tool],
    /// At most one call.
    single: bool,
    channel: Channel,
    /// Text that may still become a mark, or blanks that may still precede one.
    held: String,
    /// Nothing but blanks was said on this channel, or since the last call.
    at_start: bool,
    call: Option<Call<'a>>,
    /// Calls that were begun.
    calls: u32,
    /// A mark that only ends what went before, and is passed over if it comes now.
    closing: Option<&'static str>,
    has_enough: bool,
}

impl<'a> Speech<'a> {
    /// Reads the answer of a family's model. `thinks` says that the prompt has begun its thoughts.
    #[must_use]
    pub fn new(family: &'static Family, tools: &'a [Tool], thinks: bool) -> Self {
        let channel = if thinks { Channel::Reasoning } else { Channel::Content };
        Self {
            family,
            tools,
            single: false,
            channel,
            held: String::new(),
            at_start: true,
            call: None,
            calls: 0,
            closing: None,
            has_enough: false,
        }
    }

    /// Ends the answer after its first call.
    #[must_use]
    pub fn single(mut self, single: bool) -> Self {
        self.single = single;
        self
    }

    /// Takes the next character.
    fn take(&mut self, character: char, events: &mut Vec<Event>) {
        if self.is_plain(character) {
            push_text(events, self.channel, character.encode_utf8(&mut [0; 4]));
            return;
        }
        self.held.push(character);
        while !self.held.is_empty() && !self.has_enough && self.step(events) {}
    }

    /// Whether a character can only be text. So most are, and cost least.
    fn is_plain(&self, character: char) -> bool {
        let begins_mark = || self.marks().any(|(mark, _)| mark.starts_with(character));
        let waits = self.call.is_some() || self.closing.is_some() || !self.held.is_empty();
        !waits && !self.at_start && !character.is_whitespace() && !begins_mark()
    }

    /// One mark, call or piece of text. False: more text is needed.
    fn step(&mut self, events: &mut Vec<Event>) -> bool {
        if self.call.is_some() {
            return self.read_call(events);
        }
        if let Some(goes_on) = self.close() {
            return goes_on;
        }
        if self.begins_bare_call() {
            self.call = Some(Call::new(self.tools, self.call_marks(), self.calls, String::new()));
            return true;
        }
        match self.first_mark() {
            Some((start, mark, meaning)) => {
                self.read_mark(start, (mark, meaning), events);
                true
            }
            None => {
                let certain = self.certain_bytes();
                let text: String = self.held.drain(..certain).collect();
                self.say(&text, events);
                false
            }
        }
    }

    /// A mark at `start` of the held text. The blanks before it are no content, unless what it begins
    /// turns out to be no call.
    fn read_mark(
        &mut self,
        start: usize,
        (mark, meaning): (&'static str, Meaning),
        events: &mut Vec<Event>,
    ) {
        let before = self.held[..start].to_owned();
        self.held.drain(..start + mark.len());
        let text = before.trim_end();
        self.say(text, events);
        match meaning {
            Meaning::Think => self.turn_to(Channel::Reasoning),
            Meaning::Speak => self.turn_to(Channel::Content),
            Meaning::Nothing => {}
            Meaning::Call { close } => {
                let given_back = format!("{}{mark}", &before[text.len()..]);
                self.closing = close;
                self.call = Some(Call::new(self.tools, self.call_marks(), self.calls, given_back));
            }
        }
    }

    fn turn_to(&mut self, channel: Channel) {
        self.channel = channel;
        self.at_start = true;
    }

    /// Passes over the end mark of a call, and what may stand before it. `None`: there is none.
    fn close(&mut self) -> Option<bool> {
        let close = self.closing?;
        let skipped = before_close(&self.held);
        if let Some(rest) = skipped.strip_prefix(close) {
            self.held = rest.to_owned();
            self.closing = None;
            return Some(true);
        }
        if close.starts_with(skipped) && self.held.len() < HELD_BYTES_MAX {
            return Some(false);
        }
        self.closing = None;
        Some(true)
    }

    /// Whether what follows is a call without any mark before it.
    fn begins_bare_call(&self) -> bool {
        self.expects_bare_call() && self.held.trim_start_matches(BETWEEN_CALLS).starts_with('{')
    }

    fn expects_bare_call(&self) -> bool {
        self.family.bare_calls
            && !self.tools.is_empty()
            && self.at_start
            && self.channel == Channel::Content
    }

    /// Gives the call the held text, until it is whole or is none.
    fn read_call(&mut self, events: &mut Vec<Event>) -> bool {
        let Some(call) = &mut self.call else { return true };
        let Some(character) = self.held.chars().next() else { return false };
        self.held.drain(..character.len_utf8());
        match call.read(character, events) {
            Progress::Needs => {}
            Progress::Done => self.call_ends(),
            Progress::NoFurther(text) => {
                self.call = None;
                self.held.insert_str(0, &text);
            }
            Progress::DoneBefore(mark) => {
                self.held.insert_str(0, mark);
                self.call_ends();
            }
            Progress::NoCall(text) => {
                (self.call, self.closing) = (None, None);
                self.say(&text, events);
            }
            Progress::NoCallBefore(text, mark) => {
                (self.call, self.closing) = (None, None);
                let said = text.trim_end();
                self.say(said, events);
                self.held.insert_str(0, mark);
                self.held.insert_str(0, &text[said.len()..]);
            }
        }
        true
    }

    fn call_ends(&mut self) {
        self.calls += 1;
        self.at_start = true;
        self.has_enough = self.single;
        // Behind a call of a list comes another one, or the end.
        let lists = self.family.lists_calls;
        self.call = lists.then(|| Call::next_of_list(self.tools, self.call_marks(), self.calls));
    }

    fn call_marks(&self) -> Marks {
        Marks { family: self.family.marks, close: self.closing }
    }

    /// The first mark in the held text: where, which, and what it means.
    fn first_mark(&self) -> Option<(usize, &'static str, Meaning)> {
        let marks = self
            .marks()
            .filter_map(|(mark, meaning)| self.held.find(mark).map(|start| (start, mark, meaning)));
        marks.min_by_key(|(start, mark, _)| (*start, usize::MAX - mark.len()))
    }

    fn marks(&self) -> impl Iterator<Item = (&'static str, Meaning)> {
        let calls = !self.tools.is_empty();
        let is_read = move |meaning: Meaning| calls || !matches!(meaning, Meaning::Call { .. });
        self.family.marks.iter().copied().filter(move |(_, meaning)| is_read(*meaning))
    }

    /// How much of the held text can no longer become part of a mark, nor precede one as blanks.
    fn certain_bytes(&self) -> usize {
        let is_full = self.held.len() >= HELD_BYTES_MAX;
        let is_between = |text: &str| text.trim_start_matches(BETWEEN_CALLS).is_empty();
        if !is_full && self.calls > 0 && self.expects_bare_call() && is_between(&self.held) {
            return 0;
        }
        let overlap = self.marks().map(|(mark, _)| overlap(&self.held, mark)).max().unwrap_or(0);
        let certain = &self.held[..self.held.len() - overlap];
        if is_full { certain.len() } else { certain.trim_end().len() }
    }

    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        let text = if self.at_start { text.trim_start() } else { text };
        if !text.is_empty() {
            self.at_start = false;
            push_text(events, self.channel, text);
        }
    }

    /// Whether the last text is what stands behind calls, and no content.
    fn is_end_of_calls(&self, text: &str) -> bool {
        let is_close = |close: &str| close.starts_with(before_close(text));
        self.closing.is_some_and(is_close)
            || self.calls > 0 && self.at_start && text.trim_matches(BETWEEN_CALLS).is_empty()
    }
}

impl Speaker for Speech<'_> {
    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        // One by one: where a token ends must not matter.
        for character in text.chars() {
            if self.has_enough {
                return;
            }
            self.take(character, events);
        }
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<Event>) -> FinishReason {
        if let Some(call) = self.call.take() {
            let (begun, text) = call.end();
            self.calls += u32::from(begun);
            self.held.insert_str(0, &text);
            self.closing = None;
        }
        let rest = std::mem::take(&mut self.held);
        if !self.has_enough && !self.is_end_of_calls(&rest) {
            Self::say(self, &rest, events);
        }
        match reason {
            _ if self.has_enough => FinishReason::ToolCalls,
            FinishReason::Stop if self.calls > 0 => FinishReason::ToolCalls,
            reason => reason,
        }
    }

    fn has_enough(&self) -> bool {
        self.has_enough
    }
}

/// What may stand before the end mark of a call: blanks, and the end of a fence.
fn before_close(text: &str) -> &str {
    text.trim_start_matches(['\n', ' ', '\t', '`'])
}

/// Length of the longest proper beginning of `mark` that `text` ends with.
fn overlap(text: &str, mark: &str) -> usize {
    let longest = text.len().min(mark.len() - 1);
    let (text, mark) = (text.as_bytes(), mark.as_bytes());
    (1..=longest).rev().find(|length| text.ends_with(&mark[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
