//! The functions of a chat request.

use gaia_protocol::{Tool, ToolChoice, Tools};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::format::{NAME_RULE, check_schema, is_name};

/// OpenAI's limit.
const TOOLS_MAX: usize = 128;
const DESCRIPTION_BYTES_MAX: usize = 64 << 10;

/// Takes `tools`, `tool_choice` and `parallel_tool_calls`.
pub fn take(fields: &mut Fields) -> Result<Tools, ApiError> {
    let mut list = take_list(fields)?;
    let choice = take_choice(fields, &mut list)?;
    let single = fields.maybe_flag("parallel_tool_calls")? == Some(false);
    Ok(Tools { list, choice, single })
}

fn take_list(fields: &mut Fields) -> Result<Vec<Tool>, ApiError> {
    let values = fields.list("tools")?.unwrap_or_default();
    if values.len() > TOOLS_MAX {
        return Err(must_be("tools", &format!("a list of at most {TOOLS_MAX} functions")));
    }
    let mut list: Vec<Tool> = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let mut fields = fields.nested(&format!("tools[{index}]"), value)?;
        if fields.word("type", &["function"])?.is_none() {
            return Err(missing(&fields.at("type")));
        }
        let function = fields.object("function")?;
        let function = function.ok_or_else(|| missing(&fields.at("function")))?;
        let name = function.at("name");
        let tool = tool(function)?;
        if list.iter().any(|other| other.name == tool.name) {
            return Err(must_be(&name, "different from the names of the other functions"));
        }
        fields.finish(&[])?;
        list.push(tool);
    }
    Ok(list)
}

fn tool(mut function: Fields) -> Result<Tool, ApiError> {
    let name = take_name(&mut function)?;
    let description = function.string("description")?;
    if description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        let what = format!("at most {DESCRIPTION_BYTES_MAX} bytes long");
        return Err(must_be(&function.at("description"), &what));
    }
    let parameters = function.take("parameters");
    let param = function.at("parameters");
    let parameters = parameters.map(|schema| check_schema(&param, schema)).transpose()?;
    let strict = function.flag("strict")?;
    function.finish(&[])?;
    Ok(Tool { name, description, parameters, strict })
}

fn take_name(fields: &mut Fields) -> Result<String, ApiError> {
    let name = fields.string("name")?.ok_or_else(|| missing(&fields.at("name")))?;
    if is_name(&name) { Ok(name) } else { Err(must_be(&fields.at("name"), NAME_RULE)) }
}

fn take_choice(fields: &mut Fields, list: &mut Vec<Tool>) -> Result<ToolChoice, ApiError> {
    const WHAT: &str = "\"auto\", \"none\", \"required\" or \
        {\"type\": \"function\", \"function\": {\"name\": …}}";
    let choice = match fields.take("tool_choice") {
        None => return Ok(ToolChoice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => return Ok(ToolChoice::Auto),
            "none" => return Ok(ToolChoice::None),
            "required" => ToolChoice::Required,
            _ => return Err(must_be("tool_choice", WHAT)),
        },
        Some(value @ Value::Object(_)) => chosen(fields.nested("tool_choice", value)?, list)?,
        Some(_) => return Err(must_be("tool_choice", WHAT)),
    };
    if list.is_empty() {
        let message = "`tool_choice` asks for a call, but `tools` names no function";
        return Err(ApiError::invalid("tool_choice", message));
    }
    Ok(choice)
}

fn chosen(mut choice: Fields, list: &mut Vec<Tool>) -> Result<ToolChoice, ApiError> {
    match choice.word("type", &["function", "allowed_tools"])? {
        Some("function") => named(choice, list).map(ToolChoice::Named),
        Some(_) => allowed(choice, list),
        None => Err(missing(&choice.at("type"))),
    }
}

/// One of the functions, by its name.
fn named(mut choice: Fields, list: &[Tool]) -> Result<String, ApiError> {
    let function = choice.object("function")?;
    let mut function = function.ok_or_else(|| missing(&choice.at("function")))?;
    let name = take_name(&mut function)?;
    if !list.iter().any(|tool| tool.name == name) {
        return Err(must_be(&function.at("name"), "the name of one of `tools`"));
    }
    function.finish(&[])?;
    choice.finish(&[])?;
    Ok(name)
}

