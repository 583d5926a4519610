//! Cuts a conversation's question to what the models that search for it can read.
//!
//! Who pastes a long text into a conversation wants an answer, not a refusal by an embedding model that
//! the request never named. What is asked stands at the beginning or at the end: both stay.

use gaia_protocol::ModelKind;

use super::ground::Counter;
use super::{Collection, Retrieval, SearchMode};
use crate::{Node, ServeError};

/// Tokens that a model puts around a text, and those that a cut through a word makes more.
const MARK_TOKENS: usize = 8;

/// A longer text is cut before its tokens are counted: prose has four to five bytes a token, and what
/// has more is blanks.
const BYTES_PER_TOKEN: usize = 16;

/// Where the context is not known before the first count loads the model.
const CONTEXT_TOKENS_UNKNOWN: usize = 8192;

/// Tries to get below a limit; each leaves a tenth to spare, so two are nearly always enough.
const CUTS_MAX: usize = 8;

/// Leaves of the question what every model that reads it in these collections has room for.
pub(super) async fn shorten(
    node: &Node,
    retrieval: &mut Retrieval,
    collections: &[Collection],
) -> Result<(), ServeError> {
    for reader in readers(node, retrieval, collections)? {
        let query = std::mem::take(&mut retrieval.query);
        retrieval.query = reader.cut(query).await?;
    }
    Ok(())
}

/// A model that reads the question.
struct Reader<'a> {
    counter: Counter<'a>,
    /// What it is given before the question.
    prefix: &'a str,
    /// The question may take this part of its context: a reranker reads a passage beside it.
    part: usize,
}

fn readers<'a>(
    node: &'a Node,
    retrieval: &Retrieval,
    collections: &'a [Collection],
) -> Result<Vec<Reader<'a>>, ServeError> {
    let mut readers = vec![];
    if retrieval.mode != SearchMode::Words {
        for collection in collections {
            let embedder = collection.spec.embedder.as_deref();
            let model = node.models.choose(embedder, ModelKind::Embedding)?;
            let prefix = collection.spec.query_prefix.as_deref().unwrap_or_default();
            readers.push(Reader { counter: Counter { node, model }, prefix, part: 1 });
        }
    }
    if let Some(name) = &retrieval.reranker {
        let model = node.models.choose_ranker(Some(name))?;
        let part = if model.kind() == ModelKind::Rerank { 2 } else { 1 };
        readers.push(Reader { counter: Counter { node, model }, prefix: "", part });
    }
    Ok(readers)
}

impl Reader<'_> {
    async fn cut(&self, mut query: String) -> Result<String, ServeError> {
        for _ in 0..CUTS_MAX {
            let room = self.room();
            // No token is less than a byte.
            if room.is_some_and(|room| query.len() + self.prefix.len() <= room) {
                break;
            }
            query = ends(&query, room.unwrap_or(CONTEXT_TOKENS_UNKNOWN) * BYTES_PER_TOKEN);
            let tokens = self.counter.count(&format!("{}{query}", self.prefix)).await?;
            // The count may have loaded the model.
            let Some(room) = self.room() else { break };
            if tokens <= room {
                break;
            }
            query = ends(&query, query.len() * room / tokens * 9 / 10);
        }
        Ok(query)
    }

    /// Tokens that question and prefix may have.
    fn room(&self) -> Option<usize> {
        let context = self.counter.context()? as usize;
        Some((context / self.part).saturating_sub(MARK_TOKENS))
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
