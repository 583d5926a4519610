//! Use case: what a model is to know before it answers.

use gaia_protocol::ChatTask;

use super::ground::{Grounded, Grounding, ground, question};
use super::{Filter, Retrieval, SearchMode, Target, retrieve};
use crate::{Node, ServeError};

/// How a conversation is answered with the help of knowledge bases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Where to search.
    pub targets: Vec<Target>,
    /// By what.
    pub mode: SearchMode,
    /// Only points for which this holds.
    pub filter: Option<Filter>,
    /// The embedding model that puts the passages into their last order, if one is wanted.
    pub reranker: Option<String>,
    /// User messages that make the question, counted from the last.
    pub context_window: usize,
    /// How the passages are put before the model.
    pub grounding: Grounding,
}

/// Finds what answers a conversation's question and puts it before the model. A conversation without
/// a question stays as it is.
///
/// # Errors
/// As [`retrieve`] and [`ground`].
pub async fn prepare(
    node: &Node,
    model: Option<&str>,
    task: &mut ChatTask,
    plan: &Plan,
) -> Result<Grounded, ServeError> {
    let query = question(&task.messages, plan.context_window);
    if query.trim().is_empty() {
        return Ok(Grounded::default());
    }
    let retrieval = Retrieval {
        query,
        targets: plan.targets.clone(),
        mode: plan.mode,
        filter: plan.filter.clone(),
        reranker: plan.reranker.clone(),
    };
    let passages = retrieve(node, &retrieval).await?;
    ground(node, model, task, (passages, &plan.grounding)).await
}
