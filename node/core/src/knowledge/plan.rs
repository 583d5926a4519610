//! Use case: answer a conversation with what the model is to know.

use gaia_protocol::{ChatTask, Format, ToolChoice};

use super::ground::{Grounding, ground, question};
use super::lookup::Lookup;
use super::retrieve::retrieve_in_part;
use super::{Filter, Retrieval, SearchMode, Sources, Target};
use crate::chat::chat_searching;
use crate::{Answers, Node, ServeError, chat_choices};

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
    /// The model decides whether and what to search, by calling a function; it must be able to call
    /// functions.
    pub agentic: bool,
}

/// A conversation to answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// What was said, and how to answer.
    pub task: ChatTask,
    /// Answers that are wanted.
    pub choices: u32,
    /// What they are to know.
    pub plan: Option<Plan>,
}

impl Plan {
    pub(super) fn retrieval(&self, query: String) -> Retrieval {
        Retrieval {
            query,
            targets: self.targets.clone(),
            mode: self.mode,
            filter: self.filter.clone(),
            reranker: self.reranker.clone(),
        }
    }

    /// Whether the model may call a search: a grammar of the client's knows no calls, and a function
    /// that must be called leaves no other.
    fn lets_search(&self, task: &ChatTask) -> bool {
        let is_free = !matches!(task.format, Format::Grammar(_));
        self.agentic && is_free && !matches!(task.tools.choice, ToolChoice::Named(_))
    }
}

/// Starts to answer a conversation. What the answers are to know is found and put before the model
/// first; or, if the plan is agentic, the model is given a function to search with.
///
/// # Errors
/// As [`crate::chat`], [`super::retrieve()`] and [`ground`].
pub async fn converse(
    node: &Node,
    model: Option<&str>,
    conversation: Conversation,
) -> Result<Answers, ServeError> {
    let Conversation { mut task, choices, plan } = conversation;
    let Some(plan) = plan else { return chat_choices(node, model, task, choices) };
    if plan.lets_search(&task) {
        let lookup = Lookup::new(node, model, plan)?;
        return chat_searching(node, (task, choices), lookup);
    }
    let sources = prepare(node, model, &mut task, &plan).await?;
    Ok(chat_choices(node, model, task, choices)?.resting_on(sources))
}

/// Finds what answers a conversation's question and puts it before the model. A conversation without
/// a question stays as it is.
async fn prepare(
    node: &Node,
    model: Option<&str>,
    task: &mut ChatTask,
    plan: &Plan,
) -> Result<Sources, ServeError> {
    let query = question(&task.messages, plan.context_window);
    if query.trim().is_empty() {
        return Ok(Sources::default());
    }
    let mut retrieval = plan.retrieval(query);
    let passages = retrieve_in_part(node, &mut retrieval).await?;
    let searched = passages.clone();
    let grounded = ground(node, model, task, (passages, &plan.grounding)).await?;
    let sources = Sources::of(grounded.citations);
    sources.note(&retrieval.query, &searched);
    Ok(sources)
}
