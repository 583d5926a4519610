//! Token bytes to whole characters.

/// A character's bytes at most, less the last: what can be incomplete at the end.
const TAIL_BYTES_MAX: usize = 3;

/// Turns the bytes of tokens, cut anywhere, into whole characters.
///
/// The end of the bytes may be the start of a character: it is held back until the rest arrives.
/// Bytes that can't be UTF-8 become U+FFFD, as [`String::from_utf8_lossy`] does it.
#[derive(Clone, Debug, Default)]
pub struct Utf8Assembler {
    tail: Vec<u8>,
}

impl Utf8Assembler {
    /// Appends to `text` the characters that are whole with these bytes.
    pub fn push(&mut self, bytes: &[u8], text: &mut String) {
        if self.tail.is_empty() {
            let rest = append_whole(bytes, text);
            self.tail.extend_from_slice(rest);
            return;
        }
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(bytes);
        let rest = append_whole(&joined, text);
        let whole = joined.len() - rest.len();
        joined.drain(..whole);
        self.tail = joined;
    }

    /// Appends what is held back: an unfinished character becomes one U+FFFD.
    pub fn finish(&mut self, text: &mut String) {
        if !self.tail.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            self.tail.clear();
        }
    }
}

/// Appends all whole characters and returns the incomplete tail.
fn append_whole<'a>(bytes: &'a [u8], text: &mut String) -> &'a [u8] {
    let cut = bytes.len() - incomplete_bytes(bytes);
    let (whole, tail) = bytes.split_at(cut);
    text.push_str(&String::from_utf8_lossy(whole));
    tail
}

/// How many bytes at the end are the start of a character that more bytes could complete.
fn incomplete_bytes(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(TAIL_BYTES_MAX);
    (1..=longest)
        .rev()
        .find(|&length| is_character_start(&bytes[bytes.len() - length..]))
        .unwrap_or(0)
}

fn is_character_start(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (mut assembler, mut text) = (Utf8Assembler::default(), String::new());
        pieces.into_iter().for_each(|piece| assembler.push(piece, &mut text));
        assembler.finish(&mut text);
        text
    }

    #[test]
    fn invalid_bytes_become_replacement_characters_and_never_panic() {
        assert_eq!(assemble([&b"a\xFFb"[..]]), "a\u{FFFD}b");
        assert_eq!(assemble([&b"\xC3"[..], &b"\x28"[..]]), "\u{FFFD}(");
        assert_eq!(assemble([&b"\xF0\x9F"[..], &b"\xF0\x9F\x98\x80"[..]]), "\u{FFFD}\u{1F600}");
        assert_eq!(assemble([&b"\xED\xA0\x80"[..]]), "\u{FFFD}\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn an_unfinished_character_is_held_back_until_the_end() {
        let (mut assembler, mut text) = (Utf8Assembler::default(), String::new());
        assembler.push(&"né".as_bytes()[..2], &mut text);
        assert_eq!(text, "n");
        assembler.finish(&mut text);
        assert_eq!(text, "n\u{FFFD}");
    }

    #[test]
    fn every_cut_gives_the_same_text() {
        let text = "aé漢\u{1F600}\u{1F469}\u{200D}\u{1F52C} z";
        for size in 1..8 {
            assert_eq!(assemble(text.as_bytes().chunks(size)), text);
        }
    }

    #[test]
    fn any_bytes_in_any_cut_read_as_they_do_in_one_piece() {
        let alphabet = [0x00, 0x41, 0x80, 0xA0, 0xBF, 0xC3, 0xE2, 0xED, 0xF0, 0xF4, 0xFF];
        let mut seed = 1_u32;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..9).map(|_| alphabet[next(&mut seed) % 11]).collect();
            let cut = next(&mut seed) % 10;
            let cut_text = assemble([&bytes[..cut], &bytes[cut..]]);
            assert_eq!(cut_text, assemble([&bytes[..]]), "{bytes:x?} cut at {cut}");
            assert_eq!(cut_text, String::from_utf8_lossy(&bytes), "{bytes:x?}");
        }
    }

    /// Numerical Recipes' generator: good enough to mix test inputs, and the same everywhere.
    fn next(seed: &mut u32) -> usize {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 16) as usize
    }
}
