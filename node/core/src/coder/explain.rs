//! Use case: explain an error, or answer a question about Rust.
//!
//! What is known for sure comes first: the compiler's own explanation, and passages of the knowledge
//! base. A model puts them into words if there is one; without, they are the answer.

mod prompt;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use gaia_protocol::ModelKind;

use self::subject::Known;
pub use self::subject::{Asked, Subject};
use super::{Coder, CoderError};
use crate::knowledge::{
    Citation, Grounding, Passage, Retrieval, SearchMode, Sources, Target, ground, retrieve,
};
use crate::{Answers, Node, ServeError, chat_choices};

/// The collection that is asked unless the request names others.
pub const RUST_COLLECTION: &str = "rust";

/// Passages of one collection.
const PASSAGES: usize = 4;

/// What a person wants to understand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explain {
    /// What it is about.
    pub subject: Subject,
    /// What is asked, in the person's words.
    pub question: Option<String>,
    /// The collections to search; none: [`RUST_COLLECTION`], if it is there.
    pub collections: Vec<String>,
    /// The model that answers; none: the coder's, or the only one there is.
    pub model: Option<String>,
    /// Whether to do without a model.
    pub without_model: bool,
    /// Tokens that the model writes at most.
    pub tokens: Option<u32>,
}

/// What is known, and who puts it into words.
pub struct Explained {
    /// The errors' numbers it is about.
    pub codes: Vec<String>,
    /// The compiler's own explanations, by number.
    pub explanations: BTreeMap<String, String>,
    /// What the compiler said, a line a message.
    pub lines: Vec<String>,
    /// The passages that the answer rests on.
    pub citations: Vec<Citation>,
    /// The answer of a model, still to come.
    pub answers: Option<Answers>,
    /// The same from what is known alone, where no model answers; empty otherwise.
    pub text: String,
    /// What the reader should know of the answer: why no model speaks, or no knowledge base.
    pub notes: Vec<String>,
}

/// Explains. The model has only begun to speak when this returns.
///
/// # Errors
/// [`CoderError::Invalid`] where there is nothing to explain; as [`retrieve`] where the request names
/// collections, and as [`crate::chat`] where it names a model.
pub async fn explain(coder: &Coder, request: Explain) -> Result<Explained, CoderError> {
    request.check()?;
    let mut notes = vec![];
    let known = subject::look(coder, &request).await?;
    notes.extend(known.note.clone());
    let passages = passages(&coder.node, &request, (&known, &mut notes)).await?;
    let spoken = speak(coder, &request, (&known, &passages)).await;
    let (answers, citations) = match spoken {
        Ok(Some((answers, citations))) => (Some(answers), citations),
        Ok(None) => {
            notes.push(NO_MODEL.to_owned());
            (None, numbered(passages))
        }
        // Whoever named a model wants to hear why it does not speak.
        Err(error) if request.model.is_some() => return Err(error.into()),
        Err(error) => {
            notes.push(format!("no model answers ({error}): {PLAIN}"));
            (None, numbered(passages))
        }
    };
    let text = match answers {
        Some(_) => String::new(),
        None => prompt::plain(&known, &citations),
    };
    let Known { codes, explanations, lines, .. } = known;
    Ok(Explained { codes, explanations, lines, citations, answers, text, notes })
}

const PLAIN: &str = "this is the compiler's own explanation and what the knowledge base has";

const NO_MODEL: &str = "no model answers here: this is the compiler's own explanation and what the \
    knowledge base has";

impl Explain {
    fn check(&self) -> Result<(), CoderError> {
        let asks = self.question.as_deref().is_some_and(|question| !question.trim().is_empty());
        if asks || self.subject != Subject::None {
            return Ok(());
        }
        Err(CoderError::Invalid {
            message:
                "nothing is asked: send `code` (an error's number such as \"E0502\", or what the \
                      compiler said), `files`, or a `question`"
                    .into(),
            param: Some("code".into()),
        })
    }
}

/// What the knowledge base has. One that was not asked for by name may be missing or out of reach.
async fn passages(
    node: &Node,
    request: &Explain,
    (known, notes): (&Known, &mut Vec<String>),
) -> Result<Vec<Passage>, ServeError> {
    let query = prompt::query(request, known);
    if query.trim().is_empty() {
        return Ok(vec![]);
    }
    if !request.collections.is_empty() {
        return retrieve(node, &retrieval(query, &request.collections)).await;
    }
    match default_passages(node, query).await {
        Ok(passages) => Ok(passages),
        Err(error) => {
            notes.push(format!("no knowledge base was asked: {error}"));
            Ok(vec![])
        }
    }
}

async fn default_passages(node: &Node, query: String) -> Result<Vec<Passage>, ServeError> {
    retrieve(node, &retrieval(query, &[RUST_COLLECTION.to_owned()])).await
}

fn retrieval(query: String, collections: &[String]) -> Retrieval {
    let target = |collection: &String| Target {
        collection: collection.clone(),
        limit: PASSAGES,
        score_threshold: None,
    };
    let targets = collections.iter().map(target).collect();
    Retrieval { query, targets, mode: SearchMode::default(), filter: None, reranker: None }
}

/// Lets a model begin; nothing where there is none, or none is wanted.
async fn speak(
    coder: &Coder,
    request: &Explain,
    (known, passages): (&Known, &[Passage]),
) -> Result<Option<(Answers, Vec<Citation>)>, ServeError> {
    if request.without_model {
        return Ok(None);
    }
    let node = &coder.node;
    let model = request.model.as_deref().or(coder.model.as_deref());
    if model.is_none() && node.models.choose(None, ModelKind::Chat).is_err() {
        return Ok(None);
    }
    let mut task = prompt::task(request, known);
    let grounding = Grounding::default();
    let found = (passages.to_vec(), &grounding);
    let grounded = ground(node, model, &mut task, found).await?;
    let citations = grounded.citations;
    let answers = chat_choices(node, model, task, 1)?;
    Ok(Some((answers.resting_on(Sources::of(citations.clone())), citations)))
}

fn numbered(passages: Vec<Passage>) -> Vec<Citation> {
    let number = |(place, passage)| Citation { number: place + 1, passage };
    passages.into_iter().enumerate().map(number).collect()
}
