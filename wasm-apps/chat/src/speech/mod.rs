//! From a model's text to content, thoughts and function calls, as it comes.
//!
//! Every family of models marks its calls in its own way; [`crate::families`] says how. The reader
//! here knows the marks and the forms that calls take behind them. What turns out to be no call comes
//! out as content: nothing is lost, however the text is cut.

mod call;
mod json;

use gaia_app_sdk::{Channel, Event, FinishReason, Speaker, Tool, push_text};

use self::call::{Call, Progress};
use crate::families::{Family, Meaning};

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

    /// Reads what is held, until more text is needed.
    fn read(&mut self, events: &mut Vec<Event>) {
        while !self.has_enough && self.step(events) {}
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
            self.call = Some(Call::new(self.tools, self.calls, String::new()));
            return true;
        }
        match self.first_mark() {
            Some((start, mark, meaning)) => {
                let before = self.held[..start].trim_end().to_owned();
                self.held.drain(..start + mark.len());
                self.say(&before, events);
                self.mean(mark, meaning);
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

    fn mean(&mut self, mark: &'static str, meaning: Meaning) {
        match meaning {
            Meaning::Think => self.turn_to(Channel::Reasoning),
            Meaning::Speak => self.turn_to(Channel::Content),
            Meaning::Nothing => {}
            Meaning::Call { close } => {
                self.call = Some(Call::new(self.tools, self.calls, mark.to_owned()));
                self.closing = close;
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
        let skipped = self.held.trim_start_matches(['\n', ' ', '\t', '`']);
        if let Some(rest) = skipped.strip_prefix(close) {
            self.held = rest.to_owned();
            self.closing = None;
            return Some(true);
        }
        if close.starts_with(skipped) {
            return Some(false);
        }
        self.closing = None;
        Some(true)
    }

    /// Whether what follows is a call without any mark before it.
    fn begins_bare_call(&self) -> bool {
        let rest = self.held.trim_start_matches([' ', '\n', ';', '\t']);
        self.family.bare_calls
            && !self.tools.is_empty()
            && self.at_start
            && self.channel == Channel::Content
            && rest.starts_with('{')
    }

    fn read_call(&mut self, events: &mut Vec<Event>) -> bool {
        let Some(call) = &mut self.call else { return true };
        match call.read(&mut self.held, events) {
            Progress::Needs => false,
            Progress::Done => {
                self.call = None;
                self.calls += 1;
                self.at_start = true;
                self.has_enough = self.single;
                if self.family.lists_calls {
                    self.next_of_list();
                }
                true
            }
            Progress::NoCall(text) => {
                self.call = None;
                self.closing = None;
                self.at_start = false;
                push_text(events, self.channel, &text);
                true
            }
        }
    }

    /// Behind a call of a list comes another one, or the end.
    fn next_of_list(&mut self) {
        self.call = Some(Call::new(self.tools, self.calls, String::new()));
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
        // Between two bare calls there may be a sign, which is no content.
        let between = self.held.trim_start_matches([' ', '\n', ';', '\t']);
        if self.family.bare_calls && self.calls > 0 && self.at_start && between.is_empty() {
            return 0;
        }
        let overlap = self.marks().map(|(mark, _)| overlap(&self.held, mark)).max().unwrap_or(0);
        let certain = &self.held[..self.held.len() - overlap];
        certain.trim_end().len()
    }

    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        let text = if self.at_start { text.trim_start() } else { text };
        if !text.is_empty() {
            self.at_start = false;
            push_text(events, self.channel, text);
        }
    }
}

impl Speaker for Speech<'_> {
    fn say(&mut self, text: &str, events: &mut Vec<Event>) {
        self.held.push_str(text);
        self.read(events);
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<Event>) -> FinishReason {
        if let Some(call) = self.call.take() {
            let (begun, text) = call.end(&self.held);
            self.held.clear();
            self.calls += u32::from(begun);
            self.say(&text, events);
        }
        let rest = std::mem::take(&mut self.held);
        let is_close = self.closing.is_some_and(|close| close.starts_with(rest.trim_start()));
        if !is_close && (self.calls == 0 || !rest.trim().is_empty()) {
            Self::say(self, &rest, events);
        }
        match reason {
            FinishReason::Stop if self.calls > 0 => FinishReason::ToolCalls,
            reason => reason,
        }
    }

    fn has_enough(&self) -> bool {
        self.has_enough
    }
}

/// Length of the longest proper beginning of `mark` that `text` ends with.
fn overlap(text: &str, mark: &str) -> usize {
    let longest = text.len().min(mark.len() - 1);
    let (text, mark) = (text.as_bytes(), mark.as_bytes());
    (1..=longest).rev().find(|length| text.ends_with(&mark[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests;
