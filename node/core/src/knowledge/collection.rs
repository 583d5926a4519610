//! A collection: what its vectors are, and what is known of them.

use serde::{Deserialize, Serialize};

use super::KnowledgeError;

/// Characters of a collection's name at most: it names a folder.
const NAME_CHARS_MAX: usize = 64;

/// How near two vectors are; Qdrant's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distance {
    /// The angle between them; more is nearer.
    #[default]
    Cosine,
    /// The product of their values; more is nearer.
    Dot,
    /// The straight line between them; less is nearer.
    Euclid,
    /// The sum of their differences; less is nearer.
    Manhattan,
}

impl Distance {
    /// Whether a larger score is a nearer point.
    #[must_use]
    pub fn more_is_nearer(self) -> bool {
        matches!(self, Self::Cosine | Self::Dot)
    }
}

/// What a collection's points are; fixed when it is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionSpec {
    /// Values of each vector.
    pub dimension: u32,
    /// How vectors are compared.
    #[serde(default)]
    pub distance: Distance,
    /// The model that makes the vectors, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    /// What the embedding model wants before a question, such as `search_query: `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_prefix: Option<String>,
    /// What it wants before a passage, such as `search_document: `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_prefix: Option<String>,
    /// The language of the texts, for word stems and stop words, such as `english`; without it,
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Words of a text on average, as BM25 counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_mean: Option<f64>,
    /// Tokens of a chunk at most, and how many of them repeat the chunk before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunker: Option<Chunker>,
    /// For people: what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// How documents were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunker {
    /// Tokens of a chunk at most.
    pub tokens_max: u32,
    /// Tokens of the chunk before that a chunk begins with, at most.
    pub overlap_tokens: u32,
}

/// A collection as it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// What its points are.
    #[serde(flatten)]
    pub spec: CollectionSpec,
    /// Its points.
    pub points: u64,
    /// Whether its texts can be searched by their words.
    pub has_keywords: bool,
    /// Whether it can be used.
    #[serde(flatten)]
    pub state: CollectionState,
}

/// Whether a collection can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CollectionState {
    /// It can.
    #[default]
    Ready,
    /// It is there, but can't be read: what else is said of it means nothing.
    Broken {
        /// Why, for whoever asks: without the machine's paths.
        reason: String,
    },
}

impl Collection {
    /// One that is there, but can't be read.
    #[must_use]
    pub fn broken(name: String, reason: String) -> Self {
        Self { name, state: CollectionState::Broken { reason }, ..Self::default() }
    }

    /// Whether it can be used.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == CollectionState::Ready
    }
}

/// Holds a collection's name to the letters that are the same everywhere.
///
/// # Errors
/// [`KnowledgeError::Invalid`]: it is empty, too long or has other characters.
pub fn check_name(name: &str) -> Result<(), KnowledgeError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_good = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if is_good {
        return Ok(());
    }
    Err(KnowledgeError::invalid(format!(
        "collection: {name:?} is no name: use 1 to {NAME_CHARS_MAX} letters (a-z), digits, `_`, `-` \
         and `.`, and begin with a letter, a digit or `_`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\b", "ä", "a b", "-a", &"a".repeat(65), "a\0"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "learn-rust", "_private", "paris_768.v2", "0"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }
}
