//! Reads `system` and `messages`.

use std::collections::HashMap;

use gaia_protocol::{Message, PictureSpot, Role, ToolCall};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::object::Object;
use crate::http::pictures::Pictures;

/// Messages of a request.
pub const MESSAGES_MAX: usize = 4096;

/// The id and the name of a tool use at most: each result of it repeats both.
const NAME_BYTES_MAX: usize = 256;

/// Marks what is kept in a cache; this node's cache finds that by itself.
const CACHE_CONTROL: &str = "cache_control";

/// The conversation, oldest first, and the pictures that it shows.
pub fn read(
    system: Option<Value>,
    messages: Value,
    pictures: &mut Pictures,
) -> Result<Vec<Message>, ApiError> {
    let list = match messages {
        Value::Array(list) if (1..=MESSAGES_MAX).contains(&list.len()) => list,
        _ => return Err(must_be("messages", &format!("a list of 1 to {MESSAGES_MAX} messages"))),
    };
    let mut reader = Reader { messages: vec![], calls: HashMap::new(), pictures };
    if let Some(system) = system {
        reader.messages.push(say(Role::System, texts("system", system)?));
    }
    for (index, value) in list.into_iter().enumerate() {
        reader.add(&format!("messages[{index}]"), value)?;
    }
    if reader.messages.last().is_some_and(|last| last.role == Role::Assistant) {
        let message = "`messages` must end with the user's turn: this node does not go on in the \
                       middle of an answer";
        return Err(ApiError::invalid("messages", message));
    }
    Ok(reader.messages)
}

fn say(role: Role, content: String) -> Message {
    Message { role, content, ..Message::default() }
}

struct Reader<'a> {
    messages: Vec<Message>,
    /// The tools by their calls' ids.
    calls: HashMap<String, String>,
    pictures: &'a mut Pictures,
}

