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
        /// How many of them were found computed in the cache.
        #[serde(default)]
        cached_tokens: u32,
    },
    /// More of the answer's text; always whole characters.
    Delta {
        /// The text.
        text: String,
        /// Tokens generated since the last event.
        tokens: u32,
        /// What it is part of.
        #[serde(default, skip_serializing_if = "Channel::is_content")]
        channel: Channel,
        /// The tokens that the text was made of, if their probabilities were asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogprob>,
    },
    /// The model begins to call a function.
    ToolCall {
        /// Which call of this answer, from 0.
        index: u32,
        /// The function's name.
        name: String,
        /// Tokens generated since the last event.
        tokens: u32,
    },
    /// More of a call's arguments.
    ToolArguments {
        /// Which call of this answer: the one begun last, with no text since.
        index: u32,
        /// More of the JSON text.
        text: String,
        /// Tokens generated since the last event.
        tokens: u32,
    },
    /// Some tokens, in order; a long text takes several such events.
    Tokens {
        /// The tokens.
        tokens: Vec<TokenText>,
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
    /// One document's score.
    Score {
        /// Which document.
        index: u32,
        /// How well it answers the query, 0 to 1.
        score: f32,
        /// Tokens of query and document together.
        tokens: u32,
    },
    /// The end of a good answer.
    Finish {
        /// Why it ended.
        reason: FinishReason,
        /// What it took.
        usage: Usage,
        /// The stop string of the request that ended it, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop_string: Option<String>,
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

impl Event {
    /// A delta of the answer's text, without probabilities.
    #[must_use]
    pub fn text(text: impl Into<String>, tokens: u32) -> Self {
        let channel = Channel::Content;
        Self::Delta { text: text.into(), tokens, channel, logprobs: vec![] }
    }

    /// The end of a good answer that no stop string ended.
    #[must_use]
    pub fn finish(reason: FinishReason, usage: Usage) -> Self {
        Self::Finish { reason, usage, stop_string: None }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// `max_tokens` or the context was used up.
    Length,
    /// The model called functions and waits for their answers.
    ToolCalls,
}

/// What a text is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The answer.
    #[default]
    Content,
    /// What a thinking model says to itself.
    Reasoning,
}

impl Channel {
    /// Whether it is the answer.
    #[must_use]
    pub fn is_content(&self) -> bool {
        *self == Self::Content
    }
}

/// A generated token, how likely it was, and what was likely in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token.
    pub token: TokenText,
    /// Natural logarithm of its probability; `None` for a prompt's first token, which has none.
    pub logprob: Option<f32>,
    /// The likeliest tokens in its place, likeliest first.
    pub top: Vec<(TokenText, f32)>,
}

/// A token and what it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenText {
    /// Its id.
    pub id: u32,
    /// Its bytes, control tokens spelled out; may be a part of a character.
    pub bytes: Vec<u8>,
}

/// Tokens that an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, or of all inputs.
    pub prompt_tokens: u32,
    /// Tokens generated, the end-of-generation token included.
    pub completion_tokens: u32,
    /// Prompt tokens that were found computed in the cache.
    #[serde(default)]
    pub cached_tokens: u32,
    /// Generated tokens that were part of the model's thinking.
    #[serde(default)]
    pub reasoning_tokens: u32,
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
