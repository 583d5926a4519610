//! What a chat request may say.

use gaia_protocol::{ChatTask, Message, Role};
use serde_json::{Map, Value};

use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be};
use crate::http::generate::{Generate, StreamOptions};

const MESSAGES_MAX: usize = 4096;

/// OpenAI's fields that this node does not honour, with the value that asks nothing of it.
const UNSUPPORTED: &[Unsupported] = &[
    ("audio", |_| false),
    ("frequency_penalty", |value| value.as_f64() == Some(0.0)),
    ("function_call", |value| value == "none"),
    ("functions", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("logit_bias", |value| value.as_object().is_some_and(Map::is_empty)),
    ("logprobs", |value| *value == false),
    ("metadata", |value| value.as_object().is_some_and(Map::is_empty)),
    ("modalities", |value| value.as_array().is_some_and(|list| *list == ["text"])),
    ("n", |value| *value == 1),
    ("parallel_tool_calls", |_| false),
    ("prediction", |_| false),
    ("presence_penalty", |value| value.as_f64() == Some(0.0)),
    ("prompt_cache_key", |_| false),
    ("reasoning_effort", |_| false),
    ("response_format", |value| value["type"] == "text"),
    ("safety_identifier", |_| false),
    ("service_tier", |value| value == "auto" || value == "default"),
    ("store", |value| *value == false),
    ("tool_choice", |value| value == "none"),
    ("tools", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("top_logprobs", |value| *value == 0),
    ("verbosity", |_| false),
    ("web_search_options", |_| false),
];

/// A valid request.
#[derive(Debug)]
pub struct ChatRequest {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// The work.
    pub task: ChatTask,
    /// Whether and how to stream.
    pub stream: Option<StreamOptions>,
}

impl ChatRequest {
    /// Checks every field.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let messages = messages(fields.required("messages")?)?;
        let Generate { model, sampling, max_tokens, stop, stream } = Generate::take(&mut fields)?;
        fields.finish(UNSUPPORTED)?;
        let task = ChatTask { messages, sampling, max_tokens, stop, ..ChatTask::default() };
        Ok(Self { model, task, stream })
    }
}

fn messages(value: Value) -> Result<Vec<Message>, ApiError> {
    match value {
        Value::Array(list) if (1..=MESSAGES_MAX).contains(&list.len()) => {
            list.into_iter().enumerate().map(message).collect()
        }
        _ => Err(must_be("messages", &format!("a list of 1 to {MESSAGES_MAX} messages"))),
    }
}

fn message((index, value): (usize, Value)) -> Result<Message, ApiError> {
    let param = format!("messages[{index}]");
    let Value::Object(mut map) = value else { return Err(must_be(&param, "an object")) };
    // A turn that another server answered may carry these, empty.
    map.retain(|_, value| !value.is_null());
    let role = role(&param, map.remove("role"))?;
    let content = content(&format!("{param}.content"), map.remove("content"))?;
    match map.remove("name") {
        // No chat template here has a place for it.
        None | Some(Value::String(_)) => {}
        Some(_) => return Err(must_be(&format!("{param}.name"), "a string")),
    }
    let Some(name) = map.keys().next() else {
        return Ok(Message { role, content, ..Message::default() });
    };
    let message = format!("this node does not support `{param}.{name}`; leave it out");
    Err(ApiError::invalid(&format!("{param}.{name}"), message).with_code("unsupported_parameter"))
}

fn role(param: &str, value: Option<Value>) -> Result<Role, ApiError> {
    let param = format!("{param}.role");
    match value.as_ref().and_then(Value::as_str) {
        Some("system" | "developer") => Ok(Role::System),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        given => {
            let given = given.map(|role| format!(", not {role:?}")).unwrap_or_default();
            let roles = "\"system\", \"developer\", \"user\" or \"assistant\"";
            Err(must_be(&param, &format!("{roles}{given}")))
        }
    }
}

fn content(param: &str, value: Option<Value>) -> Result<String, ApiError> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let part = |(index, part)| text_part(&format!("{param}[{index}]"), part);
            parts.into_iter().enumerate().map(part).collect()
        }
        _ => Err(must_be(param, "a string or a list of text parts")),
    }
}

