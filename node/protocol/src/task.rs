//! What a guest is asked to do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{GuestModel, Picture, PictureSpot, PictureUrl};

/// What `next_request` gives a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestRequest {
    /// The model that serves this request.
    pub model: GuestModel,
    /// The work.
    pub task: Task,
}

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Answer a conversation.
    Chat(ChatTask),
    /// Continue a text.
    Complete(CompleteTask),
    /// Turn texts into vectors.
    Embed(EmbedTask),
    /// Score how well documents answer a query.
    Rank(RankTask),
    /// Turn a text into tokens, or tokens into their text.
    Tokenize(TokenizeTask),
}

/// A conversation to answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatTask {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The functions that the model may call.
    pub tools: Tools,
    /// What the answer's text must look like.
    pub format: Format,
    /// More variables for the chat template, such as `enable_thinking` or `reasoning_effort`.
    pub template_options: serde_json::Map<String, serde_json::Value>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most; `None`: until the context is full.
    pub max_tokens: Option<u32>,
    /// Strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// The pictures that messages show, by their numbers. They are no part of the JSON: guests don't
    /// see them.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
    /// The same, in place of these, for a model that another server holds.
    #[serde(skip)]
    pub picture_urls: Vec<PictureUrl>,
}

impl ChatTask {
    /// The field of a request, in OpenAI's words, whose schema or option has more than so many levels
    /// of arrays and objects.
    #[must_use]
    pub fn deeper_than(&self, levels: usize) -> Option<&'static str> {
        let mut schemas = self.tools.list.iter().filter_map(|tool| tool.parameters.as_ref());
        if schemas.any(|schema| is_deeper(schema, levels)) {
            return Some("tools");
        }
        if matches!(&self.format, Format::JsonSchema(schema) if is_deeper(schema, levels)) {
            return Some("response_format");
        }
        let is_deep = self.template_options.values().any(|option| is_deeper(option, levels));
        is_deep.then_some("chat_template_kwargs")
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => true,
        (Value::Array(list), Some(left)) => list.iter().any(|value| is_deeper(value, left)),
        (Value::Object(map), Some(left)) => map.values().any(|value| is_deeper(value, left)),
        _ => false,
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; may be empty where there are tool calls.
    pub content: String,
    /// The pictures in the content, by their places in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<PictureSpot>,
    /// Who exactly speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model thought before it said this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The functions that the model called in this turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// Puts text before the content.
    pub fn prepend(&mut self, text: &str) {
        self.content.insert_str(0, text);
        self.pictures.iter_mut().for_each(|spot| spot.at += text.len());
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The person.
    #[default]
    User,
    /// The model.
    Assistant,
    /// What a called function answered.
    Tool,
}

/// A function call that the model made in an earlier turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What the answer to it names.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments, as the JSON text that the model wrote.
    pub arguments: String,
}

/// The functions of a request and how they are to be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tools {
    /// The functions, in the client's order; their names differ.
    pub list: Vec<Tool>,
    /// Whether to call one.
    pub choice: ToolChoice,
    /// At most one call per answer.
    pub single: bool,
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments; `None`: it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// Arguments must obey the schema, by constrained sampling.
    #[serde(default)]
    pub strict: bool,
}

impl Tool {
    /// Bytes of its schema as JSON text.
    #[must_use]
    pub fn schema_bytes(&self) -> usize {
        self.parameters.as_ref().map_or(0, |schema| schema.to_string().len())
    }
}

impl Format {
    /// Bytes of the schema or grammar as text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text | Self::JsonObject => 0,
            Self::JsonSchema(schema) => schema.to_string().len(),
            Self::Grammar(text) => text.len(),
        }
    }
}

/// Whether the model calls a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// It calls none.
    None,
    /// It calls at least one.
    Required,
    /// It calls the one of this name.
    Named(String),
}

