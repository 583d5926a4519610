//! The two JSON texts that the GGML encoding gives back, spelled as the stock plugin spells them.

use std::fmt::Write;

use gaia_protocol::{TokenLogprob, TokenText};
use serde_json::Value;

use super::model::{Facts, Model, Scores, Token};

/// What the metadata counts, and what this backend adds to it.
pub(super) struct Counts<'a> {
    pub(super) input_tokens: usize,
    pub(super) output_tokens: usize,
    /// Prompt tokens that were found in a cache.
    pub(super) cached_tokens: u32,
    /// Why the last call failed.
    pub(super) error: Option<&'a str>,
}

/// `get_output(1)`.
pub(super) fn metadata(facts: &Facts, counts: &Counts<'_>) -> Vec<u8> {
    let Counts { input_tokens, output_tokens, cached_tokens, error } = counts;
    let commit = Value::from(facts.commit.as_str());
    let error = error.map_or(String::new(), |error| format!(", \"error\": {}", Value::from(error)));
    format!(
        "{{\"input_tokens\": {input_tokens}, \"output_tokens\": {output_tokens}, \
         \"llama_build_number\": {}, \"llama_commit\": {commit}, \
         \"cached_tokens\": {cached_tokens}{error}}}",
        facts.build_number
    )
    .into_bytes()
}

/// `get_output(2)`: tokens, each as its number, its length in bytes, and its bytes.
pub(super) fn tokens(model: &dyn Model, tokens: &[Token]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tokens.len() * 12);
    for token in tokens {
        let piece = model.piece(*token);
        let length = u32::try_from(piece.len()).expect("a token is short");
        bytes.extend_from_slice(&token.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// Scores as the protocol spells them.
pub(super) fn logprob(model: &dyn Model, scores: &Scores) -> TokenLogprob {
    let token = |token: Token| TokenText { id: token.cast_unsigned(), bytes: model.piece(token) };
    // JSON has no infinity; no token that a model chose is that unlikely.
    let finite = |logprob: f32| logprob.max(-9999.0);
    TokenLogprob {
        token: token(scores.token),
        logprob: Some(finite(scores.logprob)),
        top: scores.top.iter().map(|(id, logprob)| (token(*id), finite(*logprob))).collect(),
    }
}

/// `get_output(0)` of an embedding; `None` if a value is not finite, which JSON can't say.
pub(super) fn embedding(vector: &[f32]) -> Option<Vec<u8>> {
    let mut text = format!("{{\"n_embedding\": {}, \"embedding\": [", vector.len());
    for (index, value) in vector.iter().enumerate() {
        if !value.is_finite() {
            return None;
        }
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{value:.10}").expect("writing to a string can't fail");
    }
    text.push_str("]}");
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_json_with_the_stock_fields_and_more() {
        let facts = Facts { build_number: 42, commit: "ab\"c".into(), ..Facts::default() };
        let counts =
            Counts { input_tokens: 3, output_tokens: 5, cached_tokens: 2, error: Some("a \"b\"") };
        let value: serde_json::Value =
            serde_json::from_slice(&metadata(&facts, &counts)).expect("JSON");
        assert_eq!(
            value,
            serde_json::json!({"input_tokens": 3, "output_tokens": 5,
                "llama_build_number": 42, "llama_commit": "ab\"c",
                "cached_tokens": 2, "error": "a \"b\""})
        );
    }

    #[test]
    fn an_embedding_keeps_ten_decimals() {
        let text = embedding(&[0.5, -0.25, 0.1]).expect("finite");
        assert_eq!(
            String::from_utf8(text).expect("ASCII"),
            r#"{"n_embedding": 3, "embedding": [0.5000000000,-0.2500000000,0.1000000015]}"#
        );
        assert_eq!(embedding(&[f32::NAN]), None);
    }
}
