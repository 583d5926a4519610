//! What every work of the coder begins with: its place in the line, and its limits.

use gaia_core::ServeError;
use gaia_core::coder::Budget;

use super::deliver::How;
use crate::compile::Turn;
use crate::http::State;
use crate::http::error::ApiError;
use crate::store::Owner;

/// A place in the line of works.
///
/// # Errors
/// There is none, at all or for this key.
pub fn enter(state: &State, owner: &Owner) -> Result<Turn, ApiError> {
    state.works.enter(owner).map_err(|_| ServeError::overloaded().into())
}

/// The most that a request may ask for.
pub fn budget(state: &State, how: How) -> Budget {
    let config = &state.coding.config;
    match how {
        How::Later => config.job_budget(),
        // Who waits for an answer gets the best that there is before the node's own time is over.
        How::Whole | How::Streamed => {
            Budget { time: config.budget.time.min(state.request_timeout), ..config.budget }
        }
    }
}
