//! `POST /v1/rerank`, in the shape that Jina's and Cohere's clients know.

use axum::extract::Request;
use axum::response::Response;
use gaia_core::{Ranking, ServeError};
use gaia_protocol::RankTask;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::Span;

use super::Shared;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::openapi::{Operation, Schema};
use crate::http::{body, json};

/// With the query, as many texts as one request for vectors takes.
const DOCUMENTS_MAX: usize = 2047;

const MODEL: &str = "A reranker or an embedding model; not needed if there is only one reranker, or \
                     none and only one embedding model.";

const TRUNCATE: &str =
    "Read as much of a document as the reranker's context holds, instead of refusing it.";

const ABOUT: &str = "Sorts documents by how well they answer a query, as Jina's and Cohere's API do. A \
                     reranker's score goes from 0 to 1; an embedding model's is a cosine, from -1 to 1.";

/// The route.
pub fn operation() -> Operation {
    let document =
        Schema::either([Schema::filled(), Schema::object().needs("text", Schema::filled())]);
    let body = Schema::object()
        .may("model", Schema::text().says(MODEL))
        .needs("query", Schema::filled())
        .needs("documents", Schema::list(document).items(1, DOCUMENTS_MAX))
        .may("truncate", Schema::flag().says(TRUNCATE))
        .may("top_n", Schema::integer().least(1).says("How many of the best are wanted."))
        .may("return_documents", Schema::flag().says("Repeat the documents in the answer."));
    Operation::post("/v1/rerank", "rerank")
        .says(ABOUT)
        .takes(body, json!({"query": "a", "documents": ["b"]}))
        .answers_with::<Answer<'static>>()
}

/// Sorts documents by how well they answer a query.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let request = RerankRequest::parse(body::read_fields(&state, request).await?)?;
    let work = gaia_core::rerank(&state.node, request.model.as_deref(), request.task.clone());
    let done = timeout(state.request_timeout, work).await.unwrap_or(Err(ServeError::TimeLimit));
    let ranking = done.map_err(|error| ApiError::from(error).blame("documents"))?;
    let span = Span::current();
    span.record("model", &ranking.model);
    span.record("prompt_tokens", ranking.usage.prompt_tokens);
    Ok(json::ok(&request.answer(&ranking)))
}

#[derive(Debug)]
struct RerankRequest {
    model: Option<String>,
    task: RankTask,
    /// How many of the best are wanted; `None`: all.
    top: Option<u32>,
    /// The answer repeats the documents.
    with_documents: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ranking")]
struct Answer<'a> {
    model: &'a str,
    object: &'static str,
    usage: WireUsage,
    results: Vec<Place<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RankingUsage")]
struct WireUsage {
    prompt_tokens: u32,
    total_tokens: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RankedDocument")]
struct Place<'a> {
    index: usize,
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Document<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DocumentText")]
struct Document<'a> {
    text: &'a str,
}

impl RerankRequest {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let model = fields.string("model")?;
        let query = fields.string("query")?.ok_or_else(|| missing("query"))?;
        let documents = take_documents(&mut fields)?;
        let top = fields.count("top_n")?;
        let with_documents = fields.flag("return_documents")?;
        let truncate = fields.flag("truncate")?;
        fields.finish(&[])?;
        let task = RankTask { query, documents, truncate };
        Ok(Self { model, task, top, with_documents })
    }

    fn answer<'a>(&'a self, ranking: &'a Ranking) -> Answer<'a> {
        let top = self.top.map_or(usize::MAX, |top| top as usize);
        let results = ranking.places.iter().take(top).map(|(index, score)| Place {
            index: *index,
            relevance_score: *score,
            document: self.with_documents.then(|| Document { text: &self.task.documents[*index] }),
        });
        let prompt_tokens = ranking.usage.prompt_tokens;
        Answer {
            model: &ranking.model,
            object: "list",
            usage: WireUsage { prompt_tokens, total_tokens: prompt_tokens },
            results: results.collect(),
        }
    }
}

fn take_documents(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let list = fields.list("documents")?.ok_or_else(|| missing("documents"))?;
    if !(1..=DOCUMENTS_MAX).contains(&list.len()) {
        let what = format!("a list of 1 to {DOCUMENTS_MAX} texts");
        return Err(must_be("documents", &what));
    }
    let document = |(index, value)| document(fields, &format!("documents[{index}]"), value);
    list.into_iter().enumerate().map(document).collect()
}

/// A text, or an object with one.
fn document(fields: &Fields, place: &str, value: Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Object(_) => {
            let mut fields = fields.nested(place, value)?;
            let text = fields.string("text")?.ok_or_else(|| missing(&fields.at("text")))?;
            fields.finish(&[])?;
            Ok(text)
        }
        _ => Err(must_be(place, "a string or an object with `text`")),
    }
}

#[cfg(test)]
mod tests {
    use gaia_protocol::Usage;

    use super::*;

    fn parse(body: &str) -> Result<RerankRequest, ApiError> {
        RerankRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let many = format!(r#"{{"query": "q", "documents": {:?}}}"#, vec!["a"; DOCUMENTS_MAX + 1]);
        for (body, param) in [
            (r#"{"documents": ["a"]}"#, "query"),
            (r#"{"query": 7, "documents": ["a"]}"#, "query"),
            (r#"{"query": "q"}"#, "documents"),
            (r#"{"query": "q", "documents": []}"#, "documents"),
            (r#"{"query": "q", "documents": "a"}"#, "documents"),
            (many.as_str(), "documents"),
            (r#"{"query": "q", "documents": ["a", 7]}"#, "documents[1]"),
            (r#"{"query": "q", "documents": [{}]}"#, "documents[0].text"),
            (r#"{"query": "q", "documents": [{"text": "a", "b": 1}]}"#, "documents[0].b"),
            (r#"{"query": "q", "documents": ["a"], "top_n": 0}"#, "top_n"),
            (r#"{"query": "q", "documents": ["a"], "return_documents": 1}"#, "return_documents"),
            (r#"{"query": "q", "documents": ["a"], "truncate": "yes"}"#, "truncate"),
            (r#"{"query": "q", "documents": ["a"], "more": 1}"#, "more"),
        ] {
            let error = parse(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn the_best_come_first_with_their_documents_if_wanted() {
        let body = r#"{"query": "q", "documents": ["a", {"text": "b"}, "c"], "top_n": 2"#;
        let usage = Usage { prompt_tokens: 9, ..Usage::default() };
        let places = vec![(1, 0.5), (2, 0.25), (0, -1.0)];
        let ranking = Ranking { model: "e".into(), places, usage };
        let json = |body: String| {
            let request = parse(&body).expect("good");
            serde_json::to_string(&request.answer(&ranking)).expect("JSON")
        };
        let head = r#"{"model":"e","object":"list","usage":{"prompt_tokens":9,"total_tokens":9},"results":"#;
        let bare = r#"[{"index":1,"relevance_score":0.5},{"index":2,"relevance_score":0.25}]}"#;
        assert_eq!(json(format!("{body}}}")), format!("{head}{bare}"));
        let full = r#"[{"index":1,"relevance_score":0.5,"document":{"text":"b"}},{"index":2,"relevance_score":0.25,"document":{"text":"c"}}]}"#;
        assert_eq!(json(format!(r#"{body}, "return_documents": true}}"#)), format!("{head}{full}"));
    }
}
