//! `POST /tokenize`, as llama-server has it.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_protocol::{Input, TokenText, TokenizeTask};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::openapi::{Operation, Schema};
use crate::http::{State, body, json};

/// A megabyte is some 250,000 tokens: more than a context of today's models.
const CONTENT_BYTES_MAX: usize = 1 << 20;

/// The route.
pub fn operation() -> Operation {
    let body = Schema::object()
        .needs("content", Schema::text())
        .may("add_special", Schema::flag().says("Begin as a prompt of the model begins."))
        .may("parse_special", Schema::flag().default(true).says("Read control tokens as such."))
        .may("with_pieces", Schema::flag().says("Answer each token with its text."))
        .may("model", Schema::text());
    let id = || Schema::integer().least(0);
    let bytes = Schema::list(Schema::integer().within(0, 255)).says("No whole characters.");
    let piece = Schema::either([Schema::text(), bytes]);
    let token = Schema::either([id(), Schema::open().needs("id", id()).needs("piece", piece)]);
    Operation::post("/v1/tokenize", "tokenize")
        .says("Turns a text into the tokens of a model, as llama-server does.")
        .takes(body, json!({"content": "Hello"}))
        .answers(Schema::open().needs("tokens", Schema::list(token)))
}

/// Turns a text into tokens.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = TokenizeRequest::parse(body::read_fields(&state, request).await?)?;
    let tokens = run(&state, request.model.as_deref(), request.task).await?;
    Ok(if request.with_pieces {
        json::ok(&Answer { tokens: tokens.iter().map(with_piece).collect() })
    } else {
        json::ok(&Answer { tokens: tokens.iter().map(|token| token.id).collect() })
    })
}

/// Does the work of this route and its counterpart.
pub async fn run(
    state: &State,
    model: Option<&str>,
    task: TokenizeTask,
) -> Result<Vec<TokenText>, ApiError> {
    let work = gaia_core::tokenize(&state.node, model, task);
    let done = timeout(state.request_timeout, work).await.unwrap_or(Err(ServeError::TimeLimit));
    Ok(done?)
}

#[derive(Debug)]
struct TokenizeRequest {
    model: Option<String>,
    task: TokenizeTask,
    with_pieces: bool,
}

impl TokenizeRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let content = fields.string("content")?.ok_or_else(|| missing("content"))?;
        if content.len() > CONTENT_BYTES_MAX {
            return Err(must_be("content", &format!("at most {CONTENT_BYTES_MAX} bytes long")));
        }
        let task = TokenizeTask {
            input: Input::Text(content),
            add_special: fields.flag("add_special")?,
            parse_special: fields.maybe_flag("parse_special")?.unwrap_or(true),
        };
        let with_pieces = fields.flag("with_pieces")?;
        let model = fields.string("model")?;
        fields.finish(&[])?;
        Ok(Self { model, task, with_pieces })
    }
}

#[derive(Serialize)]
struct Answer<T> {
    tokens: Vec<T>,
}

#[derive(Serialize)]
struct WithPiece<'a> {
    id: u32,
    piece: Piece<'a>,
}

/// A part of a character is no text.
#[derive(Serialize)]
#[serde(untagged)]
enum Piece<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

fn with_piece(token: &TokenText) -> WithPiece<'_> {
    let bytes = token.bytes.as_slice();
    let piece = std::str::from_utf8(bytes).map_or(Piece::Bytes(bytes), Piece::Text);
    WithPiece { id: token.id, piece }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<TokenizeRequest, ApiError> {
        TokenizeRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let long = format!(r#"{{"content": "{}"}}"#, "a".repeat(CONTENT_BYTES_MAX + 1));
        for (body, param) in [
            ("{}", "content"),
            (r#"{"content": ["a"]}"#, "content"),
            (long.as_str(), "content"),
            (r#"{"content": "a", "add_special": 1}"#, "add_special"),
            (r#"{"content": "a", "parse_special": 1}"#, "parse_special"),
            (r#"{"content": "a", "with_pieces": 1}"#, "with_pieces"),
            (r#"{"content": "a", "model": 1}"#, "model"),
            (r#"{"content": "a", "more": 1}"#, "more"),
        ] {
            let error = parse(body).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param));
        }
    }

    #[test]
    fn control_tokens_are_read_unless_told_otherwise() {
        let task = |body: &str| parse(body).expect("good").task;
        let plain = task(r#"{"content": ""}"#);
        assert_eq!((plain.add_special, plain.parse_special), (false, true));
        let other = task(r#"{"content": "a", "add_special": true, "parse_special": false}"#);
        assert_eq!((other.add_special, other.parse_special), (true, false));
    }
}
