//! Names that someone may have meant.

/// Names given at most.
const NEAREST_MAX: usize = 3;
/// Names longer than this are compared by their beginning.
const NAME_CHARS_MAX: usize = 64;

/// The nearest of some names, if any is near: at most a third of the letters differ.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = letters(wanted);
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (distance(&wanted, &letters(name)), name))
        .filter(|(distance, name)| distance * 3 <= name.chars().count().max(3))
        .collect();
    near.sort_unstable();
    near.into_iter().take(NEAREST_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// Crates can't differ in case or in the kind of dash.
fn letters(name: &str) -> Vec<char> {
    let plain = |letter: char| if letter == '_' { '-' } else { letter.to_ascii_lowercase() };
    name.chars().take(NAME_CHARS_MAX).map(plain).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that make one of the other.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = vec![];
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, candidate) in other.iter().enumerate() {
            let replaced = row[column] + usize::from(letter != candidate);
            let mut best = replaced.min(row[column + 1] + 1).min(next[column] + 1);
            let swapped = line > 0
                && column > 0
                && one[line - 1] == *candidate
                && other[column - 1] == *letter;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(wanted: &str) -> Vec<String> {
        nearest(wanted, ["serde", "serde_json", "tokio", "rand", "regex", "clap"].into_iter())
    }

    #[test]
    fn typing_errors_are_found() {
        assert_eq!(near("sered"), ["serde"]);
        assert_eq!(near("Serde-JSON"), ["serde_json"]);
        assert_eq!(near("tokyo"), ["tokio"]);
        assert_eq!(near("clap4"), ["clap"]);
    }

    #[test]
    fn other_names_are_not() {
        assert!(near("openssl").is_empty());
        assert!(near("").is_empty());
        assert!(near(&"x".repeat(100_000)).is_empty());
    }

    proptest! {
        #[test]
        fn distance_is_symmetric(one in "[a-c]{0,6}", other in "[a-c]{0,6}") {
            let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
            prop_assert_eq!(distance(&one, &other), distance(&other, &one));
            prop_assert_eq!(distance(&one, &one), 0);
            prop_assert!(distance(&one, &other) <= one.len().max(other.len()));
        }
    }
}
