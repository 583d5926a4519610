//! What a request may say.

use gaia_protocol::{ChatTask, Format, Sampling};
use serde_json::{Map, Value};

use super::{conversation, tools};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be, whole};
use crate::http::knowledge::Wish;
use crate::http::object::Object;
use crate::http::pictures::Pictures;

/// Texts that may end an answer.
pub const STOPS_MAX: usize = 16;

/// An edit of `context_management`, as Claude Code sends it with each request.
const CLEAR_THINKING: &str = "clear_thinking_20251015";

/// Anthropic's fields that this node does not honour, with the value that asks nothing of it.
const UNSUPPORTED: &[Unsupported] = &[
    // What a cache could keep it keeps without being asked.
    ("cache_control", |_| true),
    ("container", |_| false),
    ("inference_geo", |_| false),
    ("mcp_servers", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("service_tier", |value| value == "auto" || value == "standard_only"),
    ("speed", |value| value == "standard"),
];

/// A valid request.
#[derive(Debug)]
pub struct Asked {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// The work.
    pub task: ChatTask,
    /// The pictures that its messages show.
    pub pictures: Pictures,
    /// Whether to stream.
    pub streamed: bool,
    /// What it is to know.
    pub knowledge: Wish,
}

impl Asked {
    /// Checks every field of a request for an answer.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let max_tokens = fields.count("max_tokens")?;
        let max_tokens =
            max_tokens.ok_or_else(|| ApiError::invalid("max_tokens", "`max_tokens` is missing"))?;
        let sampling = take_sampling(&mut fields)?;
        let stop = take_stop(&mut fields)?;
        let streamed = fields.flag("stream")?;
        take_metadata(&mut fields)?;
        let asked = Self::parse_count(fields)?;
        let task = ChatTask { sampling, stop, max_tokens: Some(max_tokens), ..asked.task };
        Ok(Self { streamed, task, ..asked })
    }

    /// Checks every field of a request for a count.
    pub fn parse_count(mut fields: Fields) -> Result<Self, ApiError> {
        let (model, system) = (fields.string("model")?, fields.take("system"));
        let mut pictures = Pictures::default();
        let messages = conversation::read(system, fields.required("messages")?, &mut pictures)?;
        let tools = tools::take(&mut fields)?;
        let mut template_options = Map::new();
        take_thinking(&mut fields, &mut template_options)?;
        let format = take_output_config(&mut fields, &mut template_options)?;
        take_context_management(&mut fields)?;
        let knowledge = Wish::take(&mut fields)?;
        fields.finish(UNSUPPORTED)?;
        let task = ChatTask { messages, tools, format, template_options, ..ChatTask::default() };
        Ok(Self { model, task, pictures, streamed: false, knowledge })
    }
}

fn take_sampling(fields: &mut Fields) -> Result<Sampling, ApiError> {
    let top_k = match fields.take("top_k") {
        None => None,
        Some(value) => {
            let top_k = whole(&value).map(|top_k| u32::try_from(top_k).unwrap_or(u32::MAX));
            Some(top_k.ok_or_else(|| must_be("top_k", "an integer of at least 0"))?)
        }
    };
    Ok(Sampling {
        temperature: fields.number("temperature", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
        top_p: fields.number("top_p", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
        top_k,
        ..Sampling::default()
    })
}

fn take_stop(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let wrong = || {
        let what = format!("a list of at most {STOPS_MAX} strings, none empty");
        must_be("stop_sequences", &what)
    };
    let list = match fields.take("stop_sequences") {
        None => return Ok(vec![]),
        Some(Value::Array(list)) if list.len() <= STOPS_MAX => list,
        Some(_) => return Err(wrong()),
    };
    let text = |value| match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(wrong()),
    };
    list.into_iter().map(text).collect()
}

/// Who asks on whose behalf is of no use here.
fn take_metadata(fields: &mut Fields) -> Result<(), ApiError> {
    let Some(value) = fields.take("metadata") else { return Ok(()) };
    let mut object = Object::new("metadata", value)?;
    object.string("user_id")?;
    object.finish()
}

fn take_thinking(fields: &mut Fields, options: &mut Map<String, Value>) -> Result<(), ApiError> {
    let Some(value) = fields.take("thinking") else { return Ok(()) };
    let mut object = Object::new("thinking", value)?;
    let thinks = match object.string("type")?.as_deref() {
        Some("enabled") => {
            // A hint: `max_tokens` is the limit that holds.
            let budget = object.required("budget_tokens")?;
            if budget.as_u64().is_none_or(|budget| budget == 0) {
                return Err(must_be("thinking.budget_tokens", "an integer of at least 1"));
            }
            Some(true)
        }
        Some("disabled") => Some(false),
        Some("adaptive") => None,
        _ => return Err(must_be("thinking.type", "\"enabled\", \"disabled\" or \"adaptive\"")),
    };
    if object.string("display")?.is_some_and(|display| display != "summarized") {
        return Err(must_be("thinking.display", "\"summarized\": thoughts are shown as they are"));
    }
    options.extend(thinks.map(|thinks| ("enable_thinking".to_owned(), thinks.into())));
    object.finish()
}

/// Nothing of a conversation is cleared here: the edit that wants all thoughts kept has what it wants.
fn take_context_management(fields: &mut Fields) -> Result<(), ApiError> {
    let Some(value) = fields.take("context_management") else { return Ok(()) };
    let mut object = Object::new("context_management", value)?;
    let edits = match object.take("edits") {
        None => vec![],
        Some(Value::Array(edits)) => edits,
        Some(_) => return Err(must_be("context_management.edits", "a list")),
    };
    for (index, edit) in edits.into_iter().enumerate() {
        let mut edit = Object::new(&format!("context_management.edits[{index}]"), edit)?;
        if edit.string("type")?.as_deref() != Some(CLEAR_THINKING) {
            let only = format!("\"{CLEAR_THINKING}\": this node clears nothing else");
            return Err(must_be(&edit.path("type"), &only));
        }
        if edit.take("keep").is_none_or(|keep| keep != "all") {
            return Err(must_be(&edit.path("keep"), "\"all\": this node clears no thoughts"));
        }
        edit.finish()?;
    }
    object.finish()
}

fn take_output_config(
    fields: &mut Fields,
    options: &mut Map<String, Value>,
) -> Result<Format, ApiError> {
    let Some(value) = fields.take("output_config") else { return Ok(Format::Text) };
    let mut object = Object::new("output_config", value)?;
    match object.string("effort")?.as_deref() {
        None => {}
        Some(effort @ ("low" | "medium" | "high" | "xhigh" | "max")) => {
            options.insert("reasoning_effort".into(), effort.into());
        }
        Some(_) => {
            let efforts = "\"low\", \"medium\", \"high\", \"xhigh\" or \"max\"";
            return Err(must_be("output_config.effort", efforts));
        }
    }
    let format = object.take("format").map_or(Ok(Format::Text), read_format)?;
    object.finish()?;
    Ok(format)
}

fn read_format(value: Value) -> Result<Format, ApiError> {
    let mut object = Object::new("output_config.format", value)?;
    if object.string("type")?.as_deref() != Some("json_schema") {
        return Err(must_be(&object.path("type"), "\"json_schema\""));
    }
    let schema = object.required("schema")?;
    if !schema.is_object() {
        return Err(must_be(&object.path("schema"), "an object"));
    }
    object.finish()?;
    Ok(Format::JsonSchema(schema))
}
