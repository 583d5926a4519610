//! Reads `input`: a text, or a list of items.

use serde_json::Value;

use super::item::{Item, Part, Speaker, Status};
use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::ids::new_id;
use crate::http::object::Object;
use crate::http::pictures::Pictures;

/// Items of one request.
const ITEMS_MAX: usize = 4096;

/// The name of a function and the id of its call at most: each output of the call repeats both.
const NAME_BYTES_MAX: usize = 256;

/// Queries of one search at most, and their bytes together.
const QUERIES_MAX: usize = 64;
const QUERIES_BYTES_MAX: usize = 1 << 20;

/// What clients send back with an item that they got: it says nothing that the node needs.
const ECHOES: [&str; 5] = ["status", "phase", "parsed", "parsed_arguments", "created_by"];

/// One item of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The item itself.
    Item(Item),
    /// The id of one that is stored, and where it is named.
    Reference {
        /// Its id.
        id: String,
        /// The field that names it.
        param: String,
    },
}

/// Reads the whole input.
pub fn read(value: Value) -> Result<Vec<Input>, ApiError> {
    match value {
        Value::String(text) => {
            let content = vec![Part::Input { text }];
            Ok(vec![Input::Item(message(new_id("msg_"), Speaker::User, content))])
        }
        Value::Array(list) if (1..=ITEMS_MAX).contains(&list.len()) => {
            let item = |(index, value)| item(&format!("input[{index}]"), value);
            list.into_iter().enumerate().map(item).collect()
        }
        _ => Err(must_be("input", &format!("a string or a list of 1 to {ITEMS_MAX} items"))),
    }
}

fn item(path: &str, value: Value) -> Result<Input, ApiError> {
    let mut object = Object::new(path, value)?;
    object.ignore(&ECHOES);
    let kind = object.string("type")?;
    let item = match kind.as_deref() {
        None | Some("message") => read_message(&mut object)?,
        Some("function_call") => read_call(&mut object)?,
        Some("function_call_output") => read_output(&mut object)?,
        Some("file_search_call") => read_search(&mut object)?,
        Some("reasoning") => read_reasoning(&mut object)?,
        Some("item_reference") => {
            let reference = Input::Reference { id: object.name("id")?, param: object.path("id") };
            return object.finish().map(|()| reference);
        }
        Some(_) => {
            let kinds = "\"message\", \"function_call\", \"function_call_output\", \
                         \"file_search_call\", \"reasoning\" or \"item_reference\"";
            return Err(must_be(&object.path("type"), kinds));
        }
    };
    object.finish()?;
    Ok(Input::Item(item))
}

fn message(id: String, role: Speaker, content: Vec<Part>) -> Item {
    Item::Message { id, status: Status::Completed, role, content }
}

fn id(object: &mut Object, prefix: &str) -> Result<String, ApiError> {
    Ok(object.string("id")?.unwrap_or_else(|| new_id(prefix)))
}

fn read_message(object: &mut Object) -> Result<Item, ApiError> {
    let id = id(object, "msg_")?;
    let role = match object.string("role")?.as_deref() {
        Some("system") => Speaker::System,
        Some("developer") => Speaker::Developer,
        Some("user") => Speaker::User,
        Some("assistant") => Speaker::Assistant,
        _ => {
            let roles = "\"system\", \"developer\", \"user\" or \"assistant\"";
            return Err(must_be(&object.path("role"), roles));
        }
    };
    if role == Speaker::User {
        return Ok(message(id, role, parts(object)?));
    }
    let texts = texts(object, "content")?;
    let part = |text| match role {
        Speaker::Assistant => Part::output(text),
        _ => Part::Input { text },
    };
    Ok(message(id, role, texts.into_iter().map(part).collect()))
}

/// What a person says and shows.
fn parts(object: &mut Object) -> Result<Vec<Part>, ApiError> {
    let path = object.path("content");
    match object.take("content") {
        Some(Value::String(text)) => Ok(vec![Part::Input { text }]),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let part = |(index, part): (usize, Value)| {
                let path = format!("{path}[{index}]");
                match part["type"] == "input_image" {
                    true => image(&path, part),
                    false => text(&path, part).map(|text| Part::Input { text }),
                }
            };
            parts.into_iter().enumerate().map(part).collect()
        }
        _ => Err(must_be(&path, "a string or a list of parts")),
    }
}

