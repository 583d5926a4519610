//! From a conversation to the prompt that the model's own template makes of it.
//!
//! A template is trusted, a message is not: every text of the client is shielded, whatever part of the
//! conversation it stands in, names, arguments and descriptions of functions included. A picture is a
//! mark in a message's content, which no text of the client can hold, and the template copies it.

use gaia_app_sdk::{
    ChatTask, ErrorCode, Failure, Guard, GuestModel, Message, PICTURE_MARK, Role, Strictness, Tool,
    ToolChoice,
};
use serde_json::{Map, Value, json};

use crate::Renderer;
use crate::families::{self, Family};
use crate::renderer::{Conversation, TemplateError};

/// A rendered conversation.
pub struct Prompt {
    /// What the model reads.
    pub text: String,
    /// Whose marks the answer will have.
    pub family: &'static Family,
    /// The prompt has begun the model's thoughts.
    pub thinks: bool,
}

/// Renders a conversation.
///
/// # Errors
/// A [`Failure`] that names the field at fault.
pub fn chat(model: &GuestModel, task: &ChatTask, renderer: &Renderer) -> Result<Prompt, Failure> {
    if task.messages.is_empty() {
        return Err(Failure::new(ErrorCode::InvalidRequest, "messages is empty").at("messages"));
    }
    let Some(template) = &model.chat_template else {
        let message = format!(
            "model {:?} has no chat template: it can't chat; use /v1/completions or a model with one",
            model.name
        );
        return Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"));
    };
    let is_told = offers_functions(task) && !knows_functions(template);
    let family = if is_told { families::told(template) } else { families::of(template) };
    let text = shielded(template, model, &said(template, task), renderer)
        .map_err(|error| Failure::new(ErrorCode::Template, error.to_string()).at("messages"))?;
    check_pictures(&text, task)?;
    // The tokenizer adds the token that most templates write too; the model shall see one.
    let text = match text.strip_prefix(&model.bos_token) {
        Some(rest) if model.adds_bos => rest.to_owned(),
        _ => text,
    };
    let thinks = family.thinks() && text.trim_end().ends_with("<think>");
    Ok(Prompt { text, family, thinks })
}

/// Whether a conversation has pictures.
pub fn shows_pictures(task: &ChatTask) -> bool {
    task.messages.iter().any(|message| !message.pictures.is_empty())
}

/// A template may leave a message out, or show it twice.
fn check_pictures(prompt: &str, task: &ChatTask) -> Result<(), Failure> {
    let mut shown: Vec<_> =
        prompt.split(PICTURE_MARK).skip(1).step_by(2).map(|number| number.parse().ok()).collect();
    let spots = task.messages.iter().flat_map(|message| &message.pictures);
    let mut wanted: Vec<_> = spots.map(|spot| Some(spot.number)).collect();
    shown.sort_unstable();
    wanted.sort_unstable();
    if shown == wanted {
        return Ok(());
    }
    let message = "the model's chat template does not show each picture of these messages once";
    Err(Failure::new(ErrorCode::Template, message).at("messages"))
}

/// Stands for a picture in the prompt.
fn mark(number: usize) -> String {
    format!("{PICTURE_MARK}{number}{PICTURE_MARK}")
}

/// What a template is told.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    messages: Value,
    tools: Value,
    options: Value,
}

fn said(template: &str, task: &ChatTask) -> Said {
    let offers = offers_functions(task);
    let tools: Vec<Value> = task.tools.list.iter().filter(|_| offers).map(tool_value).collect();
    let tools: Vec<Value> = tools.iter().map(unmarked).collect();
    let options = unmarked(&Value::Object(task.template_options.clone()));
    if knows_functions(template) {
        let messages = task.messages.iter().map(|message| message_value(message, &task.messages));
        let tools = if tools.is_empty() { Value::Null } else { Value::Array(tools) };
        return Said { messages: messages.collect(), tools, options };
    }
    Said { messages: told(&task.messages, &tools), tools: Value::Null, options }
}

fn knows_functions(template: &str) -> bool {
    template.contains("tools")
}

/// Whether the model may call functions.
pub fn offers_functions(task: &ChatTask) -> bool {
    !task.tools.list.is_empty() && task.tools.choice != ToolChoice::None
}

fn tool_value(tool: &Tool) -> Value {
    let nothing = json!({"type": "object", "properties": {}});
    json!({"type": "function", "function": {
        "name": tool.name,
        "description": tool.description.as_deref().unwrap_or_default(),
        "parameters": tool.parameters.clone().unwrap_or(nothing),
    }})
}

