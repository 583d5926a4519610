//! How much a request may take: what the config gives, or less.

use std::time::Duration;

use gaia_core::coder::Budget;

use crate::http::error::ApiError;
use crate::http::fields::Fields;

/// Takes `attempts`, `tokens`, `time_ms` and `candidates`.
///
/// # Errors
/// One of them is above the most.
pub fn take(fields: &mut Fields, most: Budget) -> Result<Budget, ApiError> {
    let most_ms = u32::try_from(most.time.as_millis()).unwrap_or(u32::MAX);
    let time = fields.integer("time_ms", 1..=most_ms)?;
    Ok(Budget {
        attempts: fields.integer("attempts", 0..=most.attempts)?.unwrap_or(most.attempts),
        tokens: fields.integer("tokens", 1..=most.tokens)?.unwrap_or(most.tokens),
        time: time.map_or(most.time, |time_ms| Duration::from_millis(u64::from(time_ms))),
        candidates: fields.integer("candidates", 1..=most.candidates)?.unwrap_or(most.candidates),
    })
}
