//! The conversation of a chat request.

use std::collections::HashMap;

use gaia_protocol::{Message, PictureSpot, Role, ToolCall};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be, not_supported};
use crate::http::format::{NAME_RULE, is_name};
use crate::http::pictures::Pictures;

const MESSAGES_MAX: usize = 4096;
/// Calls that one turn may hold: as many as there may be tools.
const CALLS_MAX: usize = 128;
const ID_BYTES_MAX: usize = 256;

const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool", "function"];

/// Takes `messages`, and the pictures that they show.
pub fn take(fields: &mut Fields, pictures: &mut Pictures) -> Result<Vec<Message>, ApiError> {
    let wrong = || must_be("messages", &format!("a list of 1 to {MESSAGES_MAX} messages"));
    let Value::Array(list) = fields.required("messages")? else { return Err(wrong()) };
    if !(1..=MESSAGES_MAX).contains(&list.len()) {
        return Err(wrong());
    }
    let mut messages = Vec::with_capacity(list.len());
    let mut calls = Calls::default();
    for (index, value) in list.into_iter().enumerate() {
        let fields = fields.nested(&format!("messages[{index}]"), value)?;
        let message = message(fields, (index, &calls), pictures)?;
        calls.note(&message);
        messages.push(message);
    }
    Ok(messages)
}

/// The calls so far.
#[derive(Default)]
struct Calls {
    /// The functions by the ids of their last calls.
    names: HashMap<String, String>,
    /// The ids of the last calls by their functions.
    ids: HashMap<String, String>,
}

impl Calls {
    fn note(&mut self, message: &Message) {
        for ToolCall { id, name, .. } in &message.tool_calls {
            self.names.insert(id.clone(), name.clone());
            self.ids.insert(name.clone(), id.clone());
        }
    }
}

fn message(
    mut fields: Fields,
    (index, calls): (usize, &Calls),
    pictures: &mut Pictures,
) -> Result<Message, ApiError> {
    let role = fields.take("role").ok_or_else(|| missing(&fields.at("role")))?;
    let role = ROLES.iter().copied().find(|known| role == *known).ok_or_else(|| {
        let given = role.as_str().map(|role| format!(", not {role:?}")).unwrap_or_default();
        must_be(&fields.at("role"), &format!("one of \"{}\"{given}", ROLES.join("\", \"")))
    })?;
    let name = short(&mut fields, "name")?;
    let mut message = match role {
        "assistant" => assistant(&mut fields, index)?,
        "tool" => tool(&mut fields, calls)?,
        "function" => function(&mut fields, name.as_deref(), calls)?,
        "user" => user(&mut fields, pictures)?,
        _ => said(&mut fields, Role::System)?,
    };
    message.name = name.or(message.name);
    fields.finish(&[])?;
    Ok(message)
}

/// A turn of the person: text and pictures.
fn user(fields: &mut Fields, pictures: &mut Pictures) -> Result<Message, ApiError> {
    let mut message = Message::default();
    let found = parts(fields, &mut |part| show(part, &mut message, pictures))?;
    match found {
        Some(text) => Ok(Message { content: message.content + &text, ..message }),
        None => Err(no_content(fields)),
    }
}

/// Adds a part to a turn of the person; its text, if it is one.
fn show(
    mut part: Fields,
    message: &mut Message,
    pictures: &mut Pictures,
) -> Result<String, ApiError> {
    if !part.take_if("type", |kind| kind == "image_url") {
        message.content += &text_part(part, "\"text\" or \"image_url\": this node hears no sound")?;
        return Ok(String::new());
    }
    let mut image = part.object("image_url")?.ok_or_else(|| missing(&part.at("image_url")))?;
    let param = image.at("url");
    let url = image.string("url")?.ok_or_else(|| missing(&param))?;
    image.word("detail", &["auto", "low", "high", "original"])?;
    image.finish(&[])?;
    part.finish(&[])?;
    let number = pictures.add_url(&param, &url)?;
    message.pictures.push(PictureSpot { at: message.content.len(), number });
    Ok(String::new())
}

/// A turn that is nothing but text.
fn said(fields: &mut Fields, role: Role) -> Result<Message, ApiError> {
    let content = content(fields)?.ok_or_else(|| no_content(fields))?;
    Ok(Message { role, content, ..Message::default() })
}

/// A turn of the model: an answer, calls or both.
fn assistant(fields: &mut Fields, index: usize) -> Result<Message, ApiError> {
    let said = content(fields)?;
    let refusal = fields.string("refusal")?;
    let reasoning = fields.string("reasoning_content")?;
    let mut tool_calls = tool_calls(fields)?;
    tool_calls.extend(function_call(fields, index)?);
    // Clients send an answer back as they got it: these were in it, and say nothing to a model.
    if fields.list("annotations")?.is_some_and(|list| !list.is_empty()) {
        return Err(not_supported(&fields.at("annotations")));
    }
    let content = said.or(refusal);
    if content.is_none() && tool_calls.is_empty() {
        return Err(no_content(fields));
    }
    let content = content.unwrap_or_default();
    Ok(Message { role: Role::Assistant, content, reasoning, tool_calls, ..Message::default() })
}

