//! What a request says about the answer, and how the answer repeats it.

use gaia_protocol::{Format, Sampling};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::file_search::FileSearch;
use super::namespaces::Namespaces;
use super::tools;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, Unsupported, must_be, whole};
use crate::http::object::Object;

pub const METADATA_MAX: usize = 16;
pub const METADATA_KEY_CHARS_MAX: usize = 64;
pub const METADATA_VALUE_CHARS_MAX: usize = 512;
pub const TOP_LOGPROBS_MAX: u64 = 20;

/// OpenAI's fields that this node does not honour, with the value that asks nothing of it.
const UNSUPPORTED: &[Unsupported] = &[
    ("background", |value| *value == false),
    // What an agent notes of itself.
    ("client_metadata", serde_json::Value::is_object),
    ("context_management", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("conversation", |_| false),
    ("max_tool_calls", |_| false),
    ("moderation", |_| false),
    ("prompt", |_| false),
    ("prompt_cache_options", |_| false),
    ("prompt_cache_retention", |value| value == "in_memory"),
    ("service_tier", |value| value == "auto" || value == "default"),
    ("stream_options", |value| {
        value.as_object().is_some_and(|map| {
            map.iter().all(|(name, value)| name == "include_obfuscation" && *value == false)
        })
    }),
    // What does not fit is refused, never cut.
    ("truncation", |value| value == "disabled"),
];

/// The settings, as the answer repeats them.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "ResponseSettings")]
pub struct Settings {
    background: bool,
    frequency_penalty: f32,
    /// The operator's word, which comes before everything else.
    pub instructions: Option<String>,
    /// Tokens to generate at most.
    pub max_output_tokens: Option<u32>,
    max_tool_calls: (),
    metadata: Map<String, Value>,
    /// Whether the model may call several functions at once.
    pub parallel_tool_calls: bool,
    presence_penalty: f32,
    /// The answer that this one goes on from.
    pub previous_response_id: Option<String>,
    prompt_cache_key: Option<String>,
    reasoning: Value,
    safety_identifier: Option<String>,
    service_tier: &'static str,
    /// Whether a later request may go on from the answer.
    pub store: bool,
    temperature: Option<f32>,
    text: Value,
    tool_choice: Value,
    tools: Vec<Value>,
    top_logprobs: u32,
    top_p: Option<f32>,
    truncation: &'static str,
    user: Option<String>,
}

/// The settings, as the model's app takes them.
#[derive(Debug, Default)]
pub struct Task {
    /// The functions that the model may call.
    pub tools: gaia_protocol::Tools,
    /// What the answer's text must look like.
    pub format: Format,
    /// More variables for the chat template.
    pub template_options: Map<String, Value>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The search in files that the model may use.
    pub file_search: Option<FileSearch>,
    /// Whether what it finds is to be shown.
    pub with_results: bool,
    /// Where the functions stand.
    pub namespaces: Namespaces,
}

impl Settings {
    /// The same with what the node's own engine does where nothing is said.
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        self.temperature.get_or_insert(Sampling::TEMPERATURE);
        self.top_p.get_or_insert(Sampling::TOP_P);
        self
    }
}

/// Takes everything but `model`, `input` and `stream`, and refuses what is left.
pub fn take(mut fields: Fields) -> Result<(Settings, Task), ApiError> {
    let mut task = Task::default();
    let mut settings = Settings {
        instructions: fields.string("instructions")?,
        max_output_tokens: fields.count("max_output_tokens")?,
        metadata: take_metadata(&mut fields)?,
        parallel_tool_calls: flag(&mut fields, "parallel_tool_calls")?,
        previous_response_id: fields.string("previous_response_id")?,
        prompt_cache_key: fields.string("prompt_cache_key")?,
        safety_identifier: fields.string("safety_identifier")?,
        service_tier: "default",
        store: flag(&mut fields, "store")?,
        truncation: "disabled",
        user: fields.string("user")?,
        ..Settings::default()
    };
    settings.reasoning = take_reasoning(&mut fields, &mut task.template_options)?;
    (settings.text, task.format) = take_text(&mut fields)?;
    let included = take_include(&mut fields)?;
    task.with_results = included.results;
    take_sampling(&mut fields, &mut settings, (&mut task.sampling, included.logprobs))?;
    let tools = tools::take(&mut fields, settings.parallel_tool_calls)?;
    (task.file_search, task.namespaces) = (tools.file_search, tools.namespaces);
    (task.tools, settings.tools, settings.tool_choice) = (tools.tools, tools.list, tools.choice);
    fields.finish(UNSUPPORTED)?;
    Ok((settings, task))
}

/// A boolean that is true where nothing is said.
fn flag(fields: &mut Fields, name: &str) -> Result<bool, ApiError> {
    match fields.take(name) {
        None => Ok(true),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(must_be(name, "true or false")),
    }
}