/// Some of the functions: the others are as if they were not there.
fn allowed(mut choice: Fields, list: &mut Vec<Tool>) -> Result<ToolChoice, ApiError> {
    let inner = choice.object("allowed_tools")?;
    let mut inner = inner.ok_or_else(|| missing(&choice.at("allowed_tools")))?;
    let mode = inner.word("mode", &["auto", "required"])?;
    let mode = mode.ok_or_else(|| missing(&inner.at("mode")))?;
    let mut names = vec![];
    for (index, value) in inner.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = inner.nested(&format!("tools[{index}]"), value)?;
        if tool.word("type", &["function"])?.is_none() {
            return Err(missing(&tool.at("type")));
        }
        names.push(named(tool, list)?);
    }
    if names.is_empty() {
        return Err(must_be(&inner.at("tools"), "a list of at least one of `tools`"));
    }
    inner.finish(&[])?;
    choice.finish(&[])?;
    list.retain(|tool| names.contains(&tool.name));
    Ok(if mode == "required" { ToolChoice::Required } else { ToolChoice::Auto })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<Tools, ApiError> {
        take(&mut Fields::parse(body.to_string().as_bytes()).expect("an object"))
    }

    fn tools(function: &Value) -> Value {
        json!({"tools": [{"type": "function", "function": function}]})
    }

    fn choosing(choice: &Value) -> Value {
        let mut body = tools(&json!({"name": "f"}));
        body["tool_choice"] = choice.clone();
        body
    }

    fn allowing(allowed: &Value) -> Value {
        json!({"type": "allowed_tools", "allowed_tools": allowed})
    }

    fn by_name(name: &str) -> Value {
        json!({"type": "function", "function": {"name": name}})
    }

    #[test]
    fn each_wrong_tool_is_named() {
        let tool = json!({"type": "function", "function": {"name": "f"}});
        let long = "d".repeat(DESCRIPTION_BYTES_MAX + 1);
        for (body, param) in [
            (json!({"tools": 7}), "tools"),
            (json!({"tools": vec![tool.clone(); 129]}), "tools"),
            (json!({"tools": [7]}), "tools[0]"),
            (json!({"tools": [{}]}), "tools[0].type"),
            (json!({"tools": [{"type": "custom"}]}), "tools[0].type"),
            (json!({"tools": [{"type": "function"}]}), "tools[0].function"),
            (json!({"tools": [tool, tool]}), "tools[1].function.name"),
            (tools(&json!({})), "tools[0].function.name"),
            (tools(&json!({"name": ""})), "tools[0].function.name"),
            (tools(&json!({"name": "a.b"})), "tools[0].function.name"),
            (tools(&json!({"name": "f", "description": 7})), "tools[0].function.description"),
            (tools(&json!({"name": "f", "description": long})), "tools[0].function.description"),
            (tools(&json!({"name": "f", "parameters": []})), "tools[0].function.parameters"),
            (tools(&json!({"name": "f", "strict": 1})), "tools[0].function.strict"),
            (tools(&json!({"name": "f", "more": 1})), "tools[0].function.more"),
            (json!({"parallel_tool_calls": 1}), "parallel_tool_calls"),
        ] {
            let error = parse(&body).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn each_wrong_choice_is_named() {
        for (choice, param) in [
            (json!("always"), "tool_choice"),
            (json!(7), "tool_choice"),
            (json!({}), "tool_choice.type"),
            (json!({"type": "function"}), "tool_choice.function"),
            (json!({"type": "function", "function": {}}), "tool_choice.function.name"),
            (json!({"type": "function", "function": {"name": "g"}}), "tool_choice.function.name"),
            (json!({"type": "allowed_tools"}), "tool_choice.allowed_tools"),
            (allowing(&json!({"tools": []})), "tool_choice.allowed_tools.mode"),
            (allowing(&json!({"mode": "auto"})), "tool_choice.allowed_tools.tools"),
            (
                allowing(&json!({"mode": "auto", "tools": [{"type": "custom"}]})),
                "tool_choice.allowed_tools.tools[0].type",
            ),
            (
                allowing(&json!({"mode": "auto", "tools": [by_name("g")]})),
                "tool_choice.allowed_tools.tools[0].function.name",
            ),
        ] {
            let error = parse(&choosing(&choice)).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some(param), "{choice}");
        }
        let none = parse(&json!({"tool_choice": "required"})).expect_err("refused");
        assert_eq!(none.param.as_deref(), Some("tool_choice"));
    }

    #[test]
    fn tools_that_are_not_allowed_are_left_out() {
        let allowed = allowing(&json!({"mode": "required", "tools": [by_name("g")]}));
        let list = [by_name("f"), by_name("g"), by_name("h")];
        let tools = parse(&json!({"tools": list, "tool_choice": allowed})).expect("good");
        let names: Vec<_> = tools.list.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!((names, tools.choice), (vec!["g"], ToolChoice::Required));
    }

    #[test]
    fn good_tools_are_taken() {
        let schema = json!({"type": "object", "properties": {}});
        let full = json!({"name": "f", "description": "d", "parameters": schema, "strict": true});
        let mut body = tools(&full);
        body["parallel_tool_calls"] = json!(false);
        body["tool_choice"] = json!({"type": "function", "function": {"name": "f"}});
        let tool = Tool {
            name: "f".into(),
            description: Some("d".into()),
            parameters: Some(schema),
            strict: true,
        };
        let choice = ToolChoice::Named("f".into());
        assert_eq!(parse(&body).expect("good"), Tools { list: vec![tool], choice, single: true });
        for (word, choice) in [
            ("auto", ToolChoice::Auto),
            ("none", ToolChoice::None),
            ("required", ToolChoice::Required),
        ] {
            assert_eq!(parse(&choosing(&json!(word))).expect("good").choice, choice);
        }
        assert_eq!(parse(&json!({"tools": []})).expect("good"), Tools::default());
    }
}
