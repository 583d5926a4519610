//! Foreign text within limits.

/// At most so many bytes of a text, cut between characters; true if something was left out.
pub(super) fn cut(text: &mut String, bytes_max: usize) -> bool {
    if text.len() <= bytes_max {
        return false;
    }
    text.truncate(text.floor_char_boundary(bytes_max));
    text.push('…');
    true
}

/// The text, cut.
pub(super) fn shortened(mut text: String, bytes_max: usize) -> String {
    cut(&mut text, bytes_max);
    text
}

/// Control characters but newlines and tabs would let a text draw over its surroundings.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("aé".to_owned(), 2), "a…");
        assert_eq!(shortened("aé".to_owned(), 3), "aé");
        assert_eq!(plain("a\u{1b}[31mb\r\n\tc"), "a[31mb\n\tc");
    }

    proptest! {
        #[test]
        fn cutting_never_panics(text in "\\PC{0,20}", max in 0..30_usize) {
            prop_assert!(shortened(text, max).len() <= max + '…'.len_utf8());
        }
    }
}
