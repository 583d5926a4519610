//! A page's text: pieces that were drawn somewhere, put together as lines and words.

/// A gap this wide between two pieces, in heights of the text, parts words.
const SPACE: f32 = 0.18;
/// A piece that starts so far back stands in another column.
const BACK: f32 = -1.0;
/// A piece drawn so far below or above the last one stands in another line.
const LINE: f32 = 0.5;
/// So far, in another paragraph.
const PARAGRAPH: f32 = 1.9;

/// The text of a page so far.
#[derive(Default)]
pub struct Sheet {
    text: String,
    /// Where the last piece ended.
    end: Option<(f32, f32)>,
}

/// A piece of text: where it starts and ends, and how high it is.
pub struct Piece<'a> {
    pub text: &'a str,
    pub start: (f32, f32),
    pub end: (f32, f32),
    pub height: f32,
}

impl Sheet {
    pub fn add(&mut self, piece: &Piece<'_>) {
        if let Some(end) = self.end {
            self.part(end, piece);
        }
        let readable = piece.text.chars().filter(|char| is_readable(*char));
        self.text.extend(readable);
        self.end = Some(piece.end);
    }

    /// Parts the piece from the text before it, as it is parted on the page.
    fn part(&mut self, (x, y): (f32, f32), piece: &Piece<'_>) {
        let height = piece.height.abs().max(f32::MIN_POSITIVE);
        let (gap, fall) = ((piece.start.0 - x) / height, (piece.start.1 - y).abs() / height);
        if fall > PARAGRAPH {
            self.end_line("\n\n");
        } else if fall > LINE {
            self.end_line("\n");
        } else if !(BACK..=SPACE).contains(&gap) {
            let spaced = self.text.ends_with(char::is_whitespace);
            if !spaced && !self.text.is_empty() && !piece.text.starts_with(char::is_whitespace) {
                self.text.push(' ');
            }
        }
    }

    fn end_line(&mut self, mark: &str) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push_str(mark);
        }
    }

    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The text, words joined that were hyphenated at the end of a line.
    pub fn finish(self) -> String {
        let mut joined = String::with_capacity(self.text.len());
        for line in self.text.split_inclusive('\n') {
            if line.starts_with(char::is_lowercase) && ends_hyphenated(&joined) {
                joined.truncate(joined.trim_end_matches(['\n', '-', '\u{ad}', '\u{2010}']).len());
            }
            joined.push_str(line);
        }
        joined.trim().to_owned()
    }
}

/// Whether the text ends in a word that goes on in the next line.
fn ends_hyphenated(text: &str) -> bool {
    let mut back = text.chars().rev();
    back.next() == Some('\n')
        && back.next().is_some_and(|char| matches!(char, '-' | '\u{ad}' | '\u{2010}'))
        && back.next().is_some_and(char::is_lowercase)
}

/// Neither a control character nor one without a meaning of its own.
fn is_readable(char: char) -> bool {
    !(char.is_control() || matches!(char, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(pieces: &[(&str, f32, f32)]) -> String {
        let mut sheet = Sheet::default();
        for (text, x, y) in pieces {
            let end = (x + 5.0 * text.chars().count() as f32, *y);
            sheet.add(&Piece { text, start: (*x, *y), end, height: 10.0 });
        }
        sheet.finish()
    }

    #[test]
    fn gaps_part_words_lines_and_paragraphs() {
        let pieces = [("Hel", 0.0, 90.0), ("lo", 15.5, 90.0), ("you", 30.0, 90.0)];
        assert_eq!(sheet(&pieces), "Hello you");
        assert_eq!(sheet(&[("a", 0.0, 90.0), ("b", 0.0, 78.0), ("c", 0.0, 50.0)]), "a\nb\n\nc");
        assert_eq!(sheet(&[("left", 200.0, 90.0), ("right", 0.0, 90.0)]), "left right");
        assert_eq!(sheet(&[("a ", 0.0, 90.0), (" b", 90.0, 90.0)]), "a  b");
    }

    #[test]
    fn hyphenated_words_are_joined_and_others_are_not() {
        let lines = |first, second| sheet(&[(first, 0.0, 90.0), (second, 0.0, 78.0)]);
        assert_eq!(lines("exam-", "ple"), "example");
        assert_eq!(lines("Anglo-", "American"), "Anglo-\nAmerican");
        assert_eq!(lines("1-", "two"), "1-\ntwo");
        assert_eq!(lines("a\u{0}b\u{fffd}", "\u{e001}c"), "ab\nc");
    }

    #[test]
    fn wild_numbers_are_no_danger() {
        let wild =
            [("a", f32::NAN, f32::INFINITY), ("b", f32::MAX, f32::MIN), ("c", 0.0, f32::NAN)];
        assert!(sheet(&wild).contains('a'));
    }
}
