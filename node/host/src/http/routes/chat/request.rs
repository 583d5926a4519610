//! What a chat request may say.

use gaia_protocol::{ChatTask, Format, ToolChoice, Tools};
use serde_json::{Map, Value};

use super::{messages, tools};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be};
use crate::http::format;
use crate::http::generate::{CHOICES_MAX, Generate, StreamOptions};
use crate::http::knowledge::Wish;
use crate::http::pictures::Pictures;

const METADATA_MAX: usize = 16;
const TEMPLATE_OPTIONS_MAX: usize = 64;

/// What a template gets from the node itself: no request may speak in its place.
const TEMPLATE_RESERVED: [&str; 5] =
    ["messages", "tools", "bos_token", "eos_token", "add_generation_prompt"];

/// OpenAI's fields that this node does not honour, with the value that asks nothing of it.
const UNSUPPORTED: &[Unsupported] = &[
    ("audio", |_| false),
    ("function_call", |value| value == "none"),
    ("functions", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("modalities", |value| value.as_array().is_some_and(|list| *list == ["text"])),
    ("moderation", |_| false),
    ("prediction", |_| false),
    ("prompt_cache_options", |value| value["mode"] == "implicit" && value["ttl"].is_null()),
    ("prompt_cache_retention", |value| value == "in_memory"),
    ("service_tier", |value| value == "auto" || value == "default"),
    ("store", |value| *value == false),
    ("web_search_options", |_| false),
];

/// A valid request.
#[derive(Debug)]
pub struct ChatRequest {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// The work.
    pub task: ChatTask,
    /// The pictures that its messages show.
    pub pictures: Pictures,
    /// How many answers are wanted.
    pub choices: u32,
    /// Whether and how to stream.
    pub stream: Option<StreamOptions>,
    /// What it is to know.
    pub knowledge: Wish,
}

impl ChatRequest {
    /// Checks every field.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let mut pictures = Pictures::default();
        let messages = messages::take(&mut fields, &mut pictures)?;
        let shared = Generate::take(&mut fields)?;
        let Generate { model, mut sampling, max_tokens, stop, stream } = shared;
        sampling.logprobs = take_logprobs(&mut fields)?;
        let choices = fields.integer("n", 1..=CHOICES_MAX)?.unwrap_or(1);
        let tools = tools::take(&mut fields)?;
        let format = format::take(&mut fields)?;
        check_shape(&format, &tools)?;
        let template_options = take_template_options(&mut fields)?;
        take_labels(&mut fields)?;
        let knowledge = Wish::take(&mut fields)?;
        fields.finish(UNSUPPORTED)?;
        let task = ChatTask {
            messages,
            tools,
            format,
            template_options,
            sampling,
            max_tokens,
            stop,
            ..ChatTask::default()
        };
        Ok(Self { model, task, pictures, choices, stream, knowledge })
    }
}

fn take_logprobs(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let wanted = fields.flag("logprobs")?;
    let top = fields.integer("top_logprobs", 0..=20)?.unwrap_or(0);
    if top > 0 && !wanted {
        let message = "`top_logprobs` is only allowed with `logprobs` = true";
        return Err(ApiError::invalid("top_logprobs", message));
    }
    Ok(wanted.then_some(top))
}

/// A call has a shape of its own, which a grammar of the client's would not know.
fn check_shape(format: &Format, tools: &Tools) -> Result<(), ApiError> {
    let may_call = !tools.list.is_empty() && tools.choice != ToolChoice::None;
    if may_call && matches!(format, Format::Grammar(_)) {
        let message = "`grammar` and `tools` can't both shape the answer; give one of them";
        return Err(ApiError::invalid("grammar", message));
    }
    Ok(())
}

fn take_template_options(fields: &mut Fields) -> Result<Map<String, Value>, ApiError> {
    const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high"];
    let mut options = Map::new();
    if let Some(effort) = fields.word("reasoning_effort", EFFORTS)? {
        options.insert("reasoning_effort".into(), effort.into());
        if effort == "none" {
            options.insert("enable_thinking".into(), false.into());
        }
    }
    let Some(given) = fields.take("chat_template_kwargs") else { return Ok(options) };
    let Value::Object(given) = given else {
        return Err(must_be("chat_template_kwargs", "an object"));
    };
    if given.len() > TEMPLATE_OPTIONS_MAX {
        let what = format!("an object of at most {TEMPLATE_OPTIONS_MAX} fields");
        return Err(must_be("chat_template_kwargs", &what));
    }
    if let Some(name) = TEMPLATE_RESERVED.iter().find(|name| given.contains_key(**name)) {
        let param = format!("chat_template_kwargs.{name}");
        return Err(ApiError::invalid(&param, format!("`{param}` is the node's own to set")));
    }
    options.extend(given);
    Ok(options)
}