/// What a text must look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Anything.
    #[default]
    Text,
    /// One JSON object.
    JsonObject,
    /// One JSON value that obeys this schema.
    JsonSchema(serde_json::Value),
    /// A text of this grammar, in GBNF as llama.cpp reads it.
    Grammar(String),
}

/// A text, or its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// A text.
    Text(String),
    /// Token ids.
    Tokens(Vec<u32>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Input {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Tokens(_) => None,
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Tokens(tokens) => tokens.is_empty(),
        }
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A text to continue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompleteTask {
    /// The text.
    pub prompt: Input,
    /// What follows the text to be written: the model fills the middle, if it can.
    pub suffix: Option<String>,
    /// The answer begins with the prompt.
    pub echo: bool,
    /// What the text must look like.
    pub format: Format,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most; `None`: until the context is full; 0 only with `echo`.
    pub max_tokens: Option<u32>,
    /// Strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// How the next token is chosen. `None` means the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// 0 is greedy; up to 2.
    pub temperature: Option<f32>,
    /// Nucleus size, 0 to 1; 0 still holds the likeliest token.
    pub top_p: Option<f32>,
    /// Only so many of the likeliest tokens; 0: all.
    pub top_k: Option<u32>,
    /// Only tokens with at least this share of the likeliest one's probability, 0 to 1.
    pub min_p: Option<f32>,
    /// Subtracted from a token's logit for each time it stands in the answer, -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Subtracted from the logit of a token that stands in the answer, -2 to 2.
    pub presence_penalty: Option<f32>,
    /// Above 1, tokens that stood lately in prompt or answer become unlikelier.
    pub repeat_penalty: Option<f32>,
    /// Added to the logits of these tokens, -100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// The same seed gives the same answer.
    pub seed: Option<u32>,
    /// Tell each token's log probability, and those of so many of the likeliest.
    pub logprobs: Option<u32>,
    /// Go on when the model would end.
    pub ignore_eos: bool,
}

impl Sampling {
    /// The engine's own temperature.
    pub const TEMPERATURE: f32 = 0.8;
    /// The engine's own nucleus.
    pub const TOP_P: f32 = 0.95;
}

/// Texts to turn into vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedTask {
    /// The texts.
    pub inputs: Vec<Input>,
}

/// Documents to score by how well they answer a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankTask {
    /// The query.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// Read only as much of a document as the context holds, instead of refusing it.
    pub truncate: bool,
}

/// A text whose tokens are wanted, or tokens whose text is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizeTask {
    /// The text or the tokens.
    pub input: Input,
    /// Add the tokens that the model wants at a text's start and end.
    pub add_special: bool,
    /// Read the spelling of a control token as that token.
    pub parse_special: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pictures_stay_where_they_are_in_what_was_said() {
        let pictures = vec![PictureSpot { at: 1, number: 0 }];
        let mut message = Message { content: "ab".into(), pictures, ..Message::default() };
        message.prepend("é ");
        assert_eq!((message.content.as_str(), message.pictures[0].at), ("é ab", 4));
        let json = serde_json::to_string(&message).expect("JSON");
        assert_eq!(serde_json::from_str::<Message>(&json).expect("JSON"), message);
    }

    #[test]
    fn the_field_that_is_too_deep_is_told() {
        let deep = json!({"a": [1, {"b": []}]});
        let (parameters, name) = (Some(deep.clone()), "f".to_owned());
        let tool = Tool { name, description: None, parameters, strict: false };
        let tools = Tools { list: vec![tool], ..Tools::default() };
        let format = Format::JsonSchema(deep.clone());
        let template_options = serde_json::Map::from_iter([("x".to_owned(), deep)]);
        for (task, param) in [
            (ChatTask { tools, ..ChatTask::default() }, "tools"),
            (ChatTask { format, ..ChatTask::default() }, "response_format"),
            (ChatTask { template_options, ..ChatTask::default() }, "chat_template_kwargs"),
        ] {
            assert_eq!((task.deeper_than(3), task.deeper_than(4)), (Some(param), None));
        }
    }
}
