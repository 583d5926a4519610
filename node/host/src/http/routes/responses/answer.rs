//! The whole answer, as OpenAI's clients read it.

use axum::http::StatusCode;
use gaia_core::ServeError;
use gaia_protocol::{FinishReason, Usage};
use schemars::JsonSchema;
use serde::Serialize;

use super::item::Item;
use super::output::Output;
use super::settings::Settings;
use crate::http::error::ApiError;
use crate::http::ids::now_s;
use crate::http::knowledge::{WireCitation, citations};

/// What is known of an answer before it begins.
#[derive(Debug)]
pub struct Head {
    /// `resp_…`
    pub id: String,
    /// When it was asked for, in seconds since 1970.
    pub created_at: u64,
    /// Who answers.
    pub model: String,
    /// What was asked.
    pub settings: Settings,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug)]
pub enum State<'a> {
    /// It is being made.
    InProgress,
    /// It has ended as its output says.
    Ended,
    /// It can't be ended.
    Failed(&'a ServeError),
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Response")]
pub struct Answer<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    completed_at: Option<u64>,
    status: &'static str,
    error: Option<Failure>,
    incomplete_details: Option<Incomplete>,
    model: &'a str,
    output: &'a [Item],
    #[serde(flatten)]
    settings: &'a Settings,
    usage: Option<WireUsage>,
    /// This node's own: what the answer may rest on, if a knowledge base was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Vec<WireCitation>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseFailure")]
struct Failure {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseIncomplete")]
struct Incomplete {
    reason: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseUsage")]
struct WireUsage {
    input_tokens: u32,
    input_tokens_details: InputDetails,
    output_tokens: u32,
    output_tokens_details: OutputDetails,
    total_tokens: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseInputDetails")]
struct InputDetails {
    cached_tokens: u32,
    /// OpenAI's price for filling its cache; nothing is charged here.
    cache_write_tokens: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResponseOutputDetails")]
struct OutputDetails {
    reasoning_tokens: u32,
}

impl Head {
    /// The answer as it is now.
    pub fn answer<'a>(&'a self, output: &'a Output, state: State<'_>) -> Answer<'a> {
        let (status, error) = match (state, output.end()) {
            (State::Failed(error), _) => ("failed", Some(Failure::of(error))),
            (State::Ended, Some((FinishReason::Length, _))) => ("incomplete", None),
            (State::Ended, _) => ("completed", None),
            (State::InProgress, _) => ("in_progress", None),
        };
        let incomplete =
            (status == "incomplete").then_some(Incomplete { reason: "max_output_tokens" });
        Answer {
            id: &self.id,
            object: "response",
            created_at: self.created_at,
            completed_at: (status == "completed").then(now_s),
            status,
            error,
            incomplete_details: incomplete,
            model: &self.model,
            output: output.items(),
            settings: &self.settings,
            usage: output.end().map(|(_, usage)| usage.into()),
            citations: citations(output.sources()),
        }
    }
}

impl Answer<'_> {
    /// `completed`, `incomplete`, `failed` or `in_progress`.
    pub fn status(&self) -> &'static str {
        self.status
    }
}

impl Failure {
    fn of(error: &ServeError) -> Self {
        let error = ApiError::from(error.clone());
        let code = match error.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
            status if status.is_client_error() => "invalid_prompt",
            _ => "server_error",
        };
        Self { code, message: error.message }
    }
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens } = usage;
        Self {
            input_tokens: prompt_tokens,
            input_tokens_details: InputDetails { cached_tokens, cache_write_tokens: 0 },
            output_tokens: completion_tokens,
            output_tokens_details: OutputDetails { reasoning_tokens },
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        }
    }
}