fn take_sampling(
    fields: &mut Fields,
    settings: &mut Settings,
    (sampling, asked): (&mut Sampling, bool),
) -> Result<(), ApiError> {
    let temperature = fields.number("temperature", "from 0 to 2", |x| (0.0..=2.0).contains(&x))?;
    let top_p = fields.number("top_p", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?;
    let penalty = |x: f64| (-2.0..=2.0).contains(&x);
    sampling.presence_penalty = fields.number("presence_penalty", "from -2 to 2", penalty)?;
    sampling.frequency_penalty = fields.number("frequency_penalty", "from -2 to 2", penalty)?;
    let top = take_top_logprobs(fields)?;
    (settings.temperature, settings.top_p) = (temperature, top_p);
    (sampling.temperature, sampling.top_p) = (temperature, top_p);
    settings.presence_penalty = sampling.presence_penalty.unwrap_or_default();
    settings.frequency_penalty = sampling.frequency_penalty.unwrap_or_default();
    settings.top_logprobs = top;
    sampling.logprobs = (asked || top > 0).then_some(top);
    Ok(())
}

fn take_top_logprobs(fields: &mut Fields) -> Result<u32, ApiError> {
    let Some(value) = fields.take("top_logprobs") else { return Ok(0) };
    let top = whole(&value).filter(|top| *top <= TOP_LOGPROBS_MAX);
    let top = top.and_then(|top| u32::try_from(top).ok());
    top.ok_or_else(|| must_be("top_logprobs", &format!("an integer from 0 to {TOP_LOGPROBS_MAX}")))
}

/// What is to be included.
#[derive(Default)]
struct Included {
    logprobs: bool,
    /// What searches in files find.
    results: bool,
}

/// Reasoning needs no encryption here: it is sent as it is, so asking for it asks nothing.
fn take_include(fields: &mut Fields) -> Result<Included, ApiError> {
    let wanted = match fields.take("include") {
        None => return Ok(Included::default()),
        Some(Value::Array(wanted)) => wanted,
        Some(_) => return Err(must_be("include", "a list of strings")),
    };
    let mut included = Included::default();
    for (index, what) in wanted.iter().enumerate() {
        match what.as_str() {
            Some("message.output_text.logprobs") => included.logprobs = true,
            Some("file_search_call.results") => included.results = true,
            Some("reasoning.encrypted_content") => {}
            _ => {
                let known = "\"message.output_text.logprobs\", \"file_search_call.results\" or \
                             \"reasoning.encrypted_content\"";
                return Err(must_be(&format!("include[{index}]"), known));
            }
        }
    }
    Ok(included)
}

fn take_metadata(fields: &mut Fields) -> Result<Map<String, Value>, ApiError> {
    let wrong = || {
        let limits = format!(
            "an object of at most {METADATA_MAX} strings, with names of at most \
             {METADATA_KEY_CHARS_MAX} and values of at most {METADATA_VALUE_CHARS_MAX} characters"
        );
        must_be("metadata", &limits)
    };
    let fits = |(name, value): (&String, &Value)| {
        name.chars().count() <= METADATA_KEY_CHARS_MAX
            && value.as_str().is_some_and(|text| text.chars().count() <= METADATA_VALUE_CHARS_MAX)
    };
    match fields.take("metadata") {
        None => Ok(Map::new()),
        Some(Value::Object(map)) if map.len() <= METADATA_MAX && map.iter().all(fits) => Ok(map),
        Some(_) => Err(wrong()),
    }
}

fn take_reasoning(
    fields: &mut Fields,
    options: &mut Map<String, Value>,
) -> Result<Value, ApiError> {
    let nothing = json!({"effort": null, "summary": null});
    let Some(value) = fields.take("reasoning") else { return Ok(nothing) };
    let mut object = Object::new("reasoning", value)?;
    let effort = object.string("effort")?;
    match effort.as_deref() {
        None => {}
        Some("none") => {
            options.insert("enable_thinking".into(), false.into());
        }
        Some(effort @ ("minimal" | "low" | "medium" | "high" | "xhigh" | "max")) => {
            options.insert("enable_thinking".into(), true.into());
            options.insert("reasoning_effort".into(), effort.into());
        }
        Some(_) => {
            let efforts =
                "\"none\", \"minimal\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"";
            return Err(must_be("reasoning.effort", efforts));
        }
    }
    for name in ["summary", "generate_summary"] {
        // The node decides, and it makes none: the thoughts themselves are in the answer.
        if object.string(name)?.is_some_and(|summary| summary != "auto") {
            return Err(must_be(&object.path(name), "\"auto\": this node does not summarize"));
        }
    }
    object.finish()?;
    Ok(json!({"effort": effort, "summary": null}))
}

fn take_text(fields: &mut Fields) -> Result<(Value, Format), ApiError> {
    let plain = json!({"type": "text"});
    let mut format = (plain, Format::Text);
    if let Some(value) = fields.take("text") {
        let mut object = Object::new("text", value)?;
        if let Some(value) = object.take("format") {
            format = (value.clone(), read_format(value)?);
        }
        if object.string("verbosity")?.is_some_and(|verbosity| verbosity != "medium") {
            return Err(must_be("text.verbosity", "\"medium\": this node has no other"));
        }
        object.finish()?;
    }
    Ok((json!({"format": format.0, "verbosity": "medium"}), format.1))
}

fn read_format(value: Value) -> Result<Format, ApiError> {
    let mut object = Object::new("text.format", value)?;
    let format = match object.string("type")?.as_deref() {
        Some("text") => Format::Text,
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => {
            object.name("name")?;
            object.string("description")?;
            object.flag("strict")?;
            let schema = object.required("schema")?;
            if !schema.is_object() {
                return Err(must_be("text.format.schema", "an object"));
            }
            Format::JsonSchema(schema)
        }
        _ => {
            let types = "\"text\", \"json_object\" or \"json_schema\"";
            return Err(must_be("text.format.type", types));
        }
    };
    object.finish()?;
    Ok(format)
}
