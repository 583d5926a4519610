//! A text to continue as a server reads it.

use gaia_core::ServeError;
use gaia_protocol::{CompleteTask, Format};
use serde_json::{Value, json};

use super::chat::no_grammar;
use super::sampling::{Wishes, fields};
use crate::config::UpstreamConfig;

/// The body of a request for a continuation.
///
/// # Errors
/// [`ServeError::Invalid`]: the API has no word for something that is wanted.
pub fn body(config: &UpstreamConfig, task: CompleteTask) -> Result<Value, ServeError> {
    let CompleteTask { prompt, suffix, echo, format, sampling, max_tokens, stop } = task;
    check(&format)?;
    let wishes = Wishes { sampling, max_tokens, stop };
    let mut body = fields(config, &wishes);
    body.remove("max_completion_tokens");
    for (key, value) in [
        ("prompt", Some(json!(prompt))),
        ("suffix", suffix.map(Value::from)),
        ("echo", echo.then_some(true.into())),
        ("max_tokens", wishes.max_tokens.map(Value::from)),
        ("logprobs", wishes.sampling.logprobs.map(Value::from)),
    ] {
        if let Some(value) = value {
            body.insert(key.into(), value);
        }
    }
    Ok(body.into())
}

fn check(format: &Format) -> Result<(), ServeError> {
    match format {
        Format::Text => Ok(()),
        Format::Grammar(_) => Err(no_grammar()),
        Format::JsonObject | Format::JsonSchema(_) => {
            let message = "`response_format` can't be used with this model's /v1/completions: it is \
                           served by another server; use /v1/chat/completions";
            let param = Some("response_format".into());
            Err(ServeError::Invalid { message: message.into(), param })
        }
    }
}
