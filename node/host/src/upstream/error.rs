//! What a failed call means to the sender of the request, who is told no address.

use std::time::Duration;

use gaia_core::ServeError;
use gaia_net::{CallError, TransportError};
use serde_json::Value;

/// When to ask again a server that does not say.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Characters of a server's message that are passed on.
const MESSAGE_CHARS_MAX: usize = 1000;

/// Codes and types by which servers say that a prompt is too long.
const TOO_LONG: &[&str] = &["context_length_exceeded", "exceed_context_size_error"];

/// What an error of a server says, in OpenAI's shape or one of its relatives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    message: Option<String>,
    /// Its code and its type.
    words: Vec<String>,
    param: Option<String>,
}

/// A failed call.
pub fn to_client(error: &CallError) -> ServeError {
    let message = match error {
        CallError::Status { status, excerpt, retry_after, .. } => {
            return status_error(*status, &Said::of_body(excerpt), *retry_after);
        }
        CallError::Transport(TransportError::Connect { .. }) => {
            let reason = "the server behind it can't be reached".into();
            return ServeError::Unavailable { retry_after: RETRY_AFTER, reason };
        }
        CallError::Transport(TransportError::Silent { waited, .. }) => {
            format!("sent nothing for {waited:?}; try again later")
        }
        CallError::Timeout { timeout, .. } => {
            format!("did not answer within {timeout:?}; try again later")
        }
        CallError::Transport(TransportError::Broken { .. }) => {
            "broke the connection; try again".into()
        }
        CallError::TooLarge { bytes_max, .. } => format!("answered more than {bytes_max} bytes"),
        CallError::Encoded { .. } => "answered in an encoding that was not asked for".into(),
        CallError::Unexpected { expected, .. } => {
            format!("answered something else than {expected}; tell this node's operator")
        }
        CallError::Events { source, .. } => format!("sent a stream that can't be read: {source}"),
        CallError::Refused(_)
        | CallError::File { .. }
        | CallError::Transport(TransportError::Setup { .. }) => {
            "can't be called as it is configured; tell this node's operator".into()
        }
    };
    ServeError::Upstream { message }
}

/// An error that came in the middle of a stream. `shown` makes its text fit to be shown.
pub fn in_stream(error: &Value, shown: impl Fn(&str) -> String) -> ServeError {
    let said = Said::of(error);
    let said = Said { message: said.message.map(|message| short(&shown(&message))), ..said };
    let status = error.get("code").and_then(Value::as_u64);
    let has = |word: &str| said.words.iter().any(|found| found == word);
    if status == Some(429) || has("rate_limit_error") || has("rate_limit_exceeded") {
        return status_error(429, &said, None);
    }
    if said.is_too_long() || has("invalid_request_error") {
        return status_error(400, &said, None);
    }
    ServeError::Upstream { message: format!("broke off its answer{}", said.reason()) }
}

fn status_error(status: u16, said: &Said, retry_after: Option<Duration>) -> ServeError {
    let retry_after = retry_after.unwrap_or(RETRY_AFTER);
    let reason = said.reason();
    let param = said.param.clone();
    let message = match status {
        400 | 413 | 422 if said.is_too_long() => {
            let message = format!("the server behind this model finds the prompt too long{reason}");
            return ServeError::PromptTooLong { message, param };
        }
        400 | 413 | 422 => {
            let message = format!("the server behind this model refuses the request{reason}");
            return ServeError::Invalid { message, param };
        }
        429 => {
            let message = said.message.clone().unwrap_or_else(|| "try again later".into());
            return ServeError::UpstreamBusy { retry_after, message };
        }
        503 | 529 => {
            let reason = format!("the server behind it answers {status}");
            return ServeError::Unavailable { retry_after, reason };
        }
        // What it says then may hold a part of the key.
        401 | 403 => "refuses this node's key; tell this node's operator".into(),
        404 | 405 => {
            format!("answers {status}: it lacks the model or this kind of request{reason}")
        }
        _ => format!("answers {status}{reason}"),
    };
    ServeError::Upstream { message }
}

