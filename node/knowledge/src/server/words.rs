//! Words as sparse vectors: how both engines count them is given from outside, so that it is the same.

use std::sync::Arc;

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{CollectionSpec, PAYLOAD_TEXT};
use serde_json::{Map, Value};

use crate::embedded::words::Words;

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

/// Makes a collection's BM25, from its language and the mean length of its texts; refuses a language
/// that it does not know.
pub type Bm25For = Arc<dyn Fn(&CollectionSpec) -> Result<Bm25, KnowledgeError> + Send + Sync>;

/// As the embedded engine counts words.
pub(super) fn as_embedded() -> Bm25For {
    Arc::new(|spec| {
        let words = Arc::new(Words::new(spec)?);
        let for_query = words.clone();
        let document = move |text: &str| {
            let payload = Map::from_iter([(PAYLOAD_TEXT.to_owned(), Value::from(text))]);
            words.document(&payload)
        };
        let query = move |text: &str| for_query.query(text);
        Ok(Bm25 { document: Arc::new(document), query: Arc::new(query) })
    })
}

/// What of a payload is searched by words: its heading and its text.
pub(crate) fn document_words(payload: &Map<String, Value>) -> String {
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
    fn words_count_as_in_the_embedded_engine() {
        let spec = CollectionSpec { dimension: 4, ..CollectionSpec::default() };
        let bm25 = as_embedded()(&spec).expect("English");
        let payload = json!({"source": "Foxes jump and foxes run.", "heading": "On foxes"});
        let payload = payload.as_object().expect("an object");
        let theirs = Words::new(&spec).expect("English");
        assert_eq!((bm25.document)(&document_words(payload)), theirs.document(payload));
        assert_eq!((bm25.query)("a fox"), theirs.query("a fox"));
        assert_eq!((bm25.document)("").0, [0_u32; 0]);
        let unknown = CollectionSpec { language: Some("klingon".into()), ..spec };
        assert!(matches!(as_embedded()(&unknown), Err(KnowledgeError::Invalid { .. })));
    }

    #[test]
    fn words_are_those_of_heading_and_text() {
        assert_eq!(words(json!({"source": "b", "heading": "a", "document": "c"})), "a\nb");
        assert_eq!(words(json!({"source": "b"})), "b");
        assert_eq!(words(json!({"source": 7})), "");
    }
}
