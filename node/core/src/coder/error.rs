//! Why a use case of the coder has no answer.

use crate::ServeError;
use crate::build::BuildError;

/// Why nothing came of a request; named for what its sender can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoderError {
    /// The model or the knowledge base has failed, or has no room.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The compiler can't be asked, or has no room.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The request is wrong: change it.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what would be right.
        message: String,
        /// The field at fault.
        param: Option<String>,
    },
    /// Only a model can do this, and the node has none that writes code.
    #[error(
        "this node has no coding model: its config names none in `[coder] model`, and the request \
         none in `model`"
    )]
    NoModel,
}