/// A message in the words of Hugging Face's templates.
fn message_value(message: &Message, all: &[Message]) -> Value {
    let mut value = Map::new();
    value.insert("role".into(), role(message.role).into());
    if let Some(reasoning) = &message.reasoning {
        value.insert("reasoning_content".into(), reasoning.clone().into());
    }
    if !message.tool_calls.is_empty() {
        let call = |call: &gaia_app_sdk::ToolCall| {
            json!({"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": arguments(&call.arguments)}})
        };
        value.insert("tool_calls".into(), message.tool_calls.iter().map(call).collect());
    }
    if let Some(id) = &message.tool_call_id {
        value.insert("tool_call_id".into(), id.clone().into());
        let mut calls = all.iter().flat_map(|message| &message.tool_calls);
        if let Some(call) = calls.find(|call| call.id == *id) {
            value.insert("name".into(), call.name.clone().into());
        }
    }
    if let Some(name) = &message.name {
        value.insert("name".into(), name.clone().into());
    }
    let mut value = unmarked(&value.into());
    value["content"] = content(message).into();
    value
}

/// What a message says, with a mark where a picture stands.
fn content(message: &Message) -> String {
    let mut content = String::with_capacity(message.content.len());
    let mut from = 0;
    for spot in &message.pictures {
        // A place inside a character is no place of the host's: the picture goes before the rest.
        let text = message.content.get(from..spot.at).unwrap_or_default();
        content.push_str(&text.replace(PICTURE_MARK, ""));
        content.push_str(&mark(spot.number));
        from += text.len();
    }
    content.push_str(&message.content[from..].replace(PICTURE_MARK, ""));
    content
}

/// The same value without marks of pictures.
fn unmarked(value: &Value) -> Value {
    map_texts(value, &|text| text.replace(PICTURE_MARK, ""))
}

/// Templates want an object; what is no JSON stays text.
fn arguments(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// The conversation for a template that knows no functions: they are described in a system message,
/// calls are text of the model, and answers of functions are text of the user.
fn told(messages: &[Message], tools: &[Value]) -> Value {
    let mut told: Vec<Value> = messages.iter().map(told_message).collect();
    if !tools.is_empty() {
        let text = description(tools);
        match told.first_mut().filter(|first| first["role"] == "system") {
            Some(system) => {
                let own = system["content"].as_str().unwrap_or_default();
                system["content"] = format!("{own}\n\n{text}").into();
            }
            None => told.insert(0, json!({"role": "system", "content": text})),
        }
    }
    told.into()
}

fn told_message(message: &Message) -> Value {
    let mut content = content(message);
    for call in &message.tool_calls {
        let call = json!({"name": call.name, "arguments": arguments(&call.arguments)});
        let call = unmarked(&call);
        let gap = if content.is_empty() { "" } else { "\n" };
        content = format!("{content}{gap}<tool_call>\n{call}\n</tool_call>");
    }
    if message.role == Role::Tool {
        content = format!("<tool_response>\n{content}\n</tool_response>");
        return json!({"role": "user", "content": content});
    }
    json!({"role": role(message.role), "content": content})
}

fn description(tools: &[Value]) -> String {
    let tools: Vec<String> = tools.iter().map(|tool| tool["function"].to_string()).collect();
    format!(
        "You may call functions to help with the user's request. These are the functions:\n\
         <tools>\n{}\n</tools>\n\
         For each function call answer with a JSON object inside <tool_call></tool_call>:\n\
         <tool_call>\n{{\"name\": \"function-name\", \"arguments\": {{…}}}}\n</tool_call>",
        tools.join("\n")
    )
}

/// Renders with all control tokens in the client's texts broken.
///
/// A template may cut something out of a text and so join two halves of a control token. That shows
/// when the same template is given text in which no control token can begin: the prompt then holds
/// fewer of them, and is the one to use.
fn shielded(
    template: &str,
    model: &GuestModel,
    said: &Said,
    renderer: &Renderer,
) -> Result<String, TemplateError> {
    let guard = Guard::new(&model.control_tokens);
    let render = |said: &Said| {
        let GuestModel { bos_token, eos_token, .. } = model;
        let Said { messages, tools, options } = said;
        renderer.render(template, Conversation { messages, tools, options, bos_token, eos_token })
    };
    let spelled = shield_all(said, &guard, Strictness::Spelled);
    let strict = shield_all(said, &guard, Strictness::EveryStart);
    let prompt = render(&spelled)?;
    if strict == spelled {
        return Ok(prompt);
    }
    let strict_prompt = render(&strict)?;
    let is_safe = guard.count(&prompt) == guard.count(&strict_prompt);
    Ok(if is_safe { prompt } else { strict_prompt })
}

fn shield_all(said: &Said, guard: &Guard<'_>, strictness: Strictness) -> Said {
    let shield = |value: &Value| map_texts(value, &|text| shield(text, guard, strictness));
    Said {
        messages: shield(&said.messages),
        tools: shield(&said.tools),
        options: shield(&said.options),
    }
}

/// Shields a text around the marks of pictures in it.
fn shield(text: &str, guard: &Guard<'_>, strictness: Strictness) -> String {
    let pieces = text.split(PICTURE_MARK).enumerate().map(|(index, piece)| match index % 2 {
        0 => guard.shield(piece, strictness),
        _ => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join(&PICTURE_MARK.to_string())
}

/// The same value with every text in it changed, keys included.
fn map_texts(value: &Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Array(list) => list.iter().map(|value| map_texts(value, change)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (change(key), map_texts(value, change))).collect()
        }
        other => other.clone(),
    }
}
