//! A conversation as a server reads it.

use gaia_core::ServeError;
use gaia_protocol::{
    ChatTask, Format, Message, PictureUrl, Role, Tool, ToolCall, ToolChoice, Tools,
};
use serde_json::{Map, Value, json};

use super::sampling::{Wishes, fields};
use crate::config::UpstreamConfig;

/// The body of a request for an answer.
///
/// # Errors
/// [`ServeError::Invalid`]: the API has no word for something that is wanted.
pub fn body(config: &UpstreamConfig, task: ChatTask) -> Result<Value, ServeError> {
    let ChatTask {
        messages,
        tools,
        format,
        template_options,
        sampling,
        max_tokens,
        stop,
        pictures: _,
        picture_urls,
    } = task;
    let wishes = Wishes { sampling, max_tokens, stop };
    let mut body = fields(config, &wishes);
    let message = |message: &Message| wire(message, &picture_urls);
    body.insert("messages".into(), messages.iter().map(message).collect());
    body.extend(tool_fields(&tools));
    body.extend(response_format(format)?);
    body.extend(template_fields(template_options));
    if let Some(top) = wishes.sampling.logprobs {
        body.insert("logprobs".into(), true.into());
        body.insert("top_logprobs".into(), top.into());
    }
    Ok(body.into())
}

fn wire(message: &Message, pictures: &[PictureUrl]) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    // A message that only calls functions says nothing.
    let is_silent = message.content.is_empty() && !message.tool_calls.is_empty();
    let content = (!is_silent).then(|| content(message, pictures));
    let mut wire = json!({"role": role, "content": content});
    let calls: Vec<_> = message.tool_calls.iter().map(call).collect();
    for (key, value) in [
        ("name", message.name.as_ref().map(|name| json!(name))),
        ("reasoning_content", message.reasoning.as_ref().map(|text| json!(text))),
        ("tool_calls", (!calls.is_empty()).then(|| calls.into())),
        ("tool_call_id", message.tool_call_id.as_ref().map(|id| json!(id))),
    ] {
        if let Some(value) = value {
            wire[key] = value;
        }
    }
    wire
}

/// A text, or parts where pictures stand between its words.
fn content(message: &Message, pictures: &[PictureUrl]) -> Value {
    if message.pictures.is_empty() {
        return json!(message.content);
    }
    let text = |text: &str| (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
    let picture = |number: usize| {
        let url = pictures.get(number)?.as_str();
        Some(json!({"type": "image_url", "image_url": {"url": url}}))
    };
    let (mut parts, mut rest, mut start) = (vec![], message.content.as_str(), 0);
    for spot in &message.pictures {
        let (before, behind) =
            rest.split_at_checked(spot.at.saturating_sub(start)).unwrap_or((rest, ""));
        parts.extend(text(before).into_iter().chain(picture(spot.number)));
        (rest, start) = (behind, spot.at);
    }
    parts.extend(text(rest));
    parts.into()
}

fn call(ToolCall { id, name, arguments }: &ToolCall) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn tool_fields(tools: &Tools) -> Map<String, Value> {
    let mut fields = Map::new();
    if tools.list.is_empty() {
        return fields;
    }
    fields.insert("tools".into(), tools.list.iter().map(tool).collect());
    let choice = match &tools.choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    };
    fields.insert("tool_choice".into(), choice);
    if tools.single {
        fields.insert("parallel_tool_calls".into(), false.into());
    }
    fields
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name});
    for (key, value) in [
        ("description", tool.description.as_ref().map(|text| json!(text))),
        ("parameters", tool.parameters.clone()),
        ("strict", tool.strict.then_some(true.into())),
    ] {
        if let Some(value) = value {
            function[key] = value;
        }
    }
    json!({"type": "function", "function": function})
}

fn response_format(format: Format) -> Result<Option<(String, Value)>, ServeError> {
    let format = match format {
        Format::Text => return Ok(None),
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema(schema) => {
            let schema = json!({"name": "answer", "strict": true, "schema": schema});
            json!({"type": "json_schema", "json_schema": schema})
        }
        Format::Grammar(_) => return Err(no_grammar()),
    };
    Ok(Some(("response_format".into(), format)))
}

/// OpenAI's API has no grammars; a server that ignored one would give an answer that looks obedient.
pub fn no_grammar() -> ServeError {
    let message = "`grammar` can't be used with this model: it is served by another server, whose API \
                   has JSON schemas alone (`response_format`)";
    ServeError::Invalid { message: message.into(), param: Some("grammar".into()) }
}

/// `reasoning_effort` is a field of its own; where it stands, `enable_thinking` followed from it.
fn template_fields(mut options: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(effort) = options.remove("reasoning_effort") {
        fields.insert("reasoning_effort".into(), effort);
        options.remove("enable_thinking");
    }
    if !options.is_empty() {
        fields.insert("chat_template_kwargs".into(), options.into());
    }
    fields
}
