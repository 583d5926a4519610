//! Reads `tools` and `tool_choice`.

use gaia_protocol::{Tool, ToolChoice, Tools};
use serde_json::{Value, json};

use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::functions::{TOOLS_MAX, check_choice, check_names};
use crate::http::object::Object;

/// The functions, for the model and for the answer.
pub struct Taken {
    /// For the model.
    pub tools: Tools,
    /// `tools`, repeated.
    pub list: Vec<Value>,
    /// `tool_choice`, repeated.
    pub choice: Value,
}

/// Takes both fields.
pub fn take(fields: &mut Fields, parallel: bool) -> Result<Taken, ApiError> {
    let list = match fields.take("tools") {
        None => vec![],
        Some(Value::Array(list)) if list.len() <= TOOLS_MAX => list,
        Some(_) => return Err(must_be("tools", &format!("a list of at most {TOOLS_MAX} tools"))),
    };
    let list = list.into_iter().enumerate().map(tool).collect::<Result<Vec<_>, _>>()?;
    check_names(&list, "tools")?;
    let given = fields.take("tool_choice").unwrap_or_else(|| "auto".into());
    let choice = choice(given.clone(), &list)?;
    let echo = list.iter().map(echo).collect();
    Ok(Taken { tools: Tools { list, choice, single: !parallel }, list: echo, choice: given })
}

fn tool((index, value): (usize, Value)) -> Result<Tool, ApiError> {
    let mut object = Object::new(&format!("tools[{index}]"), value)?;
    if object.string("type")?.as_deref() != Some("function") {
        let message = "this node calls functions alone";
        return Err(must_be(&object.path("type"), &format!("\"function\": {message}")));
    }
    let (name, description) = (object.name("name")?, object.string("description")?);
    let parameters = object.take("parameters");
    if parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
        return Err(must_be(&object.path("parameters"), "an object"));
    }
    let strict = object.flag("strict")?.unwrap_or(false);
    object.finish()?;
    Ok(Tool { name, description, parameters, strict })
}

fn echo(tool: &Tool) -> Value {
    let Tool { name, description, parameters, strict } = tool;
    json!({
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": strict,
    })
}

fn choice(value: Value, list: &[Tool]) -> Result<ToolChoice, ApiError> {
    let wrong = || {
        let choices = "\"auto\", \"none\", \"required\" or {\"type\": \"function\", \"name\": …}";
        must_be("tool_choice", choices)
    };
    let choice = match value {
        Value::String(word) => match word.as_str() {
            "auto" => return Ok(ToolChoice::Auto),
            "none" => return Ok(ToolChoice::None),
            "required" => ToolChoice::Required,
            _ => return Err(wrong()),
        },
        Value::Object(_) if value["type"] == "function" => {
            let mut object = Object::new("tool_choice", value)?;
            object.ignore(&["type"]);
            let name = object.name("name")?;
            object.finish()?;
            ToolChoice::Named(name)
        }
        _ => return Err(wrong()),
    };
    check_choice(choice, list)
}