/// What is between a client and OpenAI's service and asks nothing of a model on this machine.
fn take_labels(fields: &mut Fields) -> Result<(), ApiError> {
    fields.string("safety_identifier")?;
    fields.string("prompt_cache_key")?;
    fields.word("verbosity", &["low", "medium", "high"])?;
    match fields.take("metadata") {
        None => Ok(()),
        Some(Value::Object(map))
            if map.len() <= METADATA_MAX && map.values().all(Value::is_string) =>
        {
            Ok(())
        }
        Some(_) => {
            Err(must_be("metadata", &format!("an object of at most {METADATA_MAX} strings")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(extra: &str) -> Result<ChatRequest, ApiError> {
        let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{extra}}}"#);
        ChatRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let tools = r#""tools": [{"type": "function", "function": {"name": "f"}}]"#;
        let grammar = format!(r#""grammar": "root ::= \"a\"", {tools}"#);
        for extra in [
            r#""n": 0"#,
            r#""n": 17"#,
            r#""n": "2""#,
            r#""logprobs": 2"#,
            r#""top_logprobs": 2"#,
            r#""top_logprobs": 21, "logprobs": true"#,
            r#""logit_bias": 1"#,
            r#""frequency_penalty": 3"#,
            r#""tools": 7"#,
            r#""tool_choice": "required""#,
            r#""parallel_tool_calls": 7"#,
            r#""response_format": "json""#,
            r#""reasoning_effort": "extreme""#,
            r#""chat_template_kwargs": []"#,
            r#""safety_identifier": 7"#,
            r#""prompt_cache_key": 7"#,
            r#""verbosity": "loud""#,
            r#""metadata": {"a": 7}"#,
            r#""user": 7"#,
            grammar.as_str(),
        ] {
            let error = parse(&format!(", {extra}")).expect_err(extra);
            let param = error.param.expect("named");
            assert!(extra.starts_with(&format!("\"{param}\"")), "{extra}: {param}");
        }
        let many: Map<_, _> = (0..65).map(|n| (n.to_string(), Value::Null)).collect();
        for (given, param) in [
            (json!(many), "chat_template_kwargs"),
            (json!({"messages": []}), "chat_template_kwargs.messages"),
        ] {
            let error =
                parse(&format!(r#", "chat_template_kwargs": {given}"#)).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param));
        }
    }

    #[test]
    fn unsupported_fields_are_refused_unless_they_ask_nothing() {
        for extra in [
            r#""functions": [{}]"#,
            r#""function_call": "auto""#,
            r#""modalities": ["audio"]"#,
            r#""audio": {}"#,
            r#""store": true"#,
            r#""moderation": {}"#,
            r#""prediction": {}"#,
            r#""prompt_cache_options": {"mode": "explicit"}"#,
            r#""prompt_cache_retention": "24h""#,
            r#""service_tier": "flex""#,
            r#""web_search_options": {}"#,
        ] {
            let error = parse(&format!(", {extra}")).expect_err(extra);
            assert_eq!(error.code, Some("unsupported_parameter"), "{extra}");
            let param = error.param.expect("named");
            assert!(extra.starts_with(&format!("\"{param}\"")), "{extra}: {param}");
        }
        let nothing = r#", "tools": [], "n": 1, "frequency_penalty": null, "presence_penalty": null,
            "logprobs": false, "top_logprobs": 0, "response_format": {"type": "text"},
            "store": false, "audio": null, "logit_bias": {}, "modalities": ["text"], "user": "me",
            "functions": [], "function_call": "none", "service_tier": "auto", "verbosity": "low",
            "metadata": {"a": "b"}, "safety_identifier": "s", "prompt_cache_key": "k",
            "prompt_cache_options": {"mode": "implicit"}, "prompt_cache_retention": "in_memory",
            "parallel_tool_calls": true, "tool_choice": "auto", "chat_template_kwargs": {}"#;
        let plain = parse("").expect("good").task;
        assert_eq!(parse(nothing).expect("good").task, plain);
        for unknown in [r#""no_such": 1"#, r#""echo": false"#] {
            let error = parse(&format!(", {unknown}")).expect_err("refused");
            assert_eq!(error.code, Some("unknown_parameter"));
        }
    }

    #[test]
    fn good_fields_reach_the_task() {
        let request = parse(
            r#", "n": 3, "logprobs": true, "top_logprobs": 2, "reasoning_effort": "none",
            "chat_template_kwargs": {"enable_thinking": true, "x": [1]}, "grammar": "root ::= [a]",
            "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none""#,
        )
        .expect("good");
        assert_eq!((request.choices, request.task.sampling.logprobs), (3, Some(2)));
        let options = json!({"reasoning_effort": "none", "enable_thinking": true, "x": [1]});
        assert_eq!(Value::Object(request.task.template_options), options);
        assert_eq!(request.task.format, Format::Grammar("root ::= [a]".into()));
        assert_eq!(request.task.tools.list.len(), 1);
        let silent = parse(r#", "logprobs": true, "reasoning_effort": "none""#).expect("good").task;
        assert_eq!(silent.sampling.logprobs, Some(0));
        assert_eq!(silent.template_options["enable_thinking"], json!(false));
        let low = parse(r#", "reasoning_effort": "low""#).expect("good").task.template_options;
        assert_eq!(Value::Object(low), json!({"reasoning_effort": "low"}));
    }
}