fn tool_calls(fields: &mut Fields) -> Result<Vec<ToolCall>, ApiError> {
    let list = fields.list("tool_calls")?.unwrap_or_default();
    if list.len() > CALLS_MAX {
        let what = format!("a list of at most {CALLS_MAX} calls");
        return Err(must_be(&fields.at("tool_calls"), &what));
    }
    let mut calls: Vec<ToolCall> = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let inner = fields.nested(&format!("tool_calls[{index}]"), value)?;
        let id = inner.at("id");
        let call = tool_call(inner)?;
        if calls.iter().any(|other| other.id == call.id) {
            return Err(must_be(&id, "different from the ids of the turn's other calls"));
        }
        calls.push(call);
    }
    Ok(calls)
}

fn tool_call(mut fields: Fields) -> Result<ToolCall, ApiError> {
    let id = short(&mut fields, "id")?.ok_or_else(|| missing(&fields.at("id")))?;
    fields.word("type", &["function"])?;
    // What streams carry besides.
    fields.integer("index", 0..=u32::MAX)?;
    let function = fields.object("function")?;
    let mut function = function.ok_or_else(|| missing(&fields.at("function")))?;
    let (name, arguments) = called(&mut function)?;
    function.finish(&[])?;
    fields.finish(&[])?;
    Ok(ToolCall { id, name, arguments })
}

/// A function's name and the JSON text of its arguments.
fn called(function: &mut Fields) -> Result<(String, String), ApiError> {
    let name = function.string("name")?.ok_or_else(|| missing(&function.at("name")))?;
    if !is_name(&name) {
        return Err(must_be(&function.at("name"), NAME_RULE));
    }
    let arguments = function.string("arguments")?;
    let arguments = arguments.ok_or_else(|| missing(&function.at("arguments")))?;
    Ok((name, arguments))
}

/// The deprecated form of a single call; it has no id, so it gets one by its turn.
fn function_call(fields: &mut Fields, index: usize) -> Result<Option<ToolCall>, ApiError> {
    let Some(mut function) = fields.object("function_call")? else { return Ok(None) };
    let (name, arguments) = called(&mut function)?;
    function.finish(&[])?;
    Ok(Some(ToolCall { id: format!("function_call_{index}"), name, arguments }))
}

/// What a called function answered. Templates ask for its name, which the call tells.
fn tool(fields: &mut Fields, calls: &Calls) -> Result<Message, ApiError> {
    let id = short(fields, "tool_call_id")?;
    let id = id.ok_or_else(|| missing(&fields.at("tool_call_id")))?;
    let name = calls.names.get(&id).cloned().ok_or_else(|| {
        must_be(&fields.at("tool_call_id"), "the id of a call in an earlier assistant turn")
    })?;
    Ok(Message { tool_call_id: Some(id), name: Some(name), ..said(fields, Role::Tool)? })
}

/// The deprecated form of the same, which names the function.
fn function(fields: &mut Fields, name: Option<&str>, calls: &Calls) -> Result<Message, ApiError> {
    let name = name.ok_or_else(|| missing(&fields.at("name")))?;
    let id = calls.ids.get(name).cloned().ok_or_else(|| {
        must_be(&fields.at("name"), "the name of a function called in an earlier assistant turn")
    })?;
    Ok(Message { tool_call_id: Some(id), ..said(fields, Role::Tool)? })
}

fn short(fields: &mut Fields, name: &str) -> Result<Option<String>, ApiError> {
    let text = fields.string(name)?;
    if text.as_ref().is_some_and(|text| !(1..=ID_BYTES_MAX).contains(&text.len())) {
        return Err(must_be(&fields.at(name), &format!("1 to {ID_BYTES_MAX} bytes long")));
    }
    Ok(text)
}

fn content(fields: &mut Fields) -> Result<Option<String>, ApiError> {
    parts(fields, &mut |part| {
        text_part(part, "\"text\": pictures stand in the user's messages, and there is no sound")
    })
}

/// The text of a turn: all at once, or what `read` makes of its parts.
fn parts(
    fields: &mut Fields,
    read: &mut dyn FnMut(Fields) -> Result<String, ApiError>,
) -> Result<Option<String>, ApiError> {
    match fields.take("content") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let part = |(index, part)| read(fields.nested(&format!("content[{index}]"), part)?);
            parts.into_iter().enumerate().map(part).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(no_content(fields)),
    }
}

