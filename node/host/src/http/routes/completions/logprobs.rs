//! Log probabilities in the form of text completions: lists side by side.

use std::collections::BTreeMap;

use gaia_protocol::TokenLogprob;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::routes::wire;

/// Those of some text; all lists are of one length.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CompletionLogprobs")]
pub struct WireLogprobs {
    tokens: Vec<String>,
    /// Null for a prompt's first token.
    token_logprobs: Vec<Option<f32>>,
    /// The likeliest tokens in each one's place, and itself, which is alone where none were asked for;
    /// null for a prompt's first token.
    top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
    /// Where each token begins in the answer's text, in characters.
    text_offset: Vec<usize>,
}

/// Follows the text of one choice.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    characters: usize,
}

impl Offsets {
    /// The form of the next tokens.
    pub fn word(&mut self, tokens: &[TokenLogprob]) -> WireLogprobs {
        let top = |token: &TokenLogprob| token.logprob.map(|_| candidates(token));
        WireLogprobs {
            tokens: tokens.iter().map(|token| wire::text(&token.token)).collect(),
            token_logprobs: tokens.iter().map(|token| token.logprob.map(wire::logprob)).collect(),
            top_logprobs: tokens.iter().map(top).collect(),
            text_offset: tokens.iter().map(|token| self.pass(&token.token.bytes)).collect(),
        }
    }

    /// Where the token begins: with the character that it begins, or goes on with.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let goes_on = |byte: &u8| byte & 0xc0 == 0x80;
        let inside = bytes.first().is_some_and(goes_on);
        let offset = self.characters.saturating_sub(usize::from(inside));
        self.characters += bytes.iter().filter(|byte| !goes_on(byte)).count();
        offset
    }
}

/// The likeliest tokens and the chosen one.
fn candidates(token: &TokenLogprob) -> BTreeMap<String, f32> {
    let chosen = token.logprob.map(|logprob| (wire::text(&token.token), wire::logprob(logprob)));
    let top = token.top.iter().map(|(text, logprob)| (wire::text(text), wire::logprob(*logprob)));
    chosen.into_iter().chain(top).collect()
}

#[cfg(test)]
mod tests {
    use gaia_protocol::TokenText;

    use super::*;

    fn token(bytes: &[u8], logprob: Option<f32>) -> TokenLogprob {
        let text = |bytes: &[u8]| TokenText { id: 1, bytes: bytes.to_vec() };
        TokenLogprob { token: text(bytes), logprob, top: vec![(text(b"x"), -2.0)] }
    }

    #[test]
    fn offsets_count_characters_across_pieces() {
        let mut offsets = Offsets::default();
        let first = offsets.word(&[token("é".as_bytes(), None), token(&[0xc3], Some(-1.0))]);
        assert_eq!(first.text_offset, [0, 1]);
        assert_eq!(first.token_logprobs, [None, Some(-1.0)]);
        let second = offsets.word(&[token(&[0xa9, b'a'], None), token(b"b", None)]);
        assert_eq!(second.text_offset, [1, 3]);
        assert_eq!(offsets.word(&[token(&[], None)]).text_offset, [4]);
    }

    #[test]
    fn where_no_likeliest_tokens_are_wanted_the_chosen_one_is_alone() {
        let chosen = TokenLogprob { top: vec![], ..token(b"a", Some(-1.0)) };
        let json = serde_json::to_string(&Offsets::default().word(&[chosen])).expect("JSON");
        assert!(json.contains(r#""token_logprobs":[-1.0],"top_logprobs":[{"a":-1.0}]"#), "{json}");
    }

    #[test]
    fn the_chosen_token_is_among_the_likeliest() {
        let worded = Offsets::default().word(&[token(b"a", Some(-1.0)), token(b"a", None)]);
        let json = serde_json::to_string(&worded).expect("JSON");
        let wanted = r#"{"tokens":["a","a"],"token_logprobs":[-1.0,null],"top_logprobs":[{"a":-1.0,"x":-2.0},null],"text_offset":[0,1]}"#;
        assert_eq!(json, wanted);
    }
}
