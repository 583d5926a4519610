//! Reads `tools` and `tool_choice`: functions of the client's, and this node's search in files.

use gaia_protocol::{Tool, ToolChoice, Tools};
use serde_json::{Value, json};

use super::file_search::{self, FILE_SEARCH, FileSearch};
use super::namespaces::{NAMESPACE, Namespaces, joined};
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
    /// The search in files, unless it may not be used.
    pub file_search: Option<FileSearch>,
    /// Where the functions stand.
    pub namespaces: Namespaces,
}

/// Takes both fields.
pub fn take(fields: &mut Fields, parallel: bool) -> Result<Taken, ApiError> {
    let list = match fields.take("tools") {
        None => vec![],
        Some(Value::Array(list)) if list.len() <= TOOLS_MAX => list,
        Some(_) => return Err(must_be("tools", &format!("a list of at most {TOOLS_MAX} tools"))),
    };
    let Given { functions, places, mut file_search, echo, namespaces } = Given::read(list, fields)?;
    if functions.len() > TOOLS_MAX {
        return Err(must_be("tools", &format!("at most {TOOLS_MAX} functions in all")));
    }
    check_names(&functions, |index| places[index].clone())?;
    let given = fields.take("tool_choice").unwrap_or_else(|| "auto".into());
    let choice = match file_search.as_mut() {
        Some(search) => beside_search(&given, &functions, search)?,
        None => None,
    };
    let choice = choice.map_or_else(|| read_choice(given.clone(), &functions), Ok)?;
    if given == "none" {
        file_search = None;
    }
    let tools = Tools { list: functions, choice, single: !parallel };
    Ok(Taken { tools, list: echo, choice: given, file_search, namespaces })
}

/// The tools of a request.
#[derive(Default)]
struct Given {
    functions: Vec<Tool>,
    /// Where each function stands.
    places: Vec<String>,
    file_search: Option<FileSearch>,
    echo: Vec<Value>,
    namespaces: Namespaces,
}

impl Given {
    fn read(list: Vec<Value>, fields: &Fields) -> Result<Self, ApiError> {
        let mut given = Self::default();
        for (index, value) in list.into_iter().enumerate() {
            let place = format!("tools[{index}]");
            if value["type"] == NAMESPACE {
                let (functions, echo) = given.namespaces.read(&place, value)?;
                let places = (0..functions.len()).map(|inner| format!("{place}.tools[{inner}]"));
                given.places.extend(places);
                given.functions.extend(functions);
                given.echo.push(echo);
                continue;
            }
            if value["type"] != FILE_SEARCH {
                let tool = function(&place, value)?;
                given.echo.push(echo(&tool));
                given.functions.push(tool);
                given.places.push(place);
                continue;
            }
            if given.file_search.is_some() {
                let message = format!("`{place}`: file_search stands there already");
                return Err(ApiError::invalid(&place, message));
            }
            let (search, echo) = file_search::read(fields.nested(&place, value)?)?;
            given.echo.push(echo);
            given.file_search = Some(search);
        }
        Ok(given)
    }
}

/// What a choice means beside a search in files; nothing if it means what it always does.
fn beside_search(
    given: &Value,
    functions: &[Tool],
    search: &mut FileSearch,
) -> Result<Option<ToolChoice>, ApiError> {
    let names_it = given["type"] == FILE_SEARCH;
    search.is_forced = names_it || (given == "required" && functions.is_empty());
    if names_it && given.as_object().is_some_and(|choice| choice.len() > 1) {
        return Err(must_be("tool_choice", "{\"type\": \"file_search\"}"));
    }
    Ok(search.is_forced.then_some(ToolChoice::Auto))
}

/// Reads a function.
pub fn function(place: &str, value: Value) -> Result<Tool, ApiError> {
    let mut object = Object::new(place, value)?;
    if object.string("type")?.as_deref() != Some("function") {
        let kinds = "\"function\", \"namespace\" or \"file_search\": this node has no other tools";
        return Err(must_be(&object.path("type"), kinds));
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

/// A function as it is repeated.
pub fn echo(tool: &Tool) -> Value {
    let Tool { name, description, parameters, strict } = tool;
    json!({
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": strict,
    })
}

fn read_choice(value: Value, list: &[Tool]) -> Result<ToolChoice, ApiError> {
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
            let (name, namespace) = (object.name("name")?, object.string("namespace")?);
            object.finish()?;
            ToolChoice::Named(joined(namespace.as_deref(), &name))
        }
        _ => return Err(wrong()),
    };
    check_choice(choice, list)
}
