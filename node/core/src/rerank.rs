//! Use case: tell how near documents are to a query.

use gaia_protocol::{EmbedTask, Input, Usage};

use crate::{Node, ServeError, embed};

/// How near the documents of a request are to its query.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// The name of the model that made the vectors.
    pub model: String,
    /// Place of each document in the request and its score, best first; equal scores keep the
    /// request's order. A score is the cosine of the query's and the document's vectors, -1 to 1.
    pub places: Vec<(usize, f32)>,
    /// What it took.
    pub usage: Usage,
}

/// Ranks documents by the cosines between their vectors and the query's, with the named embedding
/// model or with the only one. Dropping the future cancels the task.
///
/// # Errors
/// As [`embed`].
pub async fn rerank(
    node: &Node,
    model: Option<&str>,
    query: String,
    documents: Vec<String>,
) -> Result<Ranking, ServeError> {
    check(&query, &documents)?;
    let inputs = std::iter::once(query).chain(documents).map(Input::Text).collect();
    let embeddings = embed(node, model, EmbedTask { inputs }).await?;
    let (query, documents) = embeddings.vectors.split_first().expect("one vector for each input");
    let scores = documents.iter().map(|document| cosine(query, document));
    let mut places: Vec<_> = scores.enumerate().collect();
    places.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(Ranking { model: embeddings.model, places, usage: embeddings.usage })
}

fn check(query: &str, documents: &[String]) -> Result<(), ServeError> {
    let invalid = |param: String, what: &str| {
        let message = format!("{param} is empty: give {what}");
        Err(ServeError::Invalid { message, param: Some(param) })
    };
    if query.is_empty() {
        return invalid("query".into(), "the text to compare with");
    }
    if documents.is_empty() {
        return invalid("documents".into(), "at least one text");
    }
    match documents.iter().position(String::is_empty) {
        Some(place) => invalid(format!("documents[{place}]"), "a text"),
        None => Ok(()),
    }
}

/// The cosine of the angle between two vectors of one length; 0 where one of them is zero.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = dot(one, other);
    let lengths = (dot(one, one) * dot(other, other)).sqrt();
    if lengths == 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a score needs no more than f32 holds")]
    let cosine = (product / lengths).clamp(-1.0, 1.0) as f32;
    cosine
}

/// Summed in f64, so that long vectors lose nothing.
fn dot(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use gaia_protocol::{Event, FinishReason, ModelKind};

    use super::*;
    use crate::fakes::{FakeModel, block_on, node_of};

    fn vector(index: u32, vector: &[f32]) -> Result<Event, ServeError> {
        Ok(Event::Embedding { index, vector: vector.to_vec(), tokens: 1 })
    }

    fn ask(query: &str, documents: &[&str]) -> (String, Vec<String>) {
        (query.into(), documents.iter().map(|text| (*text).into()).collect())
    }

    #[test]
    fn empty_texts_are_refused_by_name() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        for ((query, documents), param) in [
            (ask("", &["a"]), "query"),
            (ask("q", &[]), "documents"),
            (ask("q", &["a", ""]), "documents[1]"),
        ] {
            let error = block_on(rerank(&node, None, query, documents)).expect_err("refused");
            assert!(error.to_string().starts_with(param), "{error}");
        }
        assert_eq!(model.started(), 0);
    }

    #[test]
    fn the_nearest_comes_first_and_equals_keep_their_order() {
        let usage = Usage { prompt_tokens: 9, ..Usage::default() };
        let script = vec![
            vector(0, &[1.0, 0.0]),
            vector(1, &[-1.0, 0.0]),
            vector(2, &[0.0, 0.0]),
            vector(3, &[3.0, 4.0]),
            vector(4, &[0.0, 1.0]),
            Ok(Event::finish(FinishReason::Stop, usage)),
        ];
        let (node, _) = node_of(FakeModel::new("e", ModelKind::Embedding).answering(script));
        let (query, documents) = ask("q", &["a", "b", "c", "d"]);
        let ranking = block_on(rerank(&node, None, query, documents)).expect("ranked");
        assert_eq!(ranking.places, [(2, 0.6), (1, 0.0), (3, 0.0), (0, -1.0)]);
        assert_eq!(ranking.usage.prompt_tokens, 9);
    }
}