fn image(path: &str, value: Value) -> Result<Part, ApiError> {
    let mut part = Object::new(path, value)?;
    part.ignore(&["type"]);
    let detail = part.string("detail")?.unwrap_or_else(|| "auto".to_owned());
    if !["auto", "low", "high", "original"].contains(&detail.as_str()) {
        let words = "\"auto\", \"low\", \"high\" or \"original\"";
        return Err(must_be(&part.path("detail"), words));
    }
    let (url, param) = (part.string("image_url")?, part.path("image_url"));
    let image_url = url.ok_or_else(|| {
        must_be(&param, "the picture itself, as \"data:image/png;base64,…\": uploaded files are no pictures here")
    })?;
    // Before it is kept, and again when it is shown.
    Pictures::default().add_url(&param, &image_url)?;
    part.finish()?;
    Ok(Part::Image { image_url, detail })
}

/// A string, or a list of parts of text.
fn texts(object: &mut Object, name: &str) -> Result<Vec<String>, ApiError> {
    let path = object.path(name);
    match object.take(name) {
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let part = |(index, part)| text(&format!("{path}[{index}]"), part);
            parts.into_iter().enumerate().map(part).collect()
        }
        _ => Err(must_be(&path, "a string or a list of text parts")),
    }
}

fn text(path: &str, value: Value) -> Result<String, ApiError> {
    let mut part = Object::new(path, value)?;
    part.ignore(&["annotations", "logprobs", "parsed"]);
    let kind = part.string("type")?;
    let text = match kind.as_deref() {
        Some("input_text" | "output_text" | "text") => part.string("text")?,
        Some("refusal") => part.string("refusal")?,
        _ => {
            let message =
                "must be \"input_text\", \"output_text\" or, of the user, \"input_image\"";
            let path = part.path("type");
            return Err(ApiError::invalid(&path, format!("`{path}` {message}")));
        }
    };
    let text = text.ok_or_else(|| must_be(&part.path("text"), "a string"))?;
    part.finish()?;
    Ok(text)
}

fn read_call(object: &mut Object) -> Result<Item, ApiError> {
    let id = id(object, "fc_")?;
    let (call_id, name) = (short(object, "call_id")?, short(object, "name")?);
    let namespace = match object.string("namespace")? {
        Some(namespace) => Some(fitting(object, "namespace", namespace)?),
        None => None,
    };
    let arguments = object.string("arguments")?;
    let arguments = arguments.ok_or_else(|| must_be(&object.path("arguments"), "a string"))?;
    let status = Status::Completed;
    Ok(Item::FunctionCall { id, call_id, name, namespace, arguments, status })
}

fn read_output(object: &mut Object) -> Result<Item, ApiError> {
    let id = id(object, "fco_")?;
    let call_id = short(object, "call_id")?;
    let output = texts(object, "output")?.concat();
    Ok(Item::FunctionCallOutput { id, call_id, output, status: Status::Completed })
}

/// A name that must be there.
fn short(object: &mut Object, name: &str) -> Result<String, ApiError> {
    let text = object.name(name)?;
    fitting(object, name, text)
}

fn fitting(object: &Object, name: &str, text: String) -> Result<String, ApiError> {
    if text.len() > NAME_BYTES_MAX {
        return Err(must_be(&object.path(name), &format!("at most {NAME_BYTES_MAX} bytes long")));
    }
    Ok(text)
}

