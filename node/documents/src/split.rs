//! A text cut where its sentences and headings end, without more structure: what `/v1/chunks` gives.

use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

use crate::measure::{Measure, pieces};

/// What the splitter does grows with the square of the text. So it is given sections of about so many
/// chunks; no chunk reaches from one into the next.
const SECTION_CHUNKS: usize = 64;
const SECTION_BYTES_MIN: usize = 4 << 10;
const SECTION_BYTES_MAX: usize = 128 << 10;
/// Bytes of a token, about.
const TOKEN_BYTES: usize = 4;

/// How a text marks its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Not at all: by lines and sentences.
    Plain,
    /// By headings, lists and code blocks of Markdown.
    Markdown,
}

/// Cuts texts into chunks of at most `capacity` tokens.
#[derive(Clone, Debug)]
pub struct Splitter {
    /// How the text marks its structure.
    pub markup: Markup,
    /// Tokens of the text, all of them.
    pub measure: Measure,
    /// Tokens of a chunk; a chunk has one character at least.
    pub capacity: usize,
}

impl Splitter {
    /// The chunks of `text`, which is the one that was measured. Ends early when `stopped` says so.
    pub fn chunks(&self, text: &str, stopped: impl Fn() -> bool) -> Vec<String> {
        let config = || ChunkConfig::new(self.capacity.max(1)).with_sizer(self.measure.clone());
        let (plain, markdown) = (TextSplitter::new(config()), MarkdownSplitter::new(config()));
        let mut chunks = vec![];
        for section in pieces(text, self.section_bytes()) {
            if stopped() {
                return chunks;
            }
            match self.markup {
                Markup::Plain => chunks.extend(plain.chunks(section).map(str::to_owned)),
                Markup::Markdown => chunks.extend(markdown.chunks(section).map(str::to_owned)),
            }
        }
        chunks
    }

    fn section_bytes(&self) -> usize {
        let chunk = self.capacity.saturating_mul(TOKEN_BYTES);
        let many = chunk.saturating_mul(SECTION_CHUNKS).clamp(SECTION_BYTES_MIN, SECTION_BYTES_MAX);
        many.max(chunk.saturating_mul(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(markup: Markup, text: &str) -> Vec<String> {
        let mut measure = Measure::new(text);
        let words: Vec<_> = text.split_whitespace().collect();
        measure.add(text, &words);
        Splitter { markup, measure, capacity: 4 }.chunks(text, || false)
    }

    #[test]
    fn nobody_waits_and_nothing_is_cut() {
        let text = "one two";
        let splitter = Splitter { markup: Markup::Plain, measure: Measure::new(text), capacity: 1 };
        assert!(splitter.chunks(text, || true).is_empty());
    }

    #[test]
    fn sentences_and_headings_stay_whole() {
        let text = "One two three. Four five six. Seven.";
        assert_eq!(chunks(Markup::Plain, text), ["One two three.", "Four five six. Seven."]);
        let text = "# A\none two\n# B\nthree four five";
        assert_eq!(chunks(Markup::Markdown, text), ["# A\none two", "# B", "three four five"]);
    }
}
