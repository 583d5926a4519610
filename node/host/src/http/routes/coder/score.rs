//! `POST /v1/score`: the compiler as a reward. Candidates are compiled, linted and tested; each gets a
//! number and its parts, in the order in which they came.

use axum::extract::Request;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use gaia_core::build::Files;
use gaia_core::coder::{CoderError, Score, Scored, Weights};
use gaia_core::{Builder, ServeError};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::super::Shared;
use crate::compile::OwnersBuilder;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::routes::compile::service;
use crate::http::routes::compile::source::{Source, texts};
use crate::http::{auth, body, json};

/// Candidates of one request: with two jobs each, two at once, they are minutes of work.
pub const CANDIDATES_MAX: usize = 64;

/// Candidates that are in the line of jobs at once: a request leaves room in it for others of its key.
const AT_ONCE: usize = 4;

/// Scores candidates. What is wrong with one is told with it and leaves the others alone.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let service = service(&state)?;
    let owner = auth::owner(&request);
    let Batch { sources, tests, weights } =
        Batch::parse(body::read_fields(&state, request).await?)?;
    let deadline = Instant::now() + state.request_timeout;
    let one = |source: Source| async {
        let work = async {
            let project = source.read().await?;
            let project = project.map_err(|error| {
                ApiError::invalid("files", error.to_string()).with_code("refused")
            })?;
            let (builder, mut files) =
                OwnersBuilder::of_project(service.clone(), owner.clone(), &project);
            files.extend(tests.clone());
            score(&builder, Score { files, weights }).await
        };
        let done = timeout_at(deadline, work).await;
        done.unwrap_or_else(|_| Err(ServeError::TimeLimit.into()))
    };
    let results = stream::iter(sources.into_iter().map(one)).buffered(AT_ONCE);
    let results: Vec<_> = results.enumerate().map(wire).collect().await;
    Ok(json::ok(&json!({"object": "scores", "weights": weights, "results": results})))
}

async fn score(builder: &dyn Builder, request: Score) -> Result<Scored, ApiError> {
    gaia_core::coder::score(builder, request).await.map_err(|error: CoderError| error.into())
}

/// Nothing is known of a candidate whose score is null.
fn wire((index, result): (usize, Result<Scored, ApiError>)) -> Value {
    let mut value = match &result {
        Ok(scored) => json!(scored),
        // A project that breaks a rule is as bad as one that does not compile.
        Err(error) if error.code == Some("refused") => {
            json!({"score": 0.0, "verdict": "refused", "notes": [error.message]})
        }
        Err(error) => json!({"score": null, "error": json!(error.body())["error"]}),
    };
    value["index"] = json!(index);
    value
}

/// A valid request.
struct Batch {
    sources: Vec<Source>,
    /// Files that each candidate gets in place of its own.
    tests: Files,
    weights: Weights,
}

impl Batch {
    fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let list = fields.list("candidates")?.ok_or_else(|| missing("candidates"))?;
        if list.is_empty() || list.len() > CANDIDATES_MAX {
            return Err(must_be("candidates", &format!("a list of 1 to {CANDIDATES_MAX}")));
        }
        let sources = list.into_iter().enumerate().map(|place| candidate(&fields, place));
        let sources = sources.collect::<Result<_, _>>()?;
        let tests = match fields.take("tests") {
            Some(tests) => texts("tests", tests)?,
            None => vec![],
        };
        let weights = weights(&mut fields)?;
        fields.finish(&[])?;
        Ok(Self { sources, tests: tests.into_iter().collect(), weights })
    }
}

fn candidate(fields: &Fields, (place, value): (usize, Value)) -> Result<Source, ApiError> {
    let mut one = fields.nested(&format!("candidates[{place}]"), value)?;
    let source = Source::take(&mut one)?;
    one.finish(&[])?;
    Ok(source)
}

/// As it was written: an f32 has six digits.
fn decimal(weight: f32) -> f64 {
    (f64::from(weight) * 1e6).round() / 1e6
}

fn weights(fields: &mut Fields) -> Result<Weights, ApiError> {
    let default = Weights::default();
    let Some(mut given) = fields.object("weights")? else { return Ok(default) };
    let mut weight = |name: &str| {
        let weight = given.number(name, "from 0 to 1000", |x| (0.0..=1000.0).contains(&x));
        weight.map(|weight| weight.map_or(0.0, decimal))
    };
    let weights = Weights {
        compiles: weight("compiles")?,
        warnings: weight("warnings")?,
        clippy: weight("clippy")?,
        tests: weight("tests")?,
    };
    given.finish(&[])?;
    if weights.compiles + weights.warnings + weights.clippy + weights.tests <= 0.0 {
        return Err(must_be("weights", "an object in which at least one part is above 0"));
    }
    Ok(weights)
}
