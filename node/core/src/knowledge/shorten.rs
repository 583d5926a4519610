//! Cuts a conversation's question to what the models that search for it can read.
//!
//! Who pastes a long text into a conversation wants an answer, not a refusal by an embedding model that
//! the request never named. What is asked stands at the beginning or at the end: both stay.

use std::sync::Arc;

use gaia_protocol::{Input, ModelKind, TokenizeTask};

use super::Retrieval;
use super::find::find_all;
use super::retrieve::SearchMode;
use crate::{Model, ModelStatus, Node, ServeError, estimate, tokenize};

/// Tokens that a model puts around a text, and those that a cut through a word makes more.
const MARK_TOKENS: usize = 8;

/// A longer text is cut before its tokens are counted: prose has four to five bytes a token, and what
/// has more is blanks.
const BYTES_PER_TOKEN: usize = 16;

/// Where the context is not known before the first count loads the model.
const CONTEXT_TOKENS_UNKNOWN: usize = 8192;

/// Tries to get below a limit; each leaves a tenth to spare, so two are nearly always enough.
const CUTS_MAX: usize = 8;

/// Leaves of the question what every model that reads it has room for.
pub(super) async fn shorten(node: &Node, retrieval: &mut Retrieval) -> Result<(), ServeError> {
    for reader in readers(node, retrieval).await? {
        let query = std::mem::take(&mut retrieval.query);
        retrieval.query = reader.cut(node, query).await?;
    }
    Ok(())
}

/// A model that reads the question.
struct Reader {
    model: Arc<dyn Model>,
    /// What it is given before the question.
    prefix: String,
    /// The question may take this part of its context: a reranker reads a passage beside it.
    part: usize,
}

async fn readers(node: &Node, retrieval: &Retrieval) -> Result<Vec<Reader>, ServeError> {
    let mut readers = vec![];
    if retrieval.mode != SearchMode::Words {
        let names: Vec<_> = retrieval.targets.iter().map(|target| &*target.collection).collect();
        for collection in find_all(node.knowledge()?, &names).await? {
            let embedder = collection.spec.embedder.as_deref();
            let model = node.models.choose(embedder, ModelKind::Embedding)?;
            let prefix = collection.spec.query_prefix.unwrap_or_default();
            readers.push(Reader { model, prefix, part: 1 });
        }
    }
    if let Some(name) = &retrieval.reranker {
        let model = node.models.choose_ranker(Some(name))?;
        let part = if model.kind() == ModelKind::Rerank { 2 } else { 1 };
        readers.push(Reader { model, prefix: String::new(), part });
    }
    Ok(readers)
}

impl Reader {
    async fn cut(&self, node: &Node, mut query: String) -> Result<String, ServeError> {
        for _ in 0..CUTS_MAX {
            let room = self.room();
            // No token is less than a byte.
            if room.is_some_and(|room| query.len() + self.prefix.len() <= room) {
                break;
            }
            query = ends(&query, room.unwrap_or(CONTEXT_TOKENS_UNKNOWN) * BYTES_PER_TOKEN);
            let tokens = self.count(node, &query).await?;
            let Some(room) = self.room() else { break };
            if tokens <= room {
                break;
            }
            query = ends(&query, query.len() * room / tokens * 9 / 10);
        }
        Ok(query)
    }

    /// Tokens that question and prefix may have; unknown of a model of another server, and of one
    /// that is not loaded.
    fn room(&self) -> Option<usize> {
        let ModelStatus::Ready(card) = self.model.status() else { return None };
        let context = Some(card.context_tokens as usize).filter(|tokens| *tokens > 0)?;
        Some((context / self.part).saturating_sub(MARK_TOKENS))
    }

    async fn count(&self, node: &Node, query: &str) -> Result<usize, ServeError> {
        let text = format!("{}{query}", self.prefix);
        if !self.model.has_tokenizer() {
            return Ok(estimate(&text).len());
        }
        let task = TokenizeTask { input: Input::Text(text), ..TokenizeTask::default() };
        Ok(tokenize(node, Some(self.model.name()), task).await?.len())
    }
}

/// The beginning and the end of a text, together so many bytes at most.
fn ends(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let half = bytes / 2;
    let head = &text[..text.floor_char_boundary(half)];
    let tail = &text[text.ceil_char_boundary(text.len() - half)..];
    format!("{head}\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_stay_at_the_bounds_of_characters() {
        assert_eq!(ends("short", 5), "short");
        assert_eq!(ends("0123456789", 4), "01\n89");
        assert_eq!(ends("ääää", 5), "ä\nä");
        assert_eq!(ends("text", 0), "\n");
    }
}
