//! Fixes as JSON lines: what travels between nodes, and what a node begins with.

use gaia_core::coder::Fix;
use gaia_core::coder::fixes::FixLine;
use serde_json::{Map, Value};

/// The fixes that come with the node; each was compiled before and after (`scripts/check-fixes`).
const SEEDS: &str = include_str!("../../../../kb-snapshots/rust/fixes.jsonl");

/// Bytes of a line at most: a fix's texts, each character escaped at worst.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// What is wrong with a file of fixes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// Too much in one line.
    #[error("line {0} is longer than {LINE_BYTES_MAX} bytes")]
    Long(usize),
    /// Not a fix.
    #[error("line {line} is no fix: {reason}")]
    NotAFix {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// Too many lines.
    #[error("the file has more than {max} fixes")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// None.
    #[error("the file has no fixes")]
    Empty,
}

/// Reads at most `max` fixes, one JSON object a line; blank lines count nothing.
///
/// # Errors
/// The first line that can't be read, by number.
pub fn read_fixes(text: &str, max: usize) -> Result<Vec<Fix>, LinesError> {
    let mut fixes = vec![];
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        if text.len() > LINE_BYTES_MAX {
            return Err(LinesError::Long(line));
        }
        if fixes.len() == max {
            return Err(LinesError::TooMany { max });
        }
        let wrong =
            |error: serde_json::Error| LinesError::NotAFix { line, reason: error.to_string() };
        // An object first: a list would be taken for the fields in their order.
        let object: Map<String, Value> = serde_json::from_str(text).map_err(wrong)?;
        let fix: FixLine = serde_json::from_value(Value::Object(object)).map_err(wrong)?;
        fixes.push(fix.into());
    }
    if fixes.is_empty() { Err(LinesError::Empty) } else { Ok(fixes) }
}

/// The fixes that a new memory begins with.
///
/// # Panics
/// Never: a test reads them.
#[must_use]
pub fn seeds() -> Vec<Fix> {
    read_fixes(SEEDS, usize::MAX).expect("a test reads them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_none_is_refused_by_its_line() {
        let good = r#"{"message":"m","before":"a","after":"b"}"#;
        let long = format!("\n{{\"message\":\"{}\"}}", "a".repeat(LINE_BYTES_MAX));
        for (text, said) in [
            ("", "no fixes"),
            (" \n\n", "no fixes"),
            ("x", "line 1 is no fix"),
            (&format!("{good}\n[]"), "line 2 is no fix"),
            (&format!("{good}\n{{\"used\":-1}}"), "line 2 is no fix"),
            (&long, "line 2 is longer"),
            (&"[".repeat(1 << 15), "line 1 is no fix"),
            (&format!("{good}\n{good}\n{good}"), "more than 2"),
        ] {
            let error = read_fixes(text, 2).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert_eq!(read_fixes(&format!("\n{good}\n\n{good}\n"), 2).map(|f| f.len()), Ok(2));
    }

    #[test]
    fn the_seeds_are_many_and_say_each_thing_once() {
        let seeds = seeds();
        assert!(seeds.len() >= 60, "{}", seeds.len());
        let whole = |fix: &Fix| !fix.explanation.is_empty() && fix.code.is_some();
        assert!(seeds.iter().all(whole));
        let mut texts: Vec<_> =
            seeds.iter().map(|fix| (&fix.code, &fix.before, &fix.after)).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), seeds.len());
    }
}
