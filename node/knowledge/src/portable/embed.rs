//! New vectors, from a node that has other things to do as well.

use std::time::Duration;

use gaia_core::knowledge::{CollectionSpec, Point, dimension, embed_anew};
use gaia_core::{KnowledgeError, Node, ServeError};
use tokio::time::sleep;

/// How often a full node is asked again: its own requests come first, but not for ever.
const ATTEMPTS: u32 = 600;

/// The least time between two attempts.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Values of the vectors that a model makes.
pub(super) async fn values(node: &Node, model: &str) -> Result<u32, KnowledgeError> {
    let mut left = ATTEMPTS;
    loop {
        match dimension(node, model).await {
            Ok(values) => return u32::try_from(values).map_err(KnowledgeError::unavailable),
            Err(error) => pause(error, &mut left).await?,
        }
    }
}

/// Gives points the vectors that a model makes of their texts.
pub(super) async fn embed(
    node: &Node,
    (model, spec): (&str, &CollectionSpec),
    points: &mut [Point],
) -> Result<(), KnowledgeError> {
    let mut left = ATTEMPTS;
    loop {
        match embed_anew(node, (model, spec), points).await {
            Ok(()) => return Ok(()),
            Err(error) => pause(error, &mut left).await?,
        }
    }
}

/// Waits if another attempt may help.
async fn pause(error: ServeError, left: &mut u32) -> Result<(), KnowledgeError> {
    match error {
        ServeError::Overloaded { retry_after } if *left > 0 => {
            *left -= 1;
            sleep(retry_after.max(PAUSE_MIN)).await;
            Ok(())
        }
        error => Err(own(error)),
    }
}

pub(super) fn own(error: ServeError) -> KnowledgeError {
    match error {
        ServeError::Knowledge(error) => error,
        ServeError::Overloaded { .. } => KnowledgeError::Overloaded,
        ServeError::Invalid { .. }
        | ServeError::PromptTooLong { .. }
        | ServeError::UnknownModel { .. }
        | ServeError::WrongKind { .. } => {
            KnowledgeError::invalid(format!("embedding anew failed: {error}"))
        }
        _ => KnowledgeError::unavailable(format!("embedding anew failed: {error}")),
    }
}
