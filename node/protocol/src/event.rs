//! What a guest emits while it works on a task.

use serde::{Deserialize, Serialize};

/// One step of an answer. A task ends with [`Event::Finish`] or [`Event::Error`], exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The prompt was accepted; computing starts.
    Prompt {
        /// Tokens of the prompt.
        tokens: u32,
    },
    /// More of the answer's text; always whole characters.
    Delta {
        /// The text.
        text: String,
        /// Tokens generated since the last delta.
        tokens: u32,
    },
    /// One input's vector.
    Embedding {
        /// Which input.
        index: u32,
        /// The vector, of length one (Euclidean).
        vector: Vec<f32>,
        /// Tokens of that input.
        tokens: u32,
    },
    /// The end of a good answer.
    Finish {
        /// Why it ended.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
    },
    /// The end of a failed answer.
    Error {
        /// What kind of failure.
        code: ErrorCode,
        /// For the person who sent the request.
        message: String,
        /// The field of the request at fault, if one is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        param: Option<String>,
    },
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
}

/// Tokens that an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, or of all inputs.
    pub prompt_tokens: u32,
    /// Tokens generated, the end-of-generation token included.
    pub completion_tokens: u32,
}

/// The kinds of failure a guest can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request can't be served as it is.
    InvalidRequest,
    /// The prompt does not fit the context.
    PromptTooLong,
    /// No room in the queue; try again later.
    Overloaded,
    /// The chat template refused the messages.
    Template,
    /// Anything else: the app's or the engine's fault.
    Internal,
}
