//! Log probabilities in the form of chat answers.

use gaia_protocol::{TokenLogprob, TokenText};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::routes::wire;

/// Those of some text.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Logprobs")]
pub struct WireLogprobs<'a> {
    content: Vec<WireToken<'a>>,
    refusal: (),
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenLogprob")]
struct WireToken<'a> {
    token: String,
    logprob: f32,
    bytes: &'a [u8],
    top_logprobs: Vec<WireCandidate<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenCandidate")]
struct WireCandidate<'a> {
    token: String,
    logprob: f32,
    bytes: &'a [u8],
}

impl<'a> WireLogprobs<'a> {
    /// The form of these tokens.
    pub fn new(tokens: &'a [TokenLogprob]) -> Self {
        Self { content: tokens.iter().map(token).collect(), refusal: () }
    }
}

fn token(chosen: &TokenLogprob) -> WireToken<'_> {
    let TokenLogprob { token, logprob, top } = chosen;
    WireToken {
        token: wire::text(token),
        // Only a prompt's first token has none, and no prompt is in an answer to a conversation.
        logprob: wire::logprob(logprob.unwrap_or(f32::NEG_INFINITY)),
        bytes: &token.bytes,
        top_logprobs: top.iter().map(|(token, logprob)| candidate(token, *logprob)).collect(),
    }
}

fn candidate(token: &TokenText, logprob: f32) -> WireCandidate<'_> {
    WireCandidate { token: wire::text(token), logprob: wire::logprob(logprob), bytes: &token.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_characters_and_impossible_tokens_have_a_form() {
        let text = |bytes: &[u8]| TokenText { id: 1, bytes: bytes.to_vec() };
        let top = vec![(text(b"a"), f32::NEG_INFINITY)];
        let tokens = [TokenLogprob { token: text(&[0xc3]), logprob: Some(-0.5), top }];
        let json = serde_json::to_string(&WireLogprobs::new(&tokens)).expect("JSON");
        let top = r#"[{"token":"a","logprob":-9999.0,"bytes":[97]}]"#;
        let token = format!(r#"{{"token":"�","logprob":-0.5,"bytes":[195],"top_logprobs":{top}}}"#);
        assert_eq!(json, format!(r#"{{"content":[{token}],"refusal":null}}"#));
    }
}
