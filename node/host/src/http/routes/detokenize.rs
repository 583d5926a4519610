//! `POST /detokenize`, as llama-server has it.

use axum::extract::Request;
use axum::response::Response;
use gaia_protocol::{Input, TokenizeTask};
use serde::Serialize;
use serde_json::{Value, json};

use super::Shared;
use super::tokenize::run;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::inputs::token;
use crate::http::openapi::{Operation, Schema};
use crate::http::{body, json};

/// As many as the longest text that the counterpart takes has.
const TOKENS_MAX: usize = 1 << 18;

/// The route.
pub fn operation() -> Operation {
    let tokens = Schema::list(Schema::integer().least(0)).items(0, TOKENS_MAX);
    let body = Schema::object().needs("tokens", tokens).may("model", Schema::text());
    Operation::post("/v1/detokenize", "detokenize")
        .says("Turns tokens of a model into their text, as llama-server does.")
        .takes(body, json!({"tokens": [1]}))
        .answers(Schema::open().needs("content", Schema::text()))
}

#[derive(Serialize)]
struct Answer {
    content: String,
}

/// Turns tokens into their text.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let (model, tokens) = parse(body::read_fields(&state, request).await?)?;
    let task = TokenizeTask { input: Input::Tokens(tokens), ..TokenizeTask::default() };
    let tokens = run(&state, model.as_deref(), task).await?;
    // Characters may be spread over tokens: the bytes come together first.
    let bytes: Vec<u8> = tokens.into_iter().flat_map(|token| token.bytes).collect();
    Ok(json::ok(&Answer { content: String::from_utf8_lossy(&bytes).into_owned() }))
}

fn parse(mut fields: Fields) -> Result<(Option<String>, Vec<u32>), ApiError> {
    let wrong = || must_be("tokens", &format!("a list of at most {TOKENS_MAX} token ids"));
    let list = fields.list("tokens")?.ok_or_else(|| missing("tokens"))?;
    if list.len() > TOKENS_MAX {
        return Err(wrong());
    }
    let tokens: Result<_, _> =
        list.iter().map(|value: &Value| token(value).ok_or_else(wrong)).collect();
    let model = fields.string("model")?;
    fields.finish(&[])?;
    Ok((model, tokens?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_field_is_named() {
        let long = format!(r#"{{"tokens": {:?}}}"#, vec![1; TOKENS_MAX + 1]);
        for (body, param) in [
            ("{}", "tokens"),
            (r#"{"tokens": "a"}"#, "tokens"),
            (r#"{"tokens": [-1]}"#, "tokens"),
            (r#"{"tokens": ["a"]}"#, "tokens"),
            (long.as_str(), "tokens"),
            (r#"{"tokens": [1], "model": 1}"#, "model"),
            (r#"{"tokens": [1], "more": 1}"#, "more"),
        ] {
            let fields = Fields::parse(body.as_bytes()).expect("an object");
            let error = parse(fields).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param));
        }
    }
}
