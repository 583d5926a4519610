//! Keeps the text of messages text.

use gaia_protocol::TOKEN_BREAK;

/// Where a [`TOKEN_BREAK`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Into every control token that is spelled out: right for every template that copies text.
    Spelled,
    /// Behind every character that a control token begins with: right even for a template that cuts
    /// something out of the text and so joins its two sides. Changes more tokens of harmless text.
    EveryStart,
}

/// Breaks control tokens in text, so that the tokenizer can't see them.
///
/// With the option [`crate::GenerateOptions::token_break`] a prompt is cut at every [`TOKEN_BREAK`]
/// and its pieces are tokenized apart. A control token of one character can't be cut; no vocabulary
/// with one is known.
#[derive(Clone, Debug)]
pub struct Guard<'a> {
    control_tokens: Vec<&'a str>,
    /// First bytes of control tokens: nearly all text is passed by looking at these alone.
    is_first_byte: [bool; 256],
    longest_bytes: usize,
}

impl<'a> Guard<'a> {
    /// Guards against these spellings.
    #[must_use]
    pub fn new(control_tokens: &'a [String]) -> Self {
        let long = |token: &&str| token.chars().nth(1).is_some();
        let control_tokens: Vec<&str> =
            control_tokens.iter().map(String::as_str).filter(long).collect();
        let mut is_first_byte = [false; 256];
        for token in &control_tokens {
            is_first_byte[usize::from(token.as_bytes()[0])] = true;
        }
        let longest_bytes = control_tokens.iter().map(|token| token.len()).max().unwrap_or(0);
        Self { control_tokens, is_first_byte, longest_bytes }
    }

    /// The text with every control token in it broken, also one that only its end begins.
    #[must_use]
    pub fn shield(&self, text: &str, strictness: Strictness) -> String {
        let text = text.replace(TOKEN_BREAK, "");
        let ends = self.unfinished_ends(&text);
        let mut shielded = String::with_capacity(text.len() + 8);
        for (start, character) in text.char_indices() {
            shielded.push(character);
            let end = start + character.len_utf8();
            if ends.contains(&Some(end)) || self.breaks_at(&text[start..], strictness) {
                shielded.push(TOKEN_BREAK);
            }
        }
        shielded
    }

    /// How many control tokens the tokenizer will find in a prompt.
    #[must_use]
    pub fn count(&self, prompt: &str) -> usize {
        let starts = prompt.bytes().enumerate().filter(|(_, byte)| self.is_first(*byte));
        starts.filter(|&(start, _)| self.spells(&prompt.as_bytes()[start..])).count()
    }

    fn breaks_at(&self, rest: &str, strictness: Strictness) -> bool {
        let rest = rest.as_bytes();
        let first = rest.first().is_some_and(|byte| self.is_first(*byte));
        first && (strictness == Strictness::EveryStart || self.spells(rest))
    }

    fn is_first(&self, byte: u8) -> bool {
        self.is_first_byte[usize::from(byte)]
    }

    fn spells(&self, rest: &[u8]) -> bool {
        self.control_tokens.iter().any(|token| rest.starts_with(token.as_bytes()))
    }

    /// Ends of the text that what follows could complete to a control token: its last character,
    /// and the last that a template leaves when it trims the text.
    fn unfinished_ends(&self, text: &str) -> [Option<usize>; 2] {
        [text, text.trim_end()].map(|text| self.is_unfinished(text).then_some(text.len()))
    }

    fn is_unfinished(&self, text: &str) -> bool {
        let tail = &text.as_bytes()[text.len().saturating_sub(self.longest_bytes)..];
        let starts = tail.iter().enumerate().filter(|(_, byte)| self.is_first(**byte));
        starts.into_iter().any(|(start, _)| self.begins_with(&tail[start..]))
    }

    /// Whether some control token begins with this text and goes on.
    fn begins_with(&self, text: &[u8]) -> bool {
        let goes_on = |token: &&&str| token.len() > text.len();
        self.control_tokens.iter().filter(goes_on).any(|token| token.as_bytes().starts_with(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Strictness::{EveryStart, Spelled};

    const TOKENS: [&str; 5] = ["<|im_start|>", "<|im_end|>", "<s>", "[INST]", "<｜end▁of｜>"];

    fn tokens() -> Vec<String> {
        TOKENS.map(String::from).to_vec()
    }

    fn shield(text: &str) -> String {
        Guard::new(&tokens()).shield(text, Spelled).replace(TOKEN_BREAK, "~")
    }

    #[test]
    fn a_control_token_is_broken_after_its_first_character() {
        assert_eq!(shield("a<|im_end|>b<s>"), "a<~|im_end|>b<~s>");
        assert_eq!(shield("<<|im_end|>>"), "<<~|im_end|>>");
        assert_eq!(shield("<｜end▁of｜>é"), "<~｜end▁of｜>é");
    }

    #[test]
    fn an_end_that_more_text_could_complete_is_broken_too() {
        assert_eq!(shield("a <"), "a <~");
        assert_eq!(shield("a <|im_end|"), "a <|im_end|~");
        assert_eq!(shield("[INS \n"), "[INS~ \n");
        assert_eq!(shield("a <｜end"), "a <｜end~");
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in ["", "a < b > c", "x [INS] <|im|> |im_end|>", "漢字 \u{1F600}"] {
            assert_eq!(shield(text), text);
        }
    }

    #[test]
    fn marks_that_the_text_brings_along_are_removed_first() {
        assert_eq!(shield("<\u{FDD0}|im_end|>"), "<~|im_end|>");
        assert_eq!(shield("a\u{FDD0}b"), "ab");
    }

    #[test]
    fn strictly_every_possible_start_is_broken() {
        let tokens = tokens();
        let text = Guard::new(&tokens).shield("a<b [c", EveryStart);
        assert_eq!(text.replace(TOKEN_BREAK, "~"), "a<~b [~c");
    }

    #[test]
    fn tokens_that_can_not_be_cut_are_not_looked_for() {
        let tokens = [String::new(), "x".into()];
        let guard = Guard::new(&tokens);
        assert_eq!(guard.shield("xx", Spelled), "xx");
        assert_eq!(guard.count("xx"), 0);
    }

    #[test]
    fn no_text_and_no_two_texts_in_a_row_spell_a_control_token() {
        let parts =
            ["<", "|", "im_start", "im_end", "|>", "s>", "[", "INST]", "\u{FDD0}", " ", "é"];
        let tokens = tokens();
        let guard = Guard::new(&tokens);
        let mut seed = 7_u32;
        for _ in 0..20_000 {
            let [first, second] = [(); 2].map(|()| mix(&parts, &mut seed));
            for strictness in [Spelled, EveryStart] {
                let [left, right] = [&first, &second].map(|text| guard.shield(text, strictness));
                for joined in [format!("{left}{right}"), format!("{}{right}", left.trim())] {
                    assert_eq!(guard.count(&joined), 0, "{first:?} {second:?}");
                }
                let plain = |text: &str| text.replace(TOKEN_BREAK, "");
                assert_eq!(plain(&left), plain(&first));
            }
        }
    }

    fn mix(parts: &[&str], seed: &mut u32) -> String {
        let mut next = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*seed >> 16) as usize
        };
        (0..next() % 8).map(|_| parts[next() % parts.len()]).collect()
    }
}
