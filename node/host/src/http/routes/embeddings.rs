//! `POST /v1/embeddings`.

use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gaia_core::{Embeddings, ServeError};
use gaia_protocol::{EmbedTask, Input};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use tracing::Span;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be};
use crate::http::{body, json};

/// As many as OpenAI takes.
const INPUTS_MAX: usize = 2048;

/// OpenAI's field that this node does not honour.
const UNSUPPORTED: &[Unsupported] = &[("dimensions", |_| false)];

/// Turns texts into vectors.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = EmbedRequest::parse(body::read_fields(&state, request).await?)?;
    let work = gaia_core::embed(&state.node, request.model.as_deref(), request.task);
    let done = timeout(state.request_timeout, work).await.unwrap_or(Err(ServeError::TimeLimit));
    let embeddings = done.map_err(|error| ApiError::from(error).blame("input"))?;
    let span = Span::current();
    span.record("model", &embeddings.model);
    span.record("prompt_tokens", embeddings.usage.prompt_tokens);
    Ok(json::ok(&answer(&embeddings, request.encoding)))
}

struct EmbedRequest {
    model: Option<String>,
    task: EmbedTask,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

impl EmbedRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let inputs = inputs(fields.required("input")?)?.into_iter().map(Input::Text).collect();
        let encoding = match fields.string("encoding_format")?.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => return Err(must_be("encoding_format", "\"float\" or \"base64\"")),
        };
        let model = fields.string("model")?;
        fields.string("user")?;
        fields.finish(UNSUPPORTED)?;
        Ok(Self { model, task: EmbedTask { inputs }, encoding })
    }
}

fn inputs(value: Value) -> Result<Vec<String>, ApiError> {
    let wrong = || {
        let what = format!("a string or a list of 1 to {INPUTS_MAX} strings, none of them empty");
        must_be("input", &what)
    };
    let list = match value {
        Value::Array(list) if (1..=INPUTS_MAX).contains(&list.len()) => list,
        Value::Array(_) => return Err(wrong()),
        one => vec![one],
    };
    let text = |value| match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(wrong()),
    };
    list.into_iter().map(text).collect()
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Row<'a>>,
    model: &'a str,
    usage: EmbedUsage,
}

#[derive(Serialize)]
struct Row<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct EmbedUsage {
    prompt_tokens: u32,
    total_tokens: u32,
}

fn answer(embeddings: &Embeddings, encoding: Encoding) -> Answer<'_> {
    let rows = embeddings.vectors.iter().enumerate();
    let data = rows.map(|(index, vector)| {
        let embedding = match encoding {
            Encoding::Float => Vector::Float(vector),
            Encoding::Base64 => Vector::Base64(base64(vector)),
        };
        Row { object: "embedding", index, embedding }
    });
    let prompt_tokens = embeddings.usage.prompt_tokens;
    let usage = EmbedUsage { prompt_tokens, total_tokens: prompt_tokens };
    Answer { object: "list", data: data.collect(), model: &embeddings.model, usage }
}

/// Little-endian floats, as OpenAI's clients unpack them.
fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use gaia_protocol::Usage;

    use super::*;

    fn parse(body: &str) -> Result<EmbedRequest, ApiError> {
        EmbedRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let many = format!(r#"{{"input": {:?}}}"#, vec!["a"; 2049]);
        for (body, param) in [
            ("{}", "input"),
            (r#"{"input": ""}"#, "input"),
            (r#"{"input": []}"#, "input"),
            (r#"{"input": ["a", ""]}"#, "input"),
            (r#"{"input": [[1]]}"#, "input"),
            (r#"{"input": 7}"#, "input"),
            (many.as_str(), "input"),
            (r#"{"input": "a", "encoding_format": "hex"}"#, "encoding_format"),
            (r#"{"input": "a", "dimensions": 2}"#, "dimensions"),
            (r#"{"input": "a", "model": 7}"#, "model"),
            (r#"{"input": "a", "more": 7}"#, "more"),
        ] {
            let error = parse(body).err().expect(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn vectors_have_openais_shape() {
        let usage = Usage { prompt_tokens: 3, completion_tokens: 0, ..Usage::default() };
        let embeddings = Embeddings { model: "e".into(), vectors: vec![vec![1.0, -0.5]], usage };
        let text = |encoding| serde_json::to_string(&answer(&embeddings, encoding)).expect("JSON");
        let golden = |vector: &str| {
            format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{vector}}}],"model":"e","usage":{{"prompt_tokens":3,"total_tokens":3}}}}"#
            )
        };
        assert_eq!(text(Encoding::Float), golden("[1.0,-0.5]"));
        assert_eq!(text(Encoding::Base64), golden(r#""AACAPwAAAL8=""#));
    }
}
