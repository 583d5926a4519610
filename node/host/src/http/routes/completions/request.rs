//! What a completion request may say.

use gaia_protocol::{CompleteTask, Input};
use serde_json::{Map, Value};

use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be};
use crate::http::generate::{Generate, StreamOptions};

/// OpenAI's fields that this node does not honour, with the value that asks nothing of it.
const UNSUPPORTED: &[Unsupported] = &[
    ("best_of", |value| *value == 1),
    ("echo", |value| *value == false),
    ("frequency_penalty", |value| value.as_f64() == Some(0.0)),
    ("logit_bias", |value| value.as_object().is_some_and(Map::is_empty)),
    ("logprobs", |_| false),
    ("n", |value| *value == 1),
    ("presence_penalty", |value| value.as_f64() == Some(0.0)),
    ("suffix", |value| value == ""),
];

/// A valid request.
#[derive(Debug)]
pub struct CompletionRequest {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// The work.
    pub task: CompleteTask,
    /// Whether and how to stream.
    pub stream: Option<StreamOptions>,
}

impl CompletionRequest {
    /// Checks every field.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let prompt = prompt(fields.required("prompt")?)?;
        let Generate { model, sampling, max_tokens, stop, stream } = Generate::take(&mut fields)?;
        fields.finish(UNSUPPORTED)?;
        let prompt = Input::Text(prompt);
        let task = CompleteTask { prompt, sampling, max_tokens, stop, ..CompleteTask::default() };
        Ok(Self { model, task, stream })
    }
}

/// A text, alone or as the only one of a list.
fn prompt(value: Value) -> Result<String, ApiError> {
    let one = match value {
        Value::Array(mut list) if list.len() == 1 => list.remove(0),
        other => other,
    };
    match one {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(must_be("prompt", "a string that is not empty: this node continues one text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<CompletionRequest, ApiError> {
        CompletionRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn wrong_prompts_and_unsupported_fields_are_named() {
        for (body, param) in [
            ("{}", "prompt"),
            (r#"{"prompt": ""}"#, "prompt"),
            (r#"{"prompt": []}"#, "prompt"),
            (r#"{"prompt": ["a", "b"]}"#, "prompt"),
            (r#"{"prompt": [1, 2]}"#, "prompt"),
            (r#"{"prompt": "a", "best_of": 2}"#, "best_of"),
            (r#"{"prompt": "a", "echo": true}"#, "echo"),
            (r#"{"prompt": "a", "suffix": "b"}"#, "suffix"),
            (r#"{"prompt": "a", "logprobs": 1}"#, "logprobs"),
            (r#"{"prompt": "a", "messages": []}"#, "messages"),
            (r#"{"prompt": "a", "temperature": 3}"#, "temperature"),
        ] {
            let error = parse(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn a_prompt_may_stand_in_a_list_of_one() {
        let body = r#"{"prompt": ["a"], "best_of": 1, "echo": false, "n": 1, "suffix": null}"#;
        assert_eq!(parse(body).expect("good").task.prompt, Input::from("a"));
    }
}
