//! What chat and completion requests have in common.

use gaia_protocol::Sampling;
use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, must_be};

/// OpenAI allows four stop strings; local tools send more.
const STOPS_MAX: usize = 16;

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
            sampling: take_sampling(fields)?,
            max_tokens: take_max_tokens(fields)?,
            stop: take_stop(fields)?,
            stream: take_stream(fields)?,
        })
    }
}

fn take_sampling(fields: &mut Fields) -> Result<Sampling, ApiError> {
    Ok(Sampling {
        temperature: fields.number("temperature", "from 0 to 2", |x| (0.0..=2.0).contains(&x))?,
        top_p: fields.number("top_p", "above 0, at most 1", |x| x > 0.0 && x <= 1.0)?,
        seed: take_seed(fields)?,
        ..Sampling::default()
    })
}

/// OpenAI's seeds have 64 bits, the engine's 32: both halves count.
fn take_seed(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let Some(value) = fields.take("seed") else { return Ok(None) };
    let bits = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    let bits = bits.ok_or_else(|| must_be("seed", "an integer of 64 bits"))?;
    #[expect(clippy::cast_possible_truncation, reason = "the halves are taken on purpose")]
    Ok(Some(bits as u32 ^ (bits >> 32) as u32))
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
    let Value::Object(options) = options else {
        return Err(must_be("stream_options", "an object"));
    };
    let mut include_usage = false;
    for (name, value) in options {
        let param = format!("stream_options.{name}");
        match (name.as_str(), value) {
            ("include_usage", Value::Bool(flag)) => include_usage = flag,
            // Padding against traffic analysis; asking for none asks nothing.
            ("include_usage", Value::Null)
            | ("include_obfuscation", Value::Bool(false) | Value::Null) => {}
            ("include_usage", _) => return Err(must_be(&param, "true or false")),
            ("include_obfuscation", _) => {
                let message = format!("this node does not support `{param}`; leave it out");
                return Err(ApiError::invalid(&param, message).with_code("unsupported_parameter"));
            }
            _ => {
                let message = format!("`{param}` is not a parameter of this route");
                return Err(ApiError::invalid(&param, message).with_code("unknown_parameter"));
            }
        }
    }
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
            (r#"{"temperature": "warm"}"#, "temperature"),
            (r#"{"temperature": 2.1}"#, "temperature"),
            (r#"{"temperature": -0.1}"#, "temperature"),
            (r#"{"top_p": 0}"#, "top_p"),
            (r#"{"top_p": 1.1}"#, "top_p"),
            (r#"{"seed": 1.5}"#, "seed"),
            (r#"{"seed": "1"}"#, "seed"),
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
        assert_eq!(take(r#"{"seed": 7, "stop": []}"#).expect("good").sampling.seed, Some(7));
        assert_eq!(take("{}").expect("good").stream, None);
    }
}