impl Said {
    /// Reads a body; what is no JSON, such as a page of a proxy, says nothing.
    fn of_body(body: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        Self::of(body.get("error").unwrap_or(&body))
    }

    fn of(error: &Value) -> Self {
        let text = |key: &str| error.get(key).and_then(Value::as_str).map(short);
        let message = error.as_str().map(short);
        Self {
            message: message.or_else(|| text("message")).or_else(|| text("detail")),
            words: [text("code"), text("type")].into_iter().flatten().collect(),
            param: text("param"),
        }
    }

    fn is_too_long(&self) -> bool {
        self.words.iter().any(|word| TOO_LONG.contains(&word.as_str()))
    }

    fn reason(&self) -> String {
        self.message.as_ref().map_or_else(String::new, |message| format!(": {message}"))
    }
}

fn short(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(status: u16, excerpt: &str) -> ServeError {
        let (url, excerpt) = ("http://10.0.0.7:8000/v1/x".into(), excerpt.into());
        to_client(&CallError::Status { url, status, excerpt, retry_after: None })
    }

    #[test]
    fn a_status_tells_who_can_do_something_about_it() {
        let long = r#"{"error": {"message": "8193 tokens", "code": "context_length_exceeded"}}"#;
        assert!(matches!(status(400, long), ServeError::PromptTooLong { message, .. }
            if message.ends_with("too long: 8193 tokens")));
        let bad = r#"{"error": {"message": "no top_k", "param": "top_k", "code": null}}"#;
        assert!(matches!(status(422, bad), ServeError::Invalid { message, param: Some(param) }
            if message.ends_with(": no top_k") && param == "top_k"));
        assert!(matches!(status(429, ""), ServeError::UpstreamBusy { .. }));
        assert!(matches!(status(503, ""), ServeError::Unavailable { .. }));
        for (code, words) in [(401, "key"), (404, "lacks the model"), (500, "answers 500")] {
            let error = status(code, "<html>10.0.0.7").to_string();
            assert!(error.contains(words) && !error.contains("10.0.0.7"), "{error}");
        }
        let key = status(401, r#"{"error": {"message": "sk-ab...yz"}}"#).to_string();
        assert!(!key.contains("sk-"), "{key}");
    }

    #[test]
    fn no_failure_tells_an_address() {
        let url = || "http://10.0.0.7/v1".to_owned();
        let (timeout, reason) = (Duration::from_secs(3), String::new);
        for error in [
            CallError::Timeout { url: url(), timeout },
            CallError::TooLarge { url: url(), bytes_max: 1 },
            CallError::Encoded { url: url(), encoding: "gzip".into() },
            CallError::Unexpected { url: url(), expected: "JSON", reason: reason() },
            CallError::Events { url: url(), source: gaia_net::SseError::NotUtf8 },
            TransportError::Connect { url: url(), reason: reason() }.into(),
            TransportError::Silent { url: url(), waited: timeout }.into(),
            TransportError::Broken { url: url(), reason: reason() }.into(),
            gaia_net::Refusal::Downgrade { url: url() }.into(),
        ] {
            let said = to_client(&error).to_string();
            assert!(!said.contains("10.0.0.7"), "{said}");
        }
    }

    #[test]
    fn errors_in_a_stream_are_told_by_what_they_are() {
        let told = |error| in_stream(&error, |text| text.replace("sk-1", "[key]"));
        let busy = told(json!({"message": "slow down", "code": 429}));
        assert!(matches!(busy, ServeError::UpstreamBusy { .. }));
        let long = told(json!({"message": "x", "type": "exceed_context_size_error"}));
        assert!(matches!(long, ServeError::PromptTooLong { .. }));
        let other = told(json!("out of memory, sk-1"));
        assert_eq!(
            other.to_string(),
            "the server behind this model broke off its answer: out of memory, [key]"
        );
        assert!(matches!(told(json!({"x": []})), ServeError::Upstream { .. }));
    }
}
