//! The one place where failures become HTTP: status, OpenAI's error object, headers.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gaia_core::{KnowledgeError, ServeError};
use serde::Serialize;

use super::json;

/// A refusal, as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// What is wrong and what to do.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// A word for programs.
    pub code: Option<&'static str>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

/// OpenAI's error object: `{"error": {…}}`.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

impl ApiError {
    /// A refusal without a code.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, retry_after: None }
    }

    /// A field of the request is wrong.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    /// The same, with a word for programs.
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The same; if no field is named and the prompt is too long, it is this one's fault.
    pub fn blame(mut self, param: &str) -> Self {
        if self.code == Some(CONTEXT_LENGTH_EXCEEDED) && self.param.is_none() {
            self.param = Some(param.to_owned());
        }
        self
    }

    /// The same; if one of these fields is at fault, which the core calls by OpenAI's older names, it
    /// gets the name that the route has for it.
    pub fn rename(mut self, names: &[(&str, &str)]) -> Self {
        let found = names.iter().find(|(old, _)| self.param.as_deref() == Some(old));
        let Some((old, new)) = found else { return self };
        self.param = Some((*new).to_owned());
        let rest = self.message.strip_prefix(old).filter(|rest| rest.starts_with(':'));
        if let Some(rest) = rest {
            self.message = format!("{new}{rest}");
        }
        self
    }

    /// What goes into the body.
    pub fn body(&self) -> ErrorBody<'_> {
        let (message, param) = (self.message.as_str(), self.param.as_deref());
        ErrorBody { error: ErrorFields { message, r#type: self.kind(), param, code: self.code } }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_client_error() => "invalid_request_error",
            _ => "server_error",
        }
    }
}

const CONTEXT_LENGTH_EXCEEDED: &str = "context_length_exceeded";

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        ServeError::from(error).into()
    }
}

impl From<ServeError> for ApiError {
    fn from(error: ServeError) -> Self {
        let (status, code) = class(&error);
        let message = error.to_string();
        let (param, retry_after) = match error {
            ServeError::Invalid { param, .. } | ServeError::PromptTooLong { param, .. } => {
                (param, None)
            }
            ServeError::UnknownModel { .. } | ServeError::WrongKind { .. } => {
                (Some("model".into()), None)
            }
            ServeError::Overloaded { retry_after }
            | ServeError::Unavailable { retry_after, .. }
            | ServeError::UpstreamBusy { retry_after, .. } => (None, Some(retry_after)),
            ServeError::Knowledge(error) => (collection_at_fault(&error), None),
            ServeError::WorkerStopped
            | ServeError::TimeLimit
            | ServeError::Upstream { .. }
            | ServeError::App { .. } => (None, None),
        };
        Self { status, message, param, code, retry_after }
    }
}

fn collection_at_fault(error: &KnowledgeError) -> Option<String> {
    let is_at_fault = matches!(
        error,
        KnowledgeError::UnknownCollection { .. }
            | KnowledgeError::CollectionExists { .. }
            | KnowledgeError::Broken { .. }
    );
    is_at_fault.then(|| "collection".to_owned())
}

fn knowledge_class(error: &KnowledgeError) -> (StatusCode, Option<&'static str>) {
    match error {
        KnowledgeError::Invalid { .. } => (StatusCode::BAD_REQUEST, None),
        KnowledgeError::UnknownCollection { .. } => {
            (StatusCode::NOT_FOUND, Some("collection_not_found"))
        }
        KnowledgeError::CollectionExists { .. } => {
            (StatusCode::CONFLICT, Some("collection_exists"))
        }
        KnowledgeError::Broken { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some("collection_broken"))
        }
        KnowledgeError::Unreadable { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, Some("snapshot_unreadable"))
        }
        KnowledgeError::Overloaded => (StatusCode::TOO_MANY_REQUESTS, Some("overloaded")),
        KnowledgeError::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, Some("disk_full")),
        KnowledgeError::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some("knowledge_unavailable"))
        }
    }
}

