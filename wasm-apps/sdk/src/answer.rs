//! The text of an answer as it grows.

use crate::{StopStrings, Utf8Assembler};

/// Puts tokens together to text that may be shown, and counts them.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    utf8: Utf8Assembler,
    stops: StopStrings,
    /// Whole characters of the newest token; kept for its memory alone.
    fresh: String,
    ready: String,
    tokens_total: u32,
    tokens_unsent: u32,
}

impl Answer {
    /// An empty answer that one of these strings will end.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        Self { stops: StopStrings::new(stops), ..Self::default() }
    }

    /// Takes a token's bytes. Returns true if a stop string is complete: the answer ends here.
    pub fn push(&mut self, token: &[u8]) -> bool {
        self.count();
        self.fresh.clear();
        self.utf8.push(token, &mut self.fresh);
        self.stops.push(&self.fresh, &mut self.ready)
    }

    /// Counts a token without text: the model's end-of-generation token.
    pub fn count(&mut self) {
        self.tokens_total += 1;
        self.tokens_unsent += 1;
    }

    /// The model ended: nothing is held back any longer. Not to be called after a stop string.
    pub fn finish(&mut self) {
        self.fresh.clear();
        self.utf8.finish(&mut self.fresh);
        if !self.stops.push(&self.fresh, &mut self.ready) {
            self.stops.finish(&mut self.ready);
        }
    }

    /// A limit cut the answer off: as [`Self::finish`], but a character that is not whole is left
    /// out. The model had more to say of it.
    pub fn cut(&mut self) {
        self.stops.finish(&mut self.ready);
    }

    /// Text that may be shown and was not yet [`Self::take`]n, with the tokens since the last time;
    /// `None` if there is no text.
    #[must_use]
    pub fn delta(&self) -> Option<(&str, u32)> {
        (!self.ready.is_empty()).then_some((&self.ready, self.tokens_unsent))
    }

    /// Forgets the delta: it was handed over.
    pub fn take(&mut self) {
        self.ready.clear();
        self.tokens_unsent = 0;
    }

    /// The stop string that ended it.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&str> {
        self.stops.found()
    }

    /// All tokens so far.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.tokens_total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_without_text_are_counted_in_the_next_delta() {
        let mut answer = Answer::new(&[]);
        assert!(!answer.push(b"\xF0\x9F"));
        assert_eq!(answer.delta(), None);
        assert!(!answer.push(b"\x98\x80!"));
        assert_eq!(answer.delta(), Some(("\u{1F600}!", 2)));
        answer.take();
        assert_eq!((answer.delta(), answer.tokens()), (None, 2));
    }

    #[test]
    fn the_end_gives_what_was_held_back() {
        let mut answer = Answer::new(&["END".into()]);
        assert!(!answer.push(b"the EN\xC3"));
        assert_eq!(answer.delta(), Some(("the ", 1)));
        answer.take();
        answer.count();
        answer.finish();
        assert_eq!(answer.delta(), Some(("EN\u{FFFD}", 1)));
        assert_eq!(answer.tokens(), 2);
    }

    #[test]
    fn a_limit_leaves_out_half_a_character() {
        let mut answer = Answer::new(&["END".into()]);
        assert!(!answer.push(b"the EN\xC3"));
        answer.cut();
        assert_eq!(answer.delta(), Some(("the EN", 1)));
    }

    #[test]
    fn a_stop_string_ends_it() {
        let mut answer = Answer::new(&["END".into()]);
        assert!(!answer.push(b"the E"));
        assert_eq!(answer.stopped_by(), None);
        assert!(answer.push(b"ND of it"));
        assert_eq!(answer.stopped_by(), Some("END"));
        assert_eq!(answer.delta(), Some(("the ", 2)));
    }
}
