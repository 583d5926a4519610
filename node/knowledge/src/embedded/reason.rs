//! Why something failed, as strangers may read it: without the machine's paths.

use gaia_core::KnowledgeError;

/// Characters of a reason at most; the log has all of it.
const CHARS_MAX: usize = 300;

/// Why, in one short line.
#[must_use]
pub fn reason(error: &KnowledgeError) -> String {
    match error {
        KnowledgeError::DiskFull => "its disk is full: free some space".to_owned(),
        KnowledgeError::Unavailable { message } => told(message),
        other => told(&other.to_string()),
    }
}

/// The first line of a message; of each path only the name at its end.
#[must_use]
pub fn told(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | ',' | ';');
    let short = line.split_inclusive(ends).map(|word| {
        let path = word.trim_end_matches(|c| ends(c) || c == ':');
        let (path, rest) = word.split_at(path.len());
        match path.contains('/') {
            true => {
                format!("{}{rest}", path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("…"))
            }
            false => word.to_owned(),
        }
    });
    short.collect::<String>().chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_no_folder_of_the_machine() {
        let message =
            "can't open '/root/.cache/kb/shard/segments/a/segment.json': bad (os error 2)\nmore";
        assert_eq!(told(message), "can't open 'segment.json': bad (os error 2)");
        assert_eq!(told("path=/srv/kb/x: gone, or /"), "x: gone, or …");
        assert_eq!(told("no path at all"), "no path at all");
        assert_eq!(told(&"a".repeat(900)).len(), CHARS_MAX);
        assert_eq!(reason(&KnowledgeError::DiskFull), "its disk is full: free some space");
    }
}
