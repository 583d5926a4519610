//! Why a request is not answered, named for what its sender can do.

use std::time::Duration;

use gaia_protocol::ErrorCode;

use crate::KnowledgeError;

/// A request that was turned away finds room about this much later: an answer of the small models
/// takes a second or two.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request failed. The text is for the sender: it names no file and no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// The request is wrong: change it.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what would be right.
        message: String,
        /// The field at fault.
        param: Option<String>,
    },
    /// Prompt and context don't fit: shorten it.
    #[error("{message}")]
    PromptTooLong {
        /// How long it is and how long it may be.
        message: String,
        /// The field at fault.
        param: Option<String>,
    },
    /// No model has this name: choose another.
    #[error("the model `{name}` does not exist; this node serves: {}", known.join(", "))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The model is for something else.
    #[error("the model `{name}` {does}; choose one that {needed}")]
    WrongKind {
        /// The name asked for.
        name: String,
        /// What it does.
        does: &'static str,
        /// What the request needs.
        needed: &'static str,
    },
    /// Too much at once: ask again later.
    #[error("the node is at its limit of requests; try again shortly")]
    Overloaded {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The model is loading or restarting: ask again later.
    #[error("the model is not ready: {reason}; try again shortly")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
        /// What it is doing.
        reason: String,
    },
    /// The model's process ended in the middle of the answer: ask again.
    #[error("the model's worker stopped while it answered; it is being restarted, try again")]
    WorkerStopped,
    /// The server that the model lives on can't be used as it is: tell the operator.
    #[error("the server behind this model {message}")]
    Upstream {
        /// What it did; goes on from "the server".
        message: String,
    },
    /// The server that the model lives on takes no more now: ask again later.
    #[error("the server behind this model is at its limit: {message}")]
    UpstreamBusy {
        /// When to ask again.
        retry_after: Duration,
        /// What it said.
        message: String,
    },
    /// The answer took longer than the node allows.
    #[error("the answer took longer than this node allows")]
    TimeLimit,
    /// The knowledge base could not do it.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    /// The app that serves the model failed: tell the operator.
    #[error("the model's app failed: {message}")]
    App {
        /// What happened.
        message: String,
    },
}

impl ServeError {
    /// What an app reported, as the sender of the request shall hear it.
    #[must_use]
    pub fn from_app(code: ErrorCode, message: String, param: Option<String>) -> Self {
        match code {
            ErrorCode::InvalidRequest | ErrorCode::Template => Self::Invalid { message, param },
            ErrorCode::PromptTooLong => Self::PromptTooLong { message, param },
            ErrorCode::Overloaded => Self::overloaded(),
            ErrorCode::Internal => Self::App { message },
        }
    }

    /// No room now.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::Overloaded { retry_after: RETRY_AFTER }
    }
}
