//! What every work of the coder begins with: its place in the line, and its limits.

use gaia_core::ServeError;
use gaia_core::coder::Budget;

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
pub fn budget(state: &State) -> Budget {
    let most = state.coding.config.budget;
    // Who waits for an answer gets the best that there is before the node's own time is over.
    Budget { time: most.time.min(state.request_timeout), ..most }
}