fn no_content(fields: &Fields) -> ApiError {
    must_be(&fields.at("content"), "a string or a list of parts")
}

fn text_part(mut part: Fields, kinds: &str) -> Result<String, ApiError> {
    let kind = part.take("type");
    let name = match kind.as_ref().and_then(Value::as_str) {
        Some("text") => "text",
        Some("refusal") => "refusal",
        _ => {
            return Err(must_be(&part.at("type"), kinds));
        }
    };
    let text = part.string(name)?.ok_or_else(|| missing(&part.at(name)))?;
    part.finish(&[])?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(messages: &str) -> Result<Vec<Message>, ApiError> {
        let body = format!(r#"{{"messages": {messages}}}"#);
        take(&mut Fields::parse(body.as_bytes()).expect("an object"), &mut Pictures::default())
    }

    fn user(parts: &str) -> String {
        format!(r#"[{{"role":"user","content":[{parts}]}}]"#)
    }

    /// A turn that calls `f`, and what follows.
    fn after_call(rest: &str) -> String {
        let call = r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}"#;
        format!(r#"[{{"role":"assistant","content":null,"tool_calls":[{call}]}},{rest}]"#)
    }

    fn assistant_with(field: &str) -> String {
        format!(r#"[{{"role":"assistant","content":"a",{field}}}]"#)
    }

    fn refused(messages: &str, param: &str) {
        let error = parse(messages).expect_err(messages);
        assert_eq!(error.param.as_deref(), Some(param), "{messages}");
    }

    #[test]
    fn each_wrong_message_is_named() {
        for (messages, param) in [
            ("null", "messages"),
            ("[]", "messages"),
            ("\"hi\"", "messages"),
            ("[7]", "messages[0]"),
            (r#"[{"content": "a"}]"#, "messages[0].role"),
            (r#"[{"role": "user"}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": 7}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": []}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": ["a"]}]"#, "messages[0].content[0]"),
            (
                r#"[{"role": "system", "content": [{"type": "image_url"}]}]"#,
                "messages[0].content[0].type",
            ),
            (r#"[{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text"),
            (
                r#"[{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]"#,
                "messages[0].content[0].x",
            ),
            (r#"[{"role": "user", "content": "a", "name": 7}]"#, "messages[0].name"),
            (r#"[{"role": "user", "content": "a", "name": ""}]"#, "messages[0].name"),
            (r#"[{"role": "user", "content": "a", "tool_calls": []}]"#, "messages[0].tool_calls"),
            (r#"[{"role": "user", "content": "a", "x": 1}]"#, "messages[0].x"),
        ] {
            refused(messages, param);
        }
        let king = parse(r#"[{"role": "king", "content": "a"}]"#).expect_err("refused");
        assert!(king.message.contains("king"), "{}", king.message);
    }

    #[test]
    fn each_wrong_picture_is_named() {
        for (part, param) in [
            (r#"{"type":"input_audio","input_audio":{}}"#, "type"),
            (r#"{"type":"image_url"}"#, "image_url"),
            (r#"{"type":"image_url","image_url":"data:image/png;base64,aGk="}"#, "image_url"),
            (r#"{"type":"image_url","image_url":{}}"#, "image_url.url"),
            (r#"{"type":"image_url","image_url":{"url":7}}"#, "image_url.url"),
            (r#"{"type":"image_url","image_url":{"url":"https://a.b/c.png"}}"#, "image_url.url"),
            (
                r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,","detail":"x"}}"#,
                "image_url.detail",
            ),
            (r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,"},"x":1}"#, "x"),
        ] {
            refused(&user(part), &format!("messages[0].content[0].{param}"));
        }
    }

    #[test]
    fn pictures_stand_where_they_were_said() {
        let picture = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}"#;
        let text = r#"{"type":"text","text":"é?"}"#;
        let messages = parse(&user(&[picture, text, picture, picture].join(","))).expect("good");
        assert_eq!(messages[0].content, "é?");
        let spots: Vec<_> = messages[0].pictures.iter().map(|s| (s.at, s.number)).collect();
        assert_eq!(spots, [(0, 0), (3, 1), (3, 2)]);
        assert_eq!(parse(&user(picture)).expect("good")[0].content, "");
    }

    #[test]
    fn each_wrong_call_is_named() {
        for (field, param) in [
            (r#""tool_calls":7"#, "tool_calls"),
            (r#""tool_calls":[7]"#, "tool_calls[0]"),
            (r#""tool_calls":[{}]"#, "tool_calls[0].id"),
            (r#""tool_calls":[{"id":"a","type":"custom"}]"#, "tool_calls[0].type"),
            (r#""tool_calls":[{"id":"a"}]"#, "tool_calls[0].function"),
            (r#""tool_calls":[{"id":"a","function":{}}]"#, "tool_calls[0].function.name"),
            (
                r#""tool_calls":[{"id":"a","function":{"name":"f g"}}]"#,
                "tool_calls[0].function.name",
            ),
            (
                r#""tool_calls":[{"id":"a","function":{"name":"f"}}]"#,
                "tool_calls[0].function.arguments",
            ),
            (
                r#""tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},
                    {"id":"a","function":{"name":"f","arguments":"{}"}}]"#,
                "tool_calls[1].id",
            ),
            (r#""function_call":{"name":"f"}"#, "function_call.arguments"),
            (r#""annotations":[{}]"#, "annotations"),
            (r#""refusal":7"#, "refusal"),
            (r#""reasoning_content":7"#, "reasoning_content"),
            (r#""audio":{"id":"a"}"#, "audio"),
        ] {
            refused(&assistant_with(field), &format!("messages[0].{param}"));
        }
        refused(r#"[{"role":"assistant","content":null}]"#, "messages[0].content");
        refused(r#"[{"role":"assistant","content":null,"tool_calls":[]}]"#, "messages[0].content");
    }

    #[test]
    fn an_answer_without_its_call_is_refused() {
        for (rest, param) in [
            (r#"{"role":"tool","content":"a"}"#, "tool_call_id"),
            (r#"{"role":"tool","content":"a","tool_call_id":"c2"}"#, "tool_call_id"),
            (r#"{"role":"tool","tool_call_id":"c1"}"#, "content"),
            (r#"{"role":"function","content":"a"}"#, "name"),
            (r#"{"role":"function","content":"a","name":"g"}"#, "name"),
            (r#"{"role":"user","content":"a","tool_call_id":"c1"}"#, "tool_call_id"),
        ] {
            refused(&after_call(rest), &format!("messages[1].{param}"));
        }
        refused(
            r#"[{"role":"tool","content":"a","tool_call_id":"c"}]"#,
            "messages[0].tool_call_id",
        );
    }

    #[test]
    fn roles_and_parts_become_messages() {
        let messages = parse(
            r#"[{"role": "developer", "content": "a", "name": "x"},
            {"role": "assistant", "content": "b", "refusal": null, "tool_calls": null, "audio": null,
             "function_call": null, "annotations": [], "reasoning_content": "hm"},
            {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "assistant", "refusal": "never"}]"#,
        )
        .expect("good");
        let said: Vec<_> = messages.iter().map(|m| (m.role, m.content.as_str())).collect();
        let model = Role::Assistant;
        let wanted = [
            (Role::System, "a"),
            (model, "b"),
            (Role::User, "cd"),
            (model, "no"),
            (model, "never"),
        ];
        assert_eq!(said, wanted);
        assert_eq!(messages[0].name.as_deref(), Some("x"));
        assert_eq!(messages[1].reasoning.as_deref(), Some("hm"));
    }

    #[test]
    fn calls_and_their_answers_become_messages() {
        let answer =
            r#"{"role":"tool","content":[{"type":"text","text":"7"}],"tool_call_id":"c1"}"#;
        let messages = parse(&after_call(answer)).expect("good");
        let call = ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() };
        assert_eq!((messages[0].content.as_str(), &messages[0].tool_calls), ("", &vec![call]));
        let answer = Message {
            role: Role::Tool,
            content: "7".into(),
            name: Some("f".into()),
            tool_call_id: Some("c1".into()),
            ..Message::default()
        };
        assert_eq!(messages[1], answer);
        let old = parse(
            r#"[{"role":"assistant","content":null,"function_call":{"name":"g","arguments":"{}"}},
            {"role":"function","name":"g","content":"7"}]"#,
        )
        .expect("good");
        assert_eq!(old[0].tool_calls[0].id, "function_call_0");
        assert_eq!(old[1].tool_call_id.as_deref(), Some("function_call_0"));
    }

    #[test]
    fn the_last_call_of_an_id_or_a_function_is_the_one_that_is_answered() {
        let turn = |id: &str, name: &str| {
            let function = format!(r#"{{"name":"{name}","arguments":"{{}}"}}"#);
            let call = format!(r#"{{"id":"{id}","function":{function}}}"#);
            format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#)
        };
        let by_id = r#"{"role":"tool","tool_call_id":"a","content":"7"}"#;
        let by_name = r#"{"role":"function","name":"g","content":"7"}"#;
        let calls = [turn("a", "f"), turn("a", "g"), turn("b", "g")].join(",");
        let messages = parse(&format!("[{calls},{by_id},{by_name}]")).expect("good");
        assert_eq!(messages[3].name.as_deref(), Some("g"));
        assert_eq!(messages[4].tool_call_id.as_deref(), Some("b"));
    }
}
