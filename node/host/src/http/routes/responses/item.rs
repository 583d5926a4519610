//! The items that conversations consist of: what the model is given and what it answers.

use gaia_core::knowledge::Citation;
use gaia_protocol::{TokenLogprob, TokenText};
use schemars::JsonSchema;
use serde::Serialize;

use super::file_search::{FoundText, Searchable};
use crate::http::knowledge::own_file;

/// OpenAI's number for "as good as impossible"; JSON has no infinity.
const LOGPROB_MIN: f32 = -9999.0;

/// What is around a text in memory and in JSON, in bytes: an item of nothing is not for nothing.
pub const AROUND_BYTES: usize = 128;

/// One step of a conversation, as OpenAI's clients read it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(rename = "ResponseItem")]
pub enum Item {
    /// Somebody says something.
    Message {
        /// `msg_…`
        id: String,
        /// Whether it is whole.
        status: Status,
        /// Who speaks.
        role: Speaker,
        /// What is said.
        content: Vec<Part>,
    },
    /// The model calls a function.
    FunctionCall {
        /// `fc_…`
        id: String,
        /// What the function's output names.
        call_id: String,
        /// The function.
        name: String,
        /// The namespace that it stands in.
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// Its arguments, as the JSON text that the model wrote.
        arguments: String,
        /// Whether it is whole.
        status: Status,
    },
    /// A called function answers.
    FunctionCallOutput {
        /// `fco_…`
        id: String,
        /// The call.
        call_id: String,
        /// What it answers.
        output: String,
        /// Whether it is whole.
        status: Status,
    },
    /// The node has searched files for the model.
    FileSearchCall {
        /// `fs_…`
        id: String,
        /// What it looked for.
        queries: Vec<String>,
        /// What it found, if that is to be shown.
        results: Option<Vec<FoundText>>,
        /// Whether it is whole.
        status: Status,
    },
    /// The model thinks.
    Reasoning {
        /// `rs_…`
        id: String,
        /// This node does not summarize.
        summary: [(); 0],
        /// What it thinks.
        content: Vec<Part>,
        /// Whether it is whole.
        status: Status,
    },
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ResponseRole")]
pub enum Speaker {
    /// The operator.
    System,
    /// The operator, in newer words.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// Whether an item is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ResponseItemStatus")]
pub enum Status {
    /// More of it comes.
    InProgress,
    /// It is whole.
    Completed,
    /// It was cut off.
    Incomplete,
}

/// A piece of what is said.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type")]
#[schemars(rename = "ResponsePart")]
pub enum Part {
    /// Said to the model.
    #[serde(rename = "input_text")]
    Input {
        /// The text.
        text: String,
    },
    /// Shown to the model.
    #[serde(rename = "input_image")]
    Image {
        /// The picture itself, as `data:image/png;base64,…`.
        image_url: String,
        /// It changes nothing.
        detail: String,
    },
    /// Said by the model.
    #[serde(rename = "output_text")]
    Output {
        /// What it may rest on.
        annotations: Vec<Annotation>,
        /// The tokens with their probabilities, if these were asked for.
        logprobs: Vec<Logprob>,
        /// The text.
        text: String,
    },
    /// Thought by the model.
    #[serde(rename = "reasoning_text")]
    Thought {
        /// The text.
        text: String,
    },
}

/// A passage that a text may rest on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename = "file_citation")]
#[schemars(rename = "ResponseAnnotation")]
pub struct Annotation {
    /// The file, or else the passage's point.
    file_id: String,
    /// The file's name, the document it is from, or else the collection.
    filename: String,
    /// The character of the text behind which it is cited: the last.
    index: usize,
}

/// A token and how likely it was.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ResponseLogprob")]
pub struct Logprob {
    #[serde(flatten)]
    token: Likely,
    top_logprobs: Vec<Likely>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ResponseToken")]
struct Likely {
    token: String,
    bytes: Vec<u8>,
    logprob: f32,
}

impl Item {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Message { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::FunctionCallOutput { id, .. }
            | Self::FileSearchCall { id, .. }
            | Self::Reasoning { id, .. } => id,
        }
    }

    /// How much of it the model is given, in bytes, and a little for what is around it.
    pub fn bytes(&self) -> usize {
        AROUND_BYTES
            + match self {
                Self::Message { content, .. } | Self::Reasoning { content, .. } => {
                    content.iter().map(|part| AROUND_BYTES + part.bytes()).sum()
                }
                Self::FunctionCall { call_id, name, namespace, arguments, .. } => {
                    let namespace = namespace.as_ref().map_or(0, String::len);
                    call_id.len() + namespace + name.len() + arguments.len()
                }
                Self::FunctionCallOutput { call_id, output, .. } => call_id.len() + output.len(),
                // What was found then is no part of the conversation.
                Self::FileSearchCall { .. } => 0,
            }
    }

    /// How much a copy of it takes, in bytes: what the model is given, and all that is kept beside it.
    pub fn copy_bytes(&self) -> usize {
        let beside: usize = match self {
            Self::Message { content, .. } | Self::Reasoning { content, .. } => {
                content.iter().map(Part::beside_bytes).sum()
            }
            Self::FileSearchCall { queries, results, .. } => {
                let queries = queries.iter().map(|query| AROUND_BYTES + query.len());
                let found = results.iter().flatten().map(FoundText::bytes);
                queries.chain(found).sum()
            }
            Self::FunctionCall { .. } | Self::FunctionCallOutput { .. } => 0,
        };
        self.bytes() + self.id().len() + beside
    }

