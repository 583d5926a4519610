//! Turns items into the messages that a chat template takes.

use std::collections::HashMap;

use gaia_protocol::{Message, PictureSpot, Role, ToolCall};

use super::item::{Item, Part, Speaker};
use super::namespaces::joined;
use crate::http::error::ApiError;
use crate::http::pictures::Pictures;

/// The messages of what was said before and of a request's `input`, oldest first, behind the operator's
/// instructions, and the pictures that they show.
pub fn messages(
    instructions: Option<&str>,
    (before, input): (&[&Item], &[Item]),
    pictures: &mut Pictures,
) -> Result<Vec<Message>, ApiError> {
    let mut writer =
        Writer { messages: vec![], reasoning: None, calls: HashMap::new(), place: None, pictures };
    if let Some(text) = instructions {
        writer.messages.push(say(Role::System, text.to_owned()));
    }
    for item in before {
        writer.add(item)?;
    }
    for (index, item) in input.iter().enumerate() {
        writer.place = Some(index);
        writer.add(item)?;
    }
    Ok(writer.messages)
}

fn say(role: Role, content: String) -> Message {
    Message { role, content, ..Message::default() }
}

struct Writer<'a> {
    messages: Vec<Message>,
    /// What the model thought before what comes next.
    reasoning: Option<String>,
    /// The functions by their calls' ids.
    calls: HashMap<String, String>,
    /// Which item of the request's comes next; `None`: one that was said before.
    place: Option<usize>,
    pictures: &'a mut Pictures,
}

impl Writer<'_> {
    fn add(&mut self, item: &Item) -> Result<(), ApiError> {
        match item {
            Item::Message { role: Speaker::Assistant, content, .. } => {
                let reasoning = self.reasoning.take();
                self.messages.push(Message { reasoning, ..say(Role::Assistant, text(content)) });
            }
            Item::Message { role, content, .. } => {
                let role = if *role == Speaker::User { Role::User } else { Role::System };
                self.reasoning = None;
                let message = self.shown(content)?;
                self.messages.push(Message { role, ..message });
            }
            Item::Reasoning { content, .. } => {
                let thought = text(content);
                self.reasoning = Some(thought).filter(|thought| !thought.is_empty());
            }
            Item::FunctionCall { call_id, name, namespace, arguments, .. } => {
                let name = joined(namespace.as_deref(), name);
                self.calls.insert(call_id.clone(), name.clone());
                let (id, arguments) = (call_id.clone(), arguments.clone());
                self.turn().tool_calls.push(ToolCall { id, name, arguments });
            }
            Item::FunctionCallOutput { call_id, output, .. } => self.add_output(call_id, output)?,
            // The answer behind it says what came of it.
            Item::FileSearchCall { .. } => {}
        }
        Ok(())
    }

    /// A turn with the pictures in it.
    fn shown(&mut self, parts: &[Part]) -> Result<Message, ApiError> {
        let mut message = Message::default();
        for (index, part) in parts.iter().enumerate() {
            if let Part::Image { image_url, .. } = part {
                let param = self.place.map_or_else(
                    || "previous_response_id".to_owned(),
                    |item| format!("input[{item}].content[{index}].image_url"),
                );
                let number = self.pictures.add_url(&param, image_url)?;
                message.pictures.push(PictureSpot { at: message.content.len(), number });
            }
            message.content.push_str(part.text());
        }
        Ok(message)
    }

    /// The model's turn that a call belongs to: the last one, unless the model has thought since.
    fn turn(&mut self) -> &mut Message {
        let going_on = self.messages.last().is_some_and(|last| last.role == Role::Assistant);
        if !going_on || self.reasoning.is_some() {
            let reasoning = self.reasoning.take();
            self.messages.push(Message { reasoning, ..say(Role::Assistant, String::new()) });
        }
        self.messages.last_mut().expect("one was pushed if there was none")
    }

    fn add_output(&mut self, call_id: &str, output: &str) -> Result<(), ApiError> {
        let Some(name) = self.calls.get(call_id).cloned() else {
            let message = format!("`input` answers a function call {call_id:?} that was not made");
            return Err(ApiError::invalid("input", message));
        };
        let answer = say(Role::Tool, output.to_owned());
        let tool_call_id = Some(call_id.to_owned());
        self.messages.push(Message { name: Some(name), tool_call_id, ..answer });
        Ok(())
    }
}

fn text(parts: &[Part]) -> String {
    parts.iter().map(Part::text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::input::{Input, read};
    use super::*;

    fn items(value: serde_json::Value) -> Vec<Item> {
        let item = |input| match input {
            Input::Item(item) => item,
            Input::Reference { .. } => panic!("no references here"),
        };
        read(value).expect("good").into_iter().map(item).collect()
    }

    #[test]
    fn an_answer_to_no_call_is_refused() {
        let items = items(json!([{"type": "function_call_output", "call_id": "c", "output": "1"}]));
        let error = messages(None, (&[], &items), &mut Pictures::default()).expect_err("refused");
        assert_eq!(error.param.as_deref(), Some("input"));
    }

    #[test]
    fn a_picture_is_named_by_where_the_request_has_it() {
        let picture = json!({"type": "input_image", "image_url": "data:image/png;base64,AA=="});
        let shown = items(json!([
            {"role": "user", "content": "a"},
            {"role": "user", "content": [{"type": "input_text", "text": "b"}, picture]},
        ]));
        let before: Vec<_> = shown.iter().collect();
        for (said, param) in [
            ((&[][..], &shown[..]), "input[1].content[1].image_url"),
            ((&before[..], &shown[..1]), "previous_response_id"),
        ] {
            let mut pictures = Pictures::default();
            messages(None, said, &mut pictures).expect("good");
            assert_eq!(pictures.first(), Some(param));
        }
    }

    #[test]
    fn thoughts_and_calls_belong_to_the_models_turn() {
        let items = items(json!([
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"role": "assistant", "content": "let me see"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "function_call_output", "call_id": "c2", "output": "2"},
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "aha"}]},
            {"type": "function_call", "call_id": "c3", "name": "f", "arguments": "{}"},
        ]));
        let messages =
            messages(Some("You are Gaia."), (&[], &items), &mut Pictures::default()).expect("good");
        let said: Vec<_> = messages.iter().map(|m| (m.role, m.content.as_str())).collect();
        let golden = [
            (Role::System, "You are Gaia."),
            (Role::System, "be brief"),
            (Role::User, "ab"),
            (Role::Assistant, "let me see"),
            (Role::Tool, "1"),
            (Role::Tool, "2"),
            (Role::Assistant, ""),
        ];
        assert_eq!(said, golden);
        assert_eq!(messages[3].reasoning.as_deref(), Some("hm"));
        assert_eq!(messages[3].tool_calls.len(), 2);
        assert_eq!(messages[5].name.as_deref(), Some("g"));
        assert_eq!(messages[5].tool_call_id.as_deref(), Some("c2"));
        assert_eq!(messages[6].reasoning.as_deref(), Some("aha"));
        assert_eq!(messages[6].tool_calls[0].id, "c3");
    }
}