fn text_part(param: &str, value: Value) -> Result<String, ApiError> {
    let kind = value["type"].as_str();
    if kind != Some("text") {
        let message = format!("`{param}.type` must be \"text\": this node reads text alone");
        return Err(ApiError::invalid(&format!("{param}.type"), message));
    }
    match value {
        Value::Object(mut map) => match map.remove("text") {
            Some(Value::String(text)) => Ok(text),
            _ => Err(must_be(&format!("{param}.text"), "a string")),
        },
        _ => Err(must_be(param, "an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(extra: &str) -> Result<ChatRequest, ApiError> {
        let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{extra}}}"#);
        ChatRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    fn refused_messages(messages: &str) -> ApiError {
        let body = format!(r#"{{"messages": {messages}}}"#);
        ChatRequest::parse(Fields::parse(body.as_bytes()).expect("an object")).expect_err("refused")
    }

    #[test]
    fn each_wrong_message_is_named() {
        for (messages, param) in [
            ("null", "messages"),
            ("[]", "messages"),
            ("\"hi\"", "messages"),
            ("[7]", "messages[0]"),
            (r#"[{"content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "tool", "content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "user"}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": 7}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": []}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": ["a"]}]"#, "messages[0].content[0].type"),
            (
                r#"[{"role": "user", "content": [{"type": "image_url"}]}]"#,
                "messages[0].content[0].type",
            ),
            (r#"[{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text"),
            (r#"[{"role": "user", "content": "a", "name": 7}]"#, "messages[0].name"),
            (r#"[{"role": "user", "content": "a", "tool_calls": []}]"#, "messages[0].tool_calls"),
        ] {
            let error = refused_messages(messages);
            assert_eq!(error.param.as_deref(), Some(param), "{messages}");
        }
        let king = refused_messages(r#"[{"role": "king", "content": "a"}]"#);
        assert!(king.message.contains("king"), "{}", king.message);
    }

    #[test]
    fn unsupported_fields_are_refused_unless_they_ask_nothing() {
        for extra in [
            r#""tools": [{}]"#,
            r#""tool_choice": "auto""#,
            r#""functions": [{}]"#,
            r#""logprobs": true"#,
            r#""top_logprobs": 2"#,
            r#""logit_bias": {"1": 1}"#,
            r#""response_format": {"type": "json_object"}"#,
            r#""n": 2"#,
            r#""frequency_penalty": 0.5"#,
            r#""presence_penalty": -1"#,
            r#""modalities": ["audio"]"#,
            r#""audio": {}"#,
            r#""store": true"#,
            r#""metadata": {"a": "b"}"#,
            r#""reasoning_effort": "low""#,
            r#""parallel_tool_calls": true"#,
            r#""prediction": {}"#,
            r#""service_tier": "flex""#,
        ] {
            let error = parse(&format!(", {extra}")).expect_err(extra);
            assert_eq!(error.code, Some("unsupported_parameter"), "{extra}");
            let param = error.param.expect("named");
            assert!(extra.starts_with(&format!("\"{param}\"")), "{extra}: {param}");
        }
        let nothing = r#", "tools": [], "n": 1, "frequency_penalty": 0, "presence_penalty": 0.0,
            "logprobs": false, "response_format": {"type": "text"}, "store": false, "audio": null,
            "logit_bias": {}, "modalities": ["text"], "user": "me""#;
        assert!(parse(nothing).is_ok());
        assert_eq!(
            parse(r#", "no_such": 1"#).expect_err("refused").code,
            Some("unknown_parameter")
        );
        assert_eq!(
            parse(r#", "echo": false"#).expect_err("refused").code,
            Some("unknown_parameter")
        );
    }

    #[test]
    fn roles_and_parts_become_messages() {
        let body = r#"{"messages": [
            {"role": "developer", "content": "a", "name": "x"},
            {"role": "assistant", "content": "b", "refusal": null, "tool_calls": null},
            {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]}
        ]}"#;
        let request = ChatRequest::parse(Fields::parse(body.as_bytes()).expect("an object"));
        let messages = request.expect("good").task.messages;
        let said: Vec<_> = messages.iter().map(|m| (m.role, m.content.as_str())).collect();
        assert_eq!(said, [(Role::System, "a"), (Role::Assistant, "b"), (Role::User, "cd")]);
    }
}
