//! How an app says that it can't answer.

use gaia_protocol::{ErrorCode, Event};

use crate::{HostError, ModelError};

/// The end of a failed answer: what [`crate::serve`] turns into [`Event::Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure; the node chooses the HTTP status by it.
    pub code: ErrorCode,
    /// For the person who sent the request.
    pub message: String,
    /// The field of the request at fault, if one is.
    pub param: Option<String>,
}

impl Failure {
    /// A failure that no field of the request is to blame for.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None }
    }

    /// Names the field of the request at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl From<Failure> for Event {
    fn from(failure: Failure) -> Self {
        let Failure { code, message, param } = failure;
        Self::Error { code, message, param }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::new(ErrorCode::Internal, error.to_string())
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let code = match error {
            ModelError::Busy => ErrorCode::Overloaded,
            ModelError::PromptTooLong { .. } => ErrorCode::PromptTooLong,
            ModelError::Refused { .. } => ErrorCode::InvalidRequest,
            _ => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
