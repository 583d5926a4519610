//! Words as sparse vectors: how both engines count them is given from outside, so that it is the same.

use std::sync::Arc;

use gaia_core::knowledge::{CollectionSpec, PAYLOAD_TEXT};
use serde_json::{Map, Value};

/// The sparse vector that holds a point's words, in every collection of Gaia.
pub(super) const KEYWORDS: &str = "bm25";

/// Turns a text into the numbers of its words and their weights; both lists are equally long, and no
/// number stands twice.
pub type Weigh = Arc<dyn Fn(&str) -> (Vec<u32>, Vec<f32>) + Send + Sync>;

/// BM25 for one collection: its language and the mean length of its texts are within.
#[derive(Clone)]
pub struct Bm25 {
    /// For a text that is stored.
    pub document: Weigh,
    /// For a question.
    pub query: Weigh,
}

/// Makes a collection's BM25, from its language and the mean length of its texts.
pub type Bm25For = Arc<dyn Fn(&CollectionSpec) -> Bm25 + Send + Sync>;

/// What of a payload is searched by words: its heading and its text.
pub(super) fn document_words(payload: &Map<String, Value>) -> String {
    let texts = ["heading", PAYLOAD_TEXT].map(|key| payload.get(key).and_then(Value::as_str));
    texts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(payload: Value) -> String {
        document_words(payload.as_object().expect("an object"))
    }

    #[test]
    fn words_are_those_of_heading_and_text() {
        assert_eq!(words(json!({"source": "b", "heading": "a", "document": "c"})), "a\nb");
        assert_eq!(words(json!({"source": "b"})), "b");
        assert_eq!(words(json!({"source": 7})), "");
    }
}