impl Reader<'_> {
    fn add(&mut self, path: &str, value: Value) -> Result<(), ApiError> {
        let mut object = Object::new(path, value)?;
        let role = match object.string("role")?.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => {
                let roles = "\"user\", \"assistant\" or \"system\"";
                return Err(must_be(&object.path("role"), roles));
            }
        };
        let (path, content) = (object.path("content"), object.take("content"));
        object.finish()?;
        let blocks = match content {
            Some(Value::String(text)) => {
                self.messages.push(say(role, text));
                return Ok(());
            }
            Some(Value::Array(blocks)) if !blocks.is_empty() => blocks,
            _ => return Err(must_be(&path, "a string or a list of blocks")),
        };
        let mut turn = say(role, String::new());
        for (index, block) in blocks.into_iter().enumerate() {
            self.add_block(&mut turn, Object::new(&format!("{path}[{index}]"), block)?)?;
        }
        self.end(&mut turn);
        Ok(())
    }

    /// Adds a turn unless there is nothing in it.
    fn end(&mut self, turn: &mut Message) {
        let turn = std::mem::take(turn);
        let said = !turn.content.is_empty() || !turn.tool_calls.is_empty();
        let said = said || !turn.pictures.is_empty();
        if said || turn.role == Role::Assistant {
            self.messages.push(turn);
        }
    }

    fn add_block(&mut self, turn: &mut Message, mut block: Object) -> Result<(), ApiError> {
        block.ignore(&[CACHE_CONTROL]);
        let kind = block.string("type")?;
        match (kind.as_deref(), turn.role) {
            (Some("text"), _) => add_line(&mut turn.content, &text(&mut block)?),
            (Some("thinking"), Role::Assistant) => {
                // Nothing is signed here, and nothing checked.
                block.ignore(&["signature"]);
                let thought = block.string("thinking")?;
                let thought =
                    thought.ok_or_else(|| must_be(&block.path("thinking"), "a string"))?;
                add_line(turn.reasoning.get_or_insert_default(), &thought);
            }
            (Some("tool_use"), Role::Assistant) => turn.tool_calls.push(self.call(&mut block)?),
            (Some("tool_result"), Role::User) => {
                let result = self.result(&mut block)?;
                let role = turn.role;
                self.end(turn);
                turn.role = role;
                self.messages.push(result);
            }
            (Some("image"), Role::User) => {
                let number = self.picture(&mut block)?;
                turn.pictures.push(PictureSpot { at: turn.content.len(), number });
            }
            (_, role) => {
                let kinds = match role {
                    Role::Assistant => "\"text\", \"thinking\" or \"tool_use\"",
                    Role::System => "\"text\"",
                    _ => "\"text\", \"image\" or \"tool_result\"",
                };
                return Err(must_be(&block.path("type"), kinds));
            }
        }
        block.finish()
    }

    /// A picture of the request; its number.
    fn picture(&mut self, block: &mut Object) -> Result<usize, ApiError> {
        let mut source = Object::new(&block.path("source"), block.required("source")?)?;
        let kind = source.string("type")?;
        if kind.as_deref() != Some("base64") {
            let what = "\"base64\": this node fetches nothing, so send the picture itself";
            return Err(must_be(&source.path("type"), what));
        }
        let media_type = source.name("media_type")?;
        let (data, path) = (source.name("data")?, source.path("data"));
        source.finish()?;
        self.pictures.add(&path, &media_type, &data)
    }

    fn call(&mut self, block: &mut Object) -> Result<ToolCall, ApiError> {
        block.ignore(&["caller"]);
        let (id, name) = (short(block, "id")?, short(block, "name")?);
        let input = block.required("input")?;
        if !input.is_object() {
            return Err(must_be(&block.path("input"), "an object"));
        }
        self.calls.insert(id.clone(), name.clone());
        Ok(ToolCall { id, name, arguments: input.to_string() })
    }

    fn result(&mut self, block: &mut Object) -> Result<Message, ApiError> {
        let (id, path) = (block.name("tool_use_id")?, block.path("tool_use_id"));
        let Some(name) = self.calls.get(&id).cloned() else {
            let message = format!("`{path}` names a tool use {id:?} that was not made");
            return Err(ApiError::invalid(&path, message));
        };
        let mut content = match block.take("content") {
            None => String::new(),
            Some(content) => texts(&block.path("content"), content)?,
        };
        // Templates have no place for it, and the model should know.
        if block.flag("is_error")?.unwrap_or(false) {
            content.insert_str(0, "Error: ");
        }
        let answer = say(Role::Tool, content);
        Ok(Message { name: Some(name), tool_call_id: Some(id), ..answer })
    }
}

fn short(block: &mut Object, name: &str) -> Result<String, ApiError> {
    let text = block.name(name)?;
    if text.len() > NAME_BYTES_MAX {
        return Err(must_be(&block.path(name), &format!("at most {NAME_BYTES_MAX} bytes long")));
    }
    Ok(text)
}

/// A string, or a list of blocks of text, which are lines of it.
fn texts(path: &str, value: Value) -> Result<String, ApiError> {
    let blocks = match value {
        Value::String(text) => return Ok(text),
        Value::Array(blocks) => blocks,
        _ => return Err(must_be(path, "a string or a list of text blocks")),
    };
    let mut all = String::new();
    for (index, block) in blocks.into_iter().enumerate() {
        let mut block = Object::new(&format!("{path}[{index}]"), block)?;
        block.ignore(&[CACHE_CONTROL]);
        if block.string("type")?.as_deref() != Some("text") {
            return Err(must_be(&block.path("type"), "\"text\": this node reads text alone"));
        }
        add_line(&mut all, &text(&mut block)?);
        block.finish()?;
    }
    Ok(all)
}

fn text(block: &mut Object) -> Result<String, ApiError> {
    block.ignore(&["citations"]);
    block.string("text")?.ok_or_else(|| must_be(&block.path("text"), "a string"))
}

fn add_line(all: &mut String, line: &str) {
    if !all.is_empty() {
        all.push('\n');
    }
    all.push_str(line);
}
