//! Use case: repair a project that does not compile, or whose tests fail.
//!
//! The project is compiled as it came. Then changes are proposed, cheapest first: the compiler's own
//! suggestions, remembered fixes, a model. Each is compiled, and what the compiler finds no better is
//! forgotten. The answer is the best state that was reached, and never worse than what came.

mod answer;
mod edit;
mod ending;
mod guard;
mod learn;
mod prompt;
mod proposals;
mod recall;
mod regions;
mod rules;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod workshop;
mod writer;

use self::workshop::Workshop;
use super::{Coder, CoderError, Repair, Repaired, Tell};

/// Bytes of a project's texts at most.
const PROJECT_BYTES_MAX: usize = 8 << 20;
/// Candidates of one round at most.
const CANDIDATES_MAX: u32 = 16;
/// Builds for the compiler's own proposals.
const SEARCH_BUILDS_MAX: u32 = 48;

/// Repairs a project within a budget. When the time is over, the best state so far is the answer.
/// Dropping the future ends all jobs and the model's answers.
///
/// # Errors
/// [`CoderError::Invalid`] for a request that makes no sense; [`CoderError::Build`] if not even the
/// given project could be compiled; [`CoderError::Serve`] if that took all the time, or for a model
/// that the request names and the node does not have.
pub async fn repair(
    coder: &Coder,
    request: Repair,
    tell: Tell<'_>,
) -> Result<Repaired, CoderError> {
    check(coder, &request)?;
    let mut shop = Workshop::open(coder, &request, tell).await?;
    search::search(&mut shop, SEARCH_BUILDS_MAX).await;
    if shop.done().is_none() && !shop.is_over() {
        let from = shop.furthest();
        recall::recall(&mut shop, from).await;
        search::search(&mut shop, SEARCH_BUILDS_MAX).await;
    }
    if shop.done().is_none() && !request.without_model {
        writer::write(&mut shop).await;
    }
    if let Some(done) = shop.done().filter(|_| request.learn) {
        learn::learn(&mut shop, done).await;
    }
    Ok(ending::ending(shop))
}

fn check(coder: &Coder, request: &Repair) -> Result<(), CoderError> {
    let invalid = |message: String, param: &str| {
        Err(CoderError::Invalid { message, param: Some(param.to_owned()) })
    };
    let bytes: usize = request.files.values().map(String::len).sum();
    if request.files.is_empty() {
        return invalid("files: give at least one file".into(), "files");
    }
    if bytes > PROJECT_BYTES_MAX {
        let message = format!("files: {bytes} bytes; at most {PROJECT_BYTES_MAX} can be repaired");
        return invalid(message, "files");
    }
    if request.budget.time.is_zero() {
        return invalid("budget.time: give it more time than none".into(), "budget.time");
    }
    if request.budget.candidates > CANDIDATES_MAX {
        let message = format!("budget.candidates: at most {CANDIDATES_MAX} in a round");
        return invalid(message, "budget.candidates");
    }
    if let Some(model) = request.model.as_deref().filter(|_| !request.without_model) {
        coder.node.models.choose(Some(model), gaia_protocol::ModelKind::Chat)?;
    }
    Ok(())
}
