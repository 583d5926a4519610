//! Texts as sparse vectors of their words' weights, for BM25.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{CollectionSpec, PAYLOAD_TEXT};
use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
use qdrant_edge::external::ordered_float::NotNan;
use serde_json::{Map, Value};

/// Words of a chunk on average where nobody counted: a paragraph without its stop words.
const WORDS_MEAN: f64 = 100.0;

/// Words that count, per token of a chunk: half of the tokens are stop words and parts of words.
const WORDS_PER_TOKEN: f64 = 0.45;

/// So large a saturation counts each occurrence of a word as one, but for a millionth.
const NO_SATURATION: f64 = 1e6;

/// Turns texts into words' weights.
#[derive(Debug)]
pub struct Words {
    weigher: EdgeBm25,
}

/// A sparse vector: places and values.
pub type Sparse = (Vec<u32>, Vec<f32>);

impl Words {
    /// Weighs as a collection wants it.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: its language is unknown.
    pub fn new(spec: &CollectionSpec) -> Result<Self, KnowledgeError> {
        let config = EdgeBm25Config { avg_len: not_nan(words_mean(spec)), ..config_of(spec) };
        Ok(Self { weigher: weigher(config)? })
    }

    /// Counts words instead: a document's values add up to its length.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn counting(spec: &CollectionSpec) -> Result<Self, KnowledgeError> {
        let (k, b) = (not_nan(NO_SATURATION), not_nan(0.0));
        Ok(Self { weigher: weigher(EdgeBm25Config { k, b, ..config_of(spec) })? })
    }

    /// A text that is searched.
    #[must_use]
    pub fn document(&self, payload: &Map<String, Value>) -> Sparse {
        let sparse = self.weigher.embed_document(&text(payload));
        (sparse.indices, sparse.values)
    }

    /// A question.
    #[must_use]
    pub fn query(&self, text: &str) -> Sparse {
        let sparse = self.weigher.embed_query(text);
        (sparse.indices, sparse.values)
    }

    /// Words of a document, stop words apart.
    #[must_use]
    pub fn count(&self, payload: &Map<String, Value>) -> f64 {
        self.document(payload).1.into_iter().map(f64::from).sum()
    }
}

fn weigher(config: EdgeBm25Config) -> Result<EdgeBm25, KnowledgeError> {
    EdgeBm25::new(config).map_err(|error| {
        KnowledgeError::invalid(format!("language: {error}; write one like \"english\""))
    })
}

fn config_of(spec: &CollectionSpec) -> EdgeBm25Config {
    let language = spec.language.clone().filter(|language| !language.is_empty());
    EdgeBm25Config { language, ..EdgeBm25Config::default() }
}

fn words_mean(spec: &CollectionSpec) -> f64 {
    let by_chunks = spec.chunker.map(|chunker| f64::from(chunker.tokens_max) * WORDS_PER_TOKEN);
    spec.words_mean.or(by_chunks).unwrap_or(WORDS_MEAN).max(1.0)
}

fn not_nan(value: f64) -> NotNan<f64> {
    NotNan::new(value).unwrap_or_else(|_| NotNan::new(WORDS_MEAN).expect("a number"))
}

/// What is searched by words: the text, under its headings.
fn text(payload: &Map<String, Value>) -> String {
    let field = |name| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}\n{}", field("heading"), field(PAYLOAD_TEXT))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(text: &str) -> Map<String, Value> {
        json!({"source": text, "heading": "Ownership"}).as_object().cloned().expect("an object")
    }

    #[test]
    fn words_are_counted_without_stop_words() {
        let words = Words::counting(&CollectionSpec::default()).expect("English");
        let count = words.count(&payload("the borrow checker and the borrow of a value"));
        assert!((count - 5.0).abs() < 0.1, "ownership borrow checker borrow value: {count}");
    }

    #[test]
    fn a_longer_text_weighs_less_and_stems_are_one_word() {
        let words = Words::new(&CollectionSpec::default()).expect("English");
        let (places, _) = words.query("borrowing");
        let short = words.document(&payload("borrowed"));
        assert!(short.0.contains(&places[0]));
        let weight = |sparse: &Sparse| {
            let at = sparse.0.iter().position(|place| *place == places[0]).expect("there");
            sparse.1[at]
        };
        let long = words.document(&payload(&format!("borrowed {}", "something else ".repeat(200))));
        assert!(weight(&long) < weight(&short));
    }

    #[test]
    fn an_unknown_language_is_refused() {
        let spec = CollectionSpec { language: Some("klingon".into()), ..CollectionSpec::default() };
        let error = Words::new(&spec).expect_err("refused");
        assert!(error.to_string().contains("klingon"), "{error}");
    }
}
