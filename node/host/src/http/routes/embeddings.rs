//! `POST /v1/embeddings`.

use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gaia_core::{Embeddings, ServeError};
use gaia_protocol::EmbedTask;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use tracing::Span;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::openapi::{Operation, Schema};
use crate::http::{body, inputs, json};

/// As many as OpenAI takes.
const INPUTS_MAX: usize = 2048;

/// More than any model has; the model's own limit is told when its vectors are there.
const DIMENSIONS_MAX: u32 = 65_536;

/// The route.
pub fn operation() -> Operation {
    let body = Schema::object()
        .needs("input", inputs::schema(INPUTS_MAX))
        .may("model", Schema::text().says("An embedding model; not needed if there is only one."))
        .may("encoding_format", Schema::words(&["float", "base64"]).default("float"))
        .may(
            "dimensions",
            Schema::integer().within(1, DIMENSIONS_MAX).says("Numbers of each vector."),
        )
        .may("user", Schema::text().says("It changes nothing."));
    Operation::post("/v1/embeddings", "embeddings")
        .says("Turns texts into vectors, as OpenAI's embeddings do.")
        .takes(body, json!({"input": "Hello"}))
        .answers_with::<Answer<'static>>()
}

/// Turns texts into vectors.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = EmbedRequest::parse(body::read_fields(&state, request).await?)?;
    let work = gaia_core::embed(&state.node, request.model.as_deref(), request.task);
    let done = timeout(state.request_timeout, work).await.unwrap_or(Err(ServeError::TimeLimit));
    let embeddings = done.map_err(|error| ApiError::from(error).blame("input"))?;
    let embeddings = match request.dimensions {
        Some(dimensions) => embeddings.cut(dimensions as usize)?,
        None => embeddings,
    };
    let span = Span::current();
    span.record("model", &embeddings.model);
    span.record("prompt_tokens", embeddings.usage.prompt_tokens);
    Ok(json::ok(&answer(&embeddings, request.encoding)))
}

#[derive(Debug)]
struct EmbedRequest {
    model: Option<String>,
    task: EmbedTask,
    /// Numbers that are wanted of each vector; `None`: all.
    dimensions: Option<u32>,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

impl EmbedRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let inputs = inputs::parse("input", fields.required("input")?, INPUTS_MAX)?;
        let encoding = match fields.word("encoding_format", &["float", "base64"])? {
            Some("base64") => Encoding::Base64,
            _ => Encoding::Float,
        };
        let dimensions = fields.integer("dimensions", 1..=DIMENSIONS_MAX)?;
        let model = fields.string("model")?;
        fields.string("user")?;
        fields.finish(&[])?;
        Ok(Self { model, task: EmbedTask { inputs }, dimensions, encoding })
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Embeddings")]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Row<'a>>,
    model: &'a str,
    usage: EmbedUsage,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Embedding")]
struct Row<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "EmbeddingVector")]
enum Vector<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InputUsage")]
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
    use gaia_protocol::{Input, Usage};

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
            (r#"{"input": [[1], "a"]}"#, "input"),
            (r#"{"input": 7}"#, "input"),
            (many.as_str(), "input"),
            (r#"{"input": "a", "encoding_format": "hex"}"#, "encoding_format"),
            (r#"{"input": "a", "dimensions": 0}"#, "dimensions"),
            (r#"{"input": "a", "model": 7}"#, "model"),
            (r#"{"input": "a", "more": 7}"#, "more"),
        ] {
            let error = parse(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn tokens_and_dimensions_are_taken() {
        let body = r#"{"input": [[1, 2], [3]], "dimensions": 2, "user": "me"}"#;
        let request = parse(body).expect("good");
        let inputs = vec![Input::Tokens(vec![1, 2]), Input::Tokens(vec![3])];
        assert_eq!((request.task.inputs, request.dimensions), (inputs, Some(2)));
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