fn class(error: &ServeError) -> (StatusCode, Option<&'static str>) {
    match error {
        ServeError::Invalid { .. } => (StatusCode::BAD_REQUEST, None),
        ServeError::PromptTooLong { .. } => {
            (StatusCode::BAD_REQUEST, Some(CONTEXT_LENGTH_EXCEEDED))
        }
        ServeError::UnknownModel { .. } => (StatusCode::NOT_FOUND, Some("model_not_found")),
        ServeError::WrongKind { .. } => (StatusCode::BAD_REQUEST, Some("wrong_model_kind")),
        ServeError::Overloaded { .. } => (StatusCode::TOO_MANY_REQUESTS, Some("overloaded")),
        ServeError::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some("model_unavailable"))
        }
        ServeError::Upstream { .. } => (StatusCode::BAD_GATEWAY, Some("upstream_failed")),
        ServeError::UpstreamBusy { .. } => (StatusCode::TOO_MANY_REQUESTS, Some("upstream_busy")),
        ServeError::Knowledge(error) => knowledge_class(error),
        ServeError::WorkerStopped => (StatusCode::SERVICE_UNAVAILABLE, Some("worker_stopped")),
        ServeError::TimeLimit => (StatusCode::GATEWAY_TIMEOUT, Some("time_limit")),
        ServeError::App { .. } => (StatusCode::INTERNAL_SERVER_ERROR, Some("app_failed")),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json::response(self.status, &self.body());
        if let Some(delay) = self.retry_after {
            let seconds = delay.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For routes that word it otherwise.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(error: ServeError, status: u16, body: &str) {
        let error = ApiError::from(error);
        assert_eq!(error.status.as_u16(), status);
        assert_eq!(serde_json::to_string(&error.body()).expect("strings"), body);
    }

    #[test]
    fn failures_have_openais_shape() {
        golden(
            ServeError::UnknownModel { name: "x".into(), known: vec!["a".into()] },
            404,
            r#"{"error":{"message":"the model `x` does not exist; this node serves: a","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
        );
        golden(
            ServeError::TimeLimit,
            504,
            r#"{"error":{"message":"the answer took longer than this node allows","type":"server_error","param":null,"code":"time_limit"}}"#,
        );
        golden(
            ServeError::Overloaded { retry_after: Duration::from_secs(1) },
            429,
            r#"{"error":{"message":"the node is at its limit of requests; try again shortly","type":"rate_limit_error","param":null,"code":"overloaded"}}"#,
        );
    }

    #[test]
    fn a_moment_to_ask_again_is_at_least_a_second() {
        let retry_after = Duration::from_millis(1);
        let response = ApiError::from(ServeError::Overloaded { retry_after }).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_field_has_the_name_that_the_route_gives_it() {
        let names = [("messages", "input"), ("response_format", "text.format")];
        let renamed = |param: &str, message: &str| {
            let error = ApiError::invalid(param, message).rename(&names);
            (error.param.expect("one is at fault"), error.message)
        };
        let told = |param: &str, message: &str| (param.to_owned(), message.to_owned());
        assert_eq!(
            renamed("response_format", "response_format: x"),
            told("text.format", "text.format: x")
        );
        assert_eq!(renamed("messages", "messages are long"), told("input", "messages are long"));
        assert_eq!(renamed("tools", "tools: x"), told("tools", "tools: x"));
    }

    #[test]
    fn a_prompt_too_long_without_a_field_blames_the_routes() {
        let error = |param| ServeError::PromptTooLong { message: "long".into(), param };
        assert_eq!(ApiError::from(error(None)).blame("input").param.as_deref(), Some("input"));
        let named = ApiError::from(error(Some("messages".into()))).blame("input");
        assert_eq!(named.param.as_deref(), Some("messages"));
        assert_eq!(ApiError::from(ServeError::TimeLimit).blame("input").param, None);
    }
}
