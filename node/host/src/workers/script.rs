//! What a guest says, held against what it may say. A guest is hostile until parsed.

use std::time::Duration;

use gaia_core::ServeError;
use gaia_protocol::{ErrorCode, Event, Outcome};

/// A worker that was too busy has room about this much later.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A guest's words that reach a client; more would only fill screens.
const MESSAGE_CHARS_MAX: usize = 1000;

/// One event of a guest.
///
/// # Errors
/// It is no event, or it says that the guest failed.
pub fn event(body: &[u8]) -> Result<Event, ServeError> {
    let event = serde_json::from_slice(body)
        .map_err(|error| app(&format!("it emitted something that is no event ({error})")))?;
    match event {
        Event::Error { code, message, param } => Err(failure(code, &message, param)),
        event => Ok(event),
    }
}

/// What the end of an instance means to a client that has seen no last event. `None`: nobody
/// waits for an answer any more.
#[must_use]
pub fn end(outcome: Outcome) -> Option<ServeError> {
    Some(match outcome {
        Outcome::Cancelled => return None,
        Outcome::Done => app("it ended without an answer"),
        Outcome::Exit { code } => app(&format!("it exited with code {code}")),
        Outcome::Trap { message } => app(&format!("it trapped ({message})")),
        Outcome::TimeLimit => ServeError::TimeLimit,
        Outcome::InstructionLimit => app("it used up the instructions of one request"),
        Outcome::Overloaded => ServeError::Overloaded { retry_after: RETRY_AFTER },
        Outcome::Draining => ServeError::Unavailable {
            retry_after: RETRY_AFTER,
            reason: "the node is shutting down".into(),
        },
        // The details may name files; they are in the log.
        Outcome::Failed { .. } => app("it could not be run; the node's log says why"),
    })
}

fn failure(code: ErrorCode, message: &str, param: Option<String>) -> ServeError {
    let message = shortened(message);
    match code {
        ErrorCode::InvalidRequest => ServeError::Invalid { message, param },
        ErrorCode::Template => {
            ServeError::Invalid { message, param: param.or(Some("messages".into())) }
        }
        ErrorCode::PromptTooLong => ServeError::PromptTooLong { message, param },
        ErrorCode::Overloaded => ServeError::Overloaded { retry_after: RETRY_AFTER },
        ErrorCode::Internal => ServeError::App { message },
    }
}

fn app(message: &str) -> ServeError {
    ServeError::App { message: shortened(message) }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> ServeError {
        let body = format!(r#"{{"event":"error","code":"{code}","message":"m"}}"#);
        event(body.as_bytes()).expect_err("it is an error")
    }

    #[test]
    fn garbage_is_the_apps_fault() {
        for body in [&b""[..], b"{", b"\xff", b"{\"event\":\"prompt\"}", b"{\"event\":\"dance\"}"] {
            assert!(matches!(event(body), Err(ServeError::App { .. })), "{body:?}");
        }
    }

    #[test]
    fn a_guests_words_are_cut() {
        let body = serde_json::json!({
            "event": "error", "code": "internal", "message": "x".repeat(5000),
        });
        let said = event(body.to_string().as_bytes()).expect_err("an error");
        assert_eq!(said, ServeError::App { message: "x".repeat(MESSAGE_CHARS_MAX) });
    }

    #[test]
    fn each_failure_tells_the_client_what_to_do() {
        assert!(matches!(error("invalid_request"), ServeError::Invalid { param: None, .. }));
        assert!(matches!(error("prompt_too_long"), ServeError::PromptTooLong { .. }));
        assert!(matches!(error("overloaded"), ServeError::Overloaded { .. }));
        assert!(matches!(error("internal"), ServeError::App { .. }));
        let param = Some("messages".to_owned());
        assert_eq!(error("template"), ServeError::Invalid { message: "m".into(), param });
    }

    #[test]
    fn each_end_has_a_meaning() {
        assert_eq!(end(Outcome::Cancelled), None);
        assert_eq!(end(Outcome::TimeLimit), Some(ServeError::TimeLimit));
        assert!(matches!(end(Outcome::Overloaded), Some(ServeError::Overloaded { .. })));
        assert!(matches!(end(Outcome::Draining), Some(ServeError::Unavailable { .. })));
        for outcome in [Outcome::Done, Outcome::Exit { code: 3 }, Outcome::InstructionLimit] {
            assert!(matches!(end(outcome), Some(ServeError::App { .. })));
        }
        let secret = Outcome::Failed { message: "/root/app.wasm".into() };
        assert!(!end(secret).expect("an error").to_string().contains("/root"));
    }
}
