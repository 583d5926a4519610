//! Stop strings in a stream.

/// Looks for stop strings in text that arrives in pieces.
///
/// The answer ends where the first stop string is complete, and what precedes that string is the
/// answer; of two that end at the same character the longer counts. So the answer does not depend
/// on how the text was cut into tokens. Only text that may still become a stop string is held back.
#[derive(Clone, Debug, Default)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
    /// Which one was found.
    found: Option<usize>,
}

impl StopStrings {
    /// Empty strings are ignored: they would end every answer before it begins.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new(), found: None }
    }

    /// Takes more text and appends to `safe` what is now certain to be part of the answer.
    /// Returns true if a stop string was found: the answer ends here.
    pub fn push(&mut self, text: &str, safe: &mut String) -> bool {
        if self.stops.is_empty() {
            safe.push_str(text);
            return false;
        }
        self.held.push_str(text);
        if let Some((start, which)) = self.first_stop() {
            self.found = Some(which);
            safe.push_str(&self.held[..start]);
            self.held.clear();
            return true;
        }
        let certain = self.held.len() - self.uncertain_bytes();
        safe.push_str(&self.held[..certain]);
        self.held.drain(..certain);
        false
    }

    /// Appends what was held back: the text is at its end and no stop string came.
    pub fn finish(&mut self, safe: &mut String) {
        safe.push_str(&self.held);
        self.held.clear();
    }

    /// The stop string that was found.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.stops.get(self.found?).map(String::as_str)
    }

    /// Where the stop string that is complete first begins, and which it is.
    fn first_stop(&self) -> Option<(usize, usize)> {
        let found = self.stops.iter().enumerate().filter_map(|(which, stop)| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start, which))
        });
        found.min().map(|(_end, start, which)| (start, which))
    }

    /// Length of the longest end of the text that some stop string begins with.
    fn uncertain_bytes(&self) -> usize {
        self.stops.iter().map(|stop| overlap_bytes(&self.held, stop)).max().unwrap_or(0)
    }
}

/// Length of the longest proper prefix of `stop` that `text` ends with.
fn overlap_bytes(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    let (text, stop) = (text.as_bytes(), stop.as_bytes());
    (1..=longest).rev().find(|&length| text.ends_with(&stop[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, and whether it was stopped, for text that arrives in these pieces.
    fn answer<'a>(stops: &[&str], pieces: impl IntoIterator<Item = &'a str>) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let (mut finder, mut safe) = (StopStrings::new(&stops), String::new());
        for piece in pieces {
            if finder.push(piece, &mut safe) {
                return (safe, true);
            }
        }
        finder.finish(&mut safe);
        (safe, false)
    }

    #[test]
    fn without_stops_nothing_is_held_back() {
        let (mut finder, mut safe) = (StopStrings::new(&[String::new()]), String::new());
        assert!(!finder.push("abc", &mut safe));
        assert_eq!(safe, "abc");
    }

    #[test]
    fn only_what_may_become_a_stop_is_held_back() {
        let (mut finder, mut safe) = (StopStrings::new(&["\n\nUser:".into()]), String::new());
        assert!(!finder.push("hello\n", &mut safe));
        assert_eq!(safe, "hello");
        assert!(!finder.push("\nUse", &mut safe));
        assert_eq!(safe, "hello");
        assert!(!finder.push("d", &mut safe));
        assert_eq!(safe, "hello\n\nUsed");
    }

    #[test]
    fn a_stop_across_pieces_is_found_and_cut_off() {
        assert_eq!(answer(&["END"], ["one E", "N", "D two"]), ("one ".into(), true));
        assert_eq!(answer(&["END"], ["one E", "N", "d two"]), ("one ENd two".into(), false));
        assert_eq!(answer(&["aab"], ["a", "a", "a", "b"]), ("a".into(), true));
    }

    #[test]
    fn what_was_held_back_is_given_at_the_end() {
        assert_eq!(answer(&["END"], ["the EN"]), ("the EN".into(), false));
    }

    #[test]
    fn the_first_complete_stop_counts_and_the_longer_of_two_that_end_together() {
        assert_eq!(answer(&["bcd", "abcde"], ["xabcde"]), ("xa".into(), true));
        assert_eq!(answer(&["cd", "bcd"], ["abcd"]), ("a".into(), true));
    }

    #[test]
    fn the_stop_that_was_found_is_told() {
        let stops = ["".into(), "x☃".into(), "☃☃".into()];
        let (mut finder, mut safe) = (StopStrings::new(&stops), String::new());
        assert!(!finder.push("a☃", &mut safe));
        assert_eq!(finder.found(), None);
        assert!(finder.push("☃☃", &mut safe));
        assert_eq!(finder.found(), Some("☃☃"));
    }

    #[test]
    fn the_cut_into_tokens_does_not_matter() {
        let text = "héllo wörld, héy! héllo ☃☃ END";
        for stops in [&["héy"][..], &["☃ E", "ö"], &["☃☃"], &["llo ☃", "END"], &["nothing"]]
        {
            let whole = answer(stops, [text]);
            let mut buffer = [0; 4];
            let mut by_character = Vec::new();
            for character in text.chars() {
                by_character.push(character.encode_utf8(&mut buffer).to_owned());
            }
            assert_eq!(answer(stops, by_character.iter().map(String::as_str)), whole);
        }
    }
}
