//! Reads `tools` and `tool_choice`.

use gaia_protocol::{Tool, ToolChoice, Tools};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::functions::{TOOLS_MAX, check_choice, check_names};
use crate::http::object::Object;

/// Takes both fields.
pub fn take(fields: &mut Fields) -> Result<Tools, ApiError> {
    let list = match fields.take("tools") {
        None => vec![],
        Some(Value::Array(list)) if list.len() <= TOOLS_MAX => list,
        Some(_) => return Err(must_be("tools", &format!("a list of at most {TOOLS_MAX} tools"))),
    };
    let list = list.into_iter().enumerate().map(tool).collect::<Result<Vec<_>, _>>()?;
    check_names(&list, |index| format!("tools[{index}]"))?;
    let (choice, single) = match fields.take("tool_choice") {
        None => (ToolChoice::Auto, false),
        Some(value) => choice(value)?,
    };
    let choice = check_choice(choice, &list)?;
    Ok(Tools { list, choice, single })
}

fn tool((index, value): (usize, Value)) -> Result<Tool, ApiError> {
    let mut object = Object::new(&format!("tools[{index}]"), value)?;
    // What a cache could keep it keeps without being asked, and arguments are streamed as they come.
    object.ignore(&["cache_control", "eager_input_streaming"]);
    if object.string("type")?.is_some_and(|kind| kind != "custom") {
        let message = "this node has no tools of its own";
        return Err(must_be(&object.path("type"), &format!("\"custom\": {message}")));
    }
    let (name, description) = (object.name("name")?, object.string("description")?);
    let schema = object.required("input_schema")?;
    if !schema.is_object() {
        return Err(must_be(&object.path("input_schema"), "an object"));
    }
    let strict = object.flag("strict")?.unwrap_or(false);
    object.finish()?;
    Ok(Tool { name, description, parameters: Some(schema), strict })
}

fn choice(value: Value) -> Result<(ToolChoice, bool), ApiError> {
    let mut object = Object::new("tool_choice", value)?;
    let single = object.flag("disable_parallel_tool_use")?.unwrap_or(false);
    let choice = match object.string("type")?.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::Named(object.name("name")?),
        _ => {
            let types = "\"auto\", \"any\", \"tool\" or \"none\"";
            return Err(must_be("tool_choice.type", types));
        }
    };
    object.finish()?;
    Ok((choice, single))
}