    /// Marks it as whole or cut off.
    pub fn set_status(&mut self, new: Status) {
        match self {
            Self::Message { status, .. }
            | Self::FunctionCall { status, .. }
            | Self::FunctionCallOutput { status, .. }
            | Self::FileSearchCall { status, .. }
            | Self::Reasoning { status, .. } => *status = new,
        }
    }

    /// The parts of a message or a thought.
    pub fn parts_mut(&mut self) -> Option<&mut Vec<Part>> {
        match self {
            Self::Message { content, .. } | Self::Reasoning { content, .. } => Some(content),
            Self::FunctionCall { .. }
            | Self::FunctionCallOutput { .. }
            | Self::FileSearchCall { .. } => None,
        }
    }
}

impl Part {
    /// A text of the model.
    pub fn output(text: String) -> Self {
        Self::Output { annotations: vec![], logprobs: vec![], text }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Image { image_url, .. } => image_url.len(),
            _ => self.text().len(),
        }
    }

    /// What is kept beside its text.
    fn beside_bytes(&self) -> usize {
        let Self::Output { annotations, logprobs, .. } = self else { return 0 };
        let annotations = annotations.iter().map(Annotation::bytes);
        annotations.chain(logprobs.iter().map(Logprob::bytes)).sum()
    }

    /// Its text; a picture has none.
    pub fn text(&self) -> &str {
        match self {
            Self::Image { .. } => "",
            Self::Input { text } | Self::Output { text, .. } | Self::Thought { text } => text,
        }
    }

    /// Cites `citations` at the end of a text of the model.
    pub fn annotate(
        &mut self,
        citations: &[Citation],
        files: Option<&Searchable>,
    ) -> &[Annotation] {
        let Self::Output { annotations, text, .. } = self else { return &[] };
        let index = text.chars().count();
        let cited = citations.iter().map(|citation| Annotation::new(citation, index, files));
        annotations.extend(cited);
        annotations
    }

    /// Adds to its text.
    pub fn push(&mut self, more: &str, tokens: &[Logprob]) {
        match self {
            Self::Image { .. } => {}
            Self::Input { text } | Self::Thought { text } => text.push_str(more),
            Self::Output { text, logprobs, .. } => {
                text.push_str(more);
                logprobs.extend_from_slice(tokens);
            }
        }
    }
}

impl Annotation {
    fn new(Citation { passage, .. }: &Citation, index: usize, files: Option<&Searchable>) -> Self {
        if let Some(file) = files.and_then(|files| files.file(passage)) {
            return Self { file_id: file.id.clone(), filename: file.filename.clone(), index };
        }
        let filename = passage.document().unwrap_or(&passage.collection).to_owned();
        let file_id = own_file(passage).map_or_else(|| passage.id.to_string(), str::to_owned);
        Self { file_id, filename, index }
    }

    fn bytes(&self) -> usize {
        AROUND_BYTES + self.file_id.len() + self.filename.len()
    }
}

impl Logprob {
    fn bytes(&self) -> usize {
        let all = self.top_logprobs.iter().chain([&self.token]);
        all.map(|likely| AROUND_BYTES + likely.token.len() + likely.bytes.len()).sum()
    }
}

impl From<&TokenLogprob> for Logprob {
    fn from(given: &TokenLogprob) -> Self {
        let token = likely(&given.token, given.logprob.unwrap_or(LOGPROB_MIN));
        let top_logprobs = given.top.iter().map(|(token, logprob)| likely(token, *logprob));
        Self { token, top_logprobs: top_logprobs.collect() }
    }
}

fn likely(token: &TokenText, logprob: f32) -> Likely {
    let text = String::from_utf8_lossy(&token.bytes).into_owned();
    let logprob = if logprob.is_finite() { logprob } else { LOGPROB_MIN };
    Likely { token: text, bytes: token.bytes.clone(), logprob }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long() -> String {
        "x".repeat(1000)
    }

    fn items() -> Vec<Item> {
        let (id, call_id, name, namespace) = (long, long, long, || Some(long()));
        let (arguments, output, queries, status) = (long, long, vec![long()], Status::Completed);
        let likely = || Likely { token: long(), bytes: vec![], logprob: 0.0 };
        let logprobs = vec![Logprob { token: likely(), top_logprobs: vec![likely()] }];
        let annotations = vec![Annotation { file_id: long(), filename: long(), index: 7 }];
        let said = Part::Output { annotations, logprobs, text: long() };
        let shown = Part::Image { image_url: long(), detail: "auto".into() };
        let content = vec![said, shown, Part::Input { text: long() }];
        let thought = vec![Part::Thought { text: long() }];
        let results = Some(vec![FoundText::of(&long())]);
        vec![
            Item::Message { id: id(), status, role: Speaker::User, content },
            Item::FunctionCall {
                id: id(),
                call_id: call_id(),
                name: name(),
                namespace: namespace(),
                arguments: arguments(),
                status,
            },
            Item::FunctionCallOutput { id: id(), call_id: call_id(), output: output(), status },
            Item::FileSearchCall { id: id(), queries, results, status },
            Item::Reasoning { id: id(), summary: [], content: thought, status },
        ]
    }

    #[test]
    fn each_text_of_an_item_counts_in_its_copy() {
        for item in items() {
            let json = serde_json::to_string(&item).expect("JSON");
            assert!(item.copy_bytes() >= json.len(), "{} of {}", item.copy_bytes(), json.len());
        }
    }
}
