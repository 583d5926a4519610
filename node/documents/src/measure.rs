//! How many tokens a part of a text has.

use std::sync::Arc;

use text_splitter::ChunkSizer;

/// Counts the tokens of parts of one text.
///
/// Two kinds: [`Measure`], from the tokens' places, where the tokenizer is far away; and any
/// `Fn(&str) -> usize`, where it is at hand.
pub trait Count {
    /// How many tokens `part` has. It is always a part of the text that is measured: of
    /// [`Document::text`](crate::Document::text) for [`cut`](crate::cut). A longer part has no fewer.
    fn count(&self, part: &str) -> usize;
}

impl<F: Fn(&str) -> usize> Count for F {
    fn count(&self, part: &str) -> usize {
        self(part)
    }
}

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
    /// No token of `text` is known yet. The text must stay where it is in memory.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (text_start, text_bytes) = (text.as_ptr().addr(), text.len());
        Self { text_start, text_bytes, starts: Arc::default() }
    }

    /// Adds the tokens of the next piece of the text, by their bytes. Pieces come in order; they are
    /// parts of the text itself, as [`pieces`] makes them. Tokens of another text are not counted.
    pub fn add<T: AsRef<[u8]>>(&mut self, piece: &str, tokens: &[T]) {
        let Some(offset) = self.offset(piece) else { return };
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

    /// Where in the text `part` stands, if it is a part of it.
    fn offset(&self, part: &str) -> Option<usize> {
        let from = part.as_ptr().addr().wrapping_sub(self.text_start);
        Some(from).filter(|from| from.saturating_add(part.len()) <= self.text_bytes)
    }
}

impl Count for Measure {
    fn count(&self, part: &str) -> usize {
        // Not a part of the text: as many as it can have.
        let Some(from) = self.offset(part) else { return part.len() };
        let before = |end: usize| self.starts.partition_point(|start| *start < end);
        before(from + part.len()) - before(from)
    }
}

impl ChunkSizer for Measure {
    fn size(&self, chunk: &str) -> usize {
        self.count(chunk)
    }
}

fn weight<T: AsRef<[u8]>>(token: &T) -> usize {
    solid(token.as_ref()).count()
}

/// Where the bytes are that are not white space.
fn solid(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let bytes = bytes.iter().enumerate();
    bytes.filter(|(_, byte)| !byte.is_ascii_whitespace()).map(|(index, _)| index)
}

/// Where a text may be cut, best first, and how much of the mark stays before the cut.
const CUTS: [(&str, usize); 5] = [("\n#", 1), ("\n\n", 2), ("\n", 1), (". ", 2), (" ", 1)];

/// Cuts a text into pieces of at most `bytes_max` bytes (or one character), at headings, paragraphs or
/// lines where there are any. White space may be left out between them.
#[must_use]
pub fn pieces(text: &str, bytes_max: usize) -> Vec<&str> {
    let (mut rest, mut pieces) = (text, vec![]);
    while rest.len() > bytes_max {
        // One character at least, or it would never end.
        let head = rest.floor_char_boundary(bytes_max).max(rest.ceil_char_boundary(1));
        let (piece, after) = rest.split_at(end(&rest[..head]));
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

    #[test]
    fn bytes_that_are_the_texts_own_are_counted_exactly() {
        let text = "Hello world, again";
        let mut measure = Measure::new(text);
        measure.add(text, &["Hel", "lo", " world", ",", " again"]);
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
        measure.add(text, &[half, half].concat());
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
    fn tokens_of_another_text_are_not_counted() {
        let mut measure = Measure::new("one two");
        measure.add("three", &["three"]);
        assert_eq!(*measure.starts, Vec::<usize>::new());
    }

    #[test]
    fn a_piece_has_a_character_at_least() {
        assert_eq!(pieces("äö", 1), ["ä", "ö"]);
        assert_eq!(pieces("äö", 0), ["ä", "ö"]);
    }

    #[test]
    fn pieces_keep_their_places() {
        let text = "one two\nthree four\nfive";
        let mut measure = Measure::new(text);
        for piece in pieces(text, 12) {
            let words: Vec<_> = piece.split_whitespace().collect();
            measure.add(piece, &words);
        }
        assert_eq!(measure.size(text), 5);
        assert_eq!(measure.size("three four".trim()), 10, "another text");
        assert_eq!(measure.size(&text[8..18]), 2);
    }
}
