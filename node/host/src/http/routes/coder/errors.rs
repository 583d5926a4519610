//! What the coder's failures are in HTTP.

use axum::http::StatusCode;
use gaia_core::build::BuildError;
use gaia_core::coder::CoderError;

use crate::http::error::ApiError;

impl From<BuildError> for ApiError {
    fn from(error: BuildError) -> Self {
        let message = error.to_string();
        match error {
            BuildError::Overloaded { retry_after, .. } => Self {
                retry_after: Some(retry_after),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, message).with_code("overloaded")
            },
            BuildError::Unavailable(reason) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, reason).with_code("compile_closed")
            }
            BuildError::Failed(_) => {
                tracing::error!(%message, "the sandbox failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with_code("sandbox_failed")
            }
        }
    }
}

impl From<CoderError> for ApiError {
    fn from(error: CoderError) -> Self {
        let message = error.to_string();
        match error {
            CoderError::Serve(error) => error.into(),
            CoderError::Build(error) => error.into(),
            CoderError::Invalid { param, .. } => {
                Self { param, ..Self::new(StatusCode::BAD_REQUEST, message) }
            }
            CoderError::NoModel => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with_code("no_coding_model")
            }
        }
    }
}