/// What was found is looked up again if it is asked for again.
fn read_search(object: &mut Object) -> Result<Item, ApiError> {
    let id = id(object, "fs_")?;
    object.ignore(&["results"]);
    let path = object.path("queries");
    let queries: Option<Vec<_>> = match object.take("queries") {
        None => Some(vec![]),
        Some(Value::Array(list)) if list.len() <= QUERIES_MAX => {
            list.iter().map(|v| v.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let fit = |list: &Vec<String>| list.iter().map(String::len).sum::<usize>() <= QUERIES_BYTES_MAX;
    let queries = queries.filter(fit).ok_or_else(|| {
        let what = format!(
            "a list of at most {QUERIES_MAX} strings, of {QUERIES_BYTES_MAX} bytes together"
        );
        must_be(&path, &what)
    })?;
    Ok(Item::FileSearchCall { id, queries, results: None, status: Status::Completed })
}

fn read_reasoning(object: &mut Object) -> Result<Item, ApiError> {
    let id = id(object, "rs_")?;
    // A summary is no thought, and what another node has encrypted can't be read here.
    object.ignore(&["summary", "encrypted_content"]);
    let path = object.path("content");
    let parts = match object.take("content") {
        None => vec![],
        Some(Value::Array(parts)) => parts,
        Some(_) => return Err(must_be(&path, "a list of reasoning_text parts")),
    };
    let part = |(index, part)| thought(&format!("{path}[{index}]"), part);
    let content = parts.into_iter().enumerate().map(part).collect::<Result<_, _>>()?;
    Ok(Item::Reasoning { id, summary: [], content, status: Status::Completed })
}

fn thought(path: &str, value: Value) -> Result<Part, ApiError> {
    let mut part = Object::new(path, value)?;
    if part.string("type")?.as_deref() != Some("reasoning_text") {
        return Err(must_be(&part.path("type"), "\"reasoning_text\""));
    }
    let text = part.string("text")?.ok_or_else(|| must_be(&part.path("text"), "a string"))?;
    part.finish()?;
    Ok(Part::Thought { text })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A call in which this name is too long.
    fn call_with(field: &str) -> Value {
        let mut call =
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": ""});
        call[field] = "x".repeat(NAME_BYTES_MAX + 1).into();
        call
    }

    #[test]
    fn each_wrong_item_is_named() {
        for (input, param) in [
            (json!(7), "input"),
            (json!([]), "input"),
            (json!([7]), "input[0]"),
            (json!([{"content": "a"}]), "input[0].role"),
            (json!([{"role": "king", "content": "a"}]), "input[0].role"),
            (json!([{"role": "user"}]), "input[0].content"),
            (json!([{"role": "user", "content": []}]), "input[0].content"),
            (json!([{"role": "user", "content": ["a"]}]), "input[0].content[0]"),
            (
                json!([{"role": "system", "content": [{"type": "input_image"}]}]),
                "input[0].content[0].type",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_image"}]}]),
                "input[0].content[0].image_url",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_image", "image_url": "http://a"}]}]),
                "input[0].content[0].image_url",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_file"}]}]),
                "input[0].content[0].type",
            ),
            (
                json!([{"role": "user", "content": [{"type": "input_text"}]}]),
                "input[0].content[0].text",
            ),
            (json!([{"role": "user", "content": "a", "more": 1}]), "input[0].more"),
            (json!([{"type": "web_search_call"}]), "input[0].type"),
            (json!([{"type": "function_call", "name": "f", "arguments": ""}]), "input[0].call_id"),
            (json!([{"type": "function_call", "call_id": "c", "arguments": ""}]), "input[0].name"),
            (json!([{"type": "function_call", "call_id": "c", "name": "f"}]), "input[0].arguments"),
            (json!([{"type": "function_call_output", "output": "1"}]), "input[0].call_id"),
            (json!([{"type": "function_call_output", "call_id": "c"}]), "input[0].output"),
            (json!([{"type": "reasoning", "content": "a"}]), "input[0].content"),
            (json!([{"type": "reasoning", "content": [{}]}]), "input[0].content[0].type"),
            (json!([{"type": "file_search_call", "queries": "a"}]), "input[0].queries"),
            (
                json!([{"type": "file_search_call", "queries": ["a".repeat(QUERIES_BYTES_MAX + 1)]}]),
                "input[0].queries",
            ),
            (
                json!([{"type": "file_search_call", "queries": vec![""; QUERIES_MAX + 1]}]),
                "input[0].queries",
            ),
            (json!([call_with("call_id")]), "input[0].call_id"),
            (json!([call_with("name")]), "input[0].name"),
            (json!([call_with("namespace")]), "input[0].namespace"),
            (
                json!([{"type": "function_call_output", "call_id": "c".repeat(NAME_BYTES_MAX + 1), "output": ""}]),
                "input[0].call_id",
            ),
            (json!([{"type": "item_reference"}]), "input[0].id"),
        ] {
            let error = read(input.clone()).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param), "{input}");
        }
    }

    #[test]
    fn what_the_node_answered_can_be_sent_back() {
        let items = [
            Item::Reasoning {
                id: "rs_1".into(),
                summary: [],
                content: vec![Part::Thought { text: "hm".into() }],
                status: Status::Completed,
            },
            message("msg_1".into(), Speaker::Assistant, vec![Part::output("a".into())]),
            Item::FileSearchCall {
                id: "fs_1".into(),
                queries: vec!["b".into()],
                results: None,
                status: Status::Completed,
            },
            Item::FunctionCall {
                id: "fc_1".into(),
                call_id: "call_1".into(),
                name: "f".into(),
                namespace: Some("n".into()),
                arguments: "{}".into(),
                status: Status::Completed,
            },
        ];
        let sent = serde_json::to_value(&items).expect("JSON");
        let read = read(sent).expect("good");
        assert_eq!(read, items.map(Input::Item));
    }
}
