//! What chat and completion requests have in common.

use gaia_protocol::Sampling;
use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, must_be, not_supported};
use super::openapi::Schema;
use super::sampling;

/// OpenAI allows four stop strings; local tools send more.
const STOPS_MAX: usize = 16;

/// Choices that one request may ask for.
pub const CHOICES_MAX: u32 = 16;

/// The shared part of a request for text. `user` is accepted and ignored: it has no meaning here.
#[derive(Debug)]
pub struct Generate {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most.
    pub max_tokens: Option<u32>,
    /// Strings that end the answer.
    pub stop: Vec<String>,
    /// Whether and how to stream.
    pub stream: Option<StreamOptions>,
}

/// How to stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// A last chunk says what the answer took.
    pub include_usage: bool,
}

impl Generate {
    /// Takes the shared fields.
    pub fn take(fields: &mut Fields) -> Result<Self, ApiError> {
        fields.string("user")?;
        Ok(Self {
            model: fields.string("model")?,
            sampling: sampling::take(fields)?,
            max_tokens: take_max_tokens(fields)?,
            stop: take_stop(fields)?,
            stream: take_stream(fields)?,
        })
    }
}

/// Describes the shared fields.
pub fn describe(body: Schema) -> Schema {
    let options = Schema::object()
        .may("include_usage", Schema::flag().says("A last chunk tells what the answer took."))
        .may("include_obfuscation", Schema::flag().says("False, or left out."));
    let stops = Schema::list(Schema::text()).items(0, STOPS_MAX);
    body.may("user", Schema::text().says("It changes nothing."))
        .may(
            "model",
            Schema::text().says("A model of /v1/models; not needed if there is only one."),
        )
        .with(sampling::describe)
        .may("max_tokens", Schema::integer().least(1).says("Tokens to generate at most."))
        .may("max_completion_tokens", Schema::integer().least(1).says("Newer word for max_tokens."))
        .may("stop", Schema::either([Schema::text(), stops]).says("Texts that end the answer."))
        .may("stream", Schema::flag().says("Answer in server-sent events."))
        .may("stream_options", options)
}

fn take_max_tokens(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let old = fields.count("max_tokens")?;
    let new = fields.count("max_completion_tokens")?;
    if old.is_some() && new.is_some() && old != new {
        let message = "`max_tokens` and `max_completion_tokens` differ; give one of them";
        return Err(ApiError::invalid("max_tokens", message));
    }
    Ok(new.or(old))
}

fn take_stop(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let wrong = || {
        must_be("stop", &format!("a string or a list of at most {STOPS_MAX} strings, none empty"))
    };
    let list = match fields.take("stop") {
        None => return Ok(vec![]),
        Some(Value::Array(list)) if list.len() <= STOPS_MAX => list,
        Some(Value::Array(_)) => return Err(wrong()),
        Some(one) => vec![one],
    };
    let text = |value| match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(wrong()),
    };
    list.into_iter().map(text).collect()
}

fn take_stream(fields: &mut Fields) -> Result<Option<StreamOptions>, ApiError> {
    let stream = fields.flag("stream")?;
    let Some(options) = fields.take("stream_options") else {
        return Ok(stream.then(StreamOptions::default));
    };
    if !stream {
        let message = "`stream_options` is only allowed with `stream` = true";
        return Err(ApiError::invalid("stream_options", message));
    }
    let mut options = fields.nested("stream_options", options)?;
    let include_usage = options.flag("include_usage")?;
    // Padding against traffic analysis; asking for none asks nothing.
    if options.flag("include_obfuscation")? {
        return Err(not_supported("stream_options.include_obfuscation"));
    }
    options.finish(&[])?;
    Ok(Some(StreamOptions { include_usage }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(json: &str) -> Result<Generate, ApiError> {
        Generate::take(&mut Fields::parse(json.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (json, param) in [
            (r#"{"model": 7}"#, "model"),
            (r#"{"user": 7}"#, "user"),
            (r#"{"temperature": 3}"#, "temperature"),
            (r#"{"max_tokens": 0}"#, "max_tokens"),
            (r#"{"max_completion_tokens": -1}"#, "max_completion_tokens"),
            (r#"{"max_tokens": 1, "max_completion_tokens": 2}"#, "max_tokens"),
            (r#"{"stop": 7}"#, "stop"),
            (r#"{"stop": ""}"#, "stop"),
            (r#"{"stop": ["a", ""]}"#, "stop"),
            (
                r#"{"stop": ["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"]}"#,
                "stop",
            ),
            (r#"{"stream": "yes"}"#, "stream"),
            (r#"{"stream_options": {"include_usage": true}}"#, "stream_options"),
            (r#"{"stream": true, "stream_options": 7}"#, "stream_options"),
            (
                r#"{"stream": true, "stream_options": {"include_usage": 7}}"#,
                "stream_options.include_usage",
            ),
            (r#"{"stream": true, "stream_options": {"more": 7}}"#, "stream_options.more"),
        ] {
            let error = take(json).expect_err(json);
            assert_eq!(error.param.as_deref(), Some(param), "{json}");
        }
    }

    #[test]
    fn good_fields_are_taken() {
        let taken = take(
            r#"{"model": "m", "temperature": 0, "top_p": 1, "seed": -1, "max_tokens": 5,
            "max_completion_tokens": 5, "stop": "x", "stream": true,
            "stream_options": {"include_usage": true}}"#,
        )
        .expect("good");
        assert_eq!(taken.model.as_deref(), Some("m"));
        assert_eq!(taken.max_tokens, Some(5));
        assert_eq!(taken.stop, ["x"]);
        assert_eq!(taken.stream, Some(StreamOptions { include_usage: true }));
        assert_eq!(taken.sampling.seed, Some(0));
        assert_eq!(take("{}").expect("good").stream, None);
    }
}
