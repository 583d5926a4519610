//! How many tokens a part of a text has.

use std::sync::Arc;

use gaia_protocol::TokenText;
use text_splitter::ChunkSizer;

/// Where in a text its tokens begin.
///
/// A token's bytes are not always the text's: some tokenizers put a space before a word, fold case or
/// drop accents. But white space apart they come in the same order and about as long, so each token
/// is placed by its share of what is not white space, piece by piece: exactly where the tokenizer
/// changes nothing, and near it where it does.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Where the text lies in memory: the splitter asks for parts of it.
    text_start: usize,
    text_bytes: usize,
    /// Bytes from the text's start; never falling.
    starts: Arc<Vec<usize>>,
}

impl Measure {
    /// No token of `text` is known yet.
    pub fn new(text: &str) -> Self {
        let (text_start, text_bytes) = (text.as_ptr().addr(), text.len());
        Self { text_start, text_bytes, starts: Arc::default() }
    }

    /// Adds the tokens of the next piece of the text.
    pub fn add(&mut self, piece: &str, tokens: &[TokenText]) {
        let offset = piece.as_ptr().addr() - self.text_start;
        let solid: Vec<usize> = solid(piece.as_bytes()).collect();
        let all: usize = tokens.iter().map(weight).sum();
        let mut before = 0;
        let starts = Arc::make_mut(&mut self.starts);
        for token in tokens {
            // In 128 bits no text overflows.
            let place = (before as u128 * solid.len() as u128).checked_div(all as u128);
            let place = place.and_then(|place| solid.get(usize::try_from(place).ok()?));
            starts.push(offset + place.copied().unwrap_or(piece.len()));
            before += weight(token);
        }
    }

    fn count(&self, from: usize, to: usize) -> usize {
        let before = |end: usize| self.starts.partition_point(|start| *start < end);
        before(to) - before(from)
    }
}

impl ChunkSizer for Measure {
    fn size(&self, chunk: &str) -> usize {
        let from = chunk.as_ptr().addr().wrapping_sub(self.text_start);
        if from.saturating_add(chunk.len()) > self.text_bytes {
            // Not a part of the text: as many as it can have.
            return chunk.len();
        }
        self.count(from, from + chunk.len())
    }
}

fn weight(token: &TokenText) -> usize {
    solid(&token.bytes).count()
}

/// Where the bytes are that are not white space.
fn solid(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let bytes = bytes.iter().enumerate();
    bytes.filter(|(_, byte)| !byte.is_ascii_whitespace()).map(|(index, _)| index)
}

/// Where a text may be cut, best first, and how much of the mark stays before the cut.
const CUTS: [(&str, usize); 5] = [("\n#", 1), ("\n\n", 2), ("\n", 1), (". ", 2), (" ", 1)];

/// Cuts a text into pieces of at most `bytes_max` bytes, at headings, paragraphs or lines where there
/// are any.
pub fn pieces(text: &str, bytes_max: usize) -> Vec<&str> {
    let (mut rest, mut pieces) = (text, vec![]);
    while rest.len() > bytes_max {
        let (piece, after) = rest.split_at(end(&rest[..rest.floor_char_boundary(bytes_max)]));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// The end of a piece that starts `head`: the best cut that leaves at least half of it.
fn end(head: &str) -> usize {
    let cut = |(mark, kept): &(&str, usize)| head.rfind(mark).map(|place| place + kept);
    CUTS.iter().filter_map(cut).find(|end| *end > head.len() / 2).unwrap_or(head.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[&str]) -> Vec<TokenText> {
        texts.iter().map(|text| TokenText { id: 0, bytes: (*text).into() }).collect()
    }

    #[test]
    fn bytes_that_are_the_texts_own_are_counted_exactly() {
        let text = "Hello world, again";
        let mut measure = Measure::new(text);
        measure.add(text, &tokens(&["Hel", "lo", " world", ",", " again"]));
        for (part, count) in [(0..18, 5), (0..5, 2), (0..3, 1), (6..11, 1), (6..12, 2), (13..18, 1)]
        {
            assert_eq!(measure.size(&text[part.clone()]), count, "{}", &text[part]);
        }
        assert_eq!(measure.size("foreign"), 7);
    }

    #[test]
    fn a_tokenizer_that_changes_the_text_is_followed() {
        let text = "Héllo, World! Héllo, World!";
        let mut measure = Measure::new(text);
        let half = [" he", "llo", " ,", " world", " !"];
        measure.add(text, &tokens(&[half, half].concat()));
        assert_eq!(measure.size(text), 10);
        assert_eq!(measure.size(&text[..14]), 5);
        assert_eq!(measure.size(&text[15..]), 5);
    }

    #[test]
    fn pieces_are_the_whole_text_and_no_longer_than_allowed() {
        for text in ["a\nb c\ndefghijkl", "ääääääääää", "", "short", "a b\n\n\n\n\n\n\nc d e f g"]
        {
            let pieces = pieces(text, 5);
            assert!(pieces.iter().all(|piece| (1..=5).contains(&piece.len())), "{pieces:?}");
            let solid = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(solid(&pieces.concat()), solid(text));
        }
    }

    #[test]
    fn pieces_keep_their_places() {
        let text = "one two\nthree four\nfive";
        let mut measure = Measure::new(text);
        for piece in pieces(text, 12) {
            let words: Vec<_> = piece.split_whitespace().collect();
            measure.add(piece, &tokens(&words));
        }
        assert_eq!(measure.size(text), 5);
        assert_eq!(measure.size("three four".trim()), 10, "another text");
        assert_eq!(measure.size(&text[8..18]), 2);
    }
}
