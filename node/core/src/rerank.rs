//! Use case: tell how well documents answer a query.

use gaia_protocol::{EmbedTask, Event, Input, ModelKind, RankTask, Task, Usage};

use crate::order::Order;
use crate::{Model, Node, ServeError, embed};

/// How well the documents of a request answer its query.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// The name of the model that ranked.
    pub model: String,
    /// Place of each document in the request and its score, best first; equal scores keep the
    /// request's order. A reranker's score goes from 0 to 1; an embedding model's is the cosine of the
    /// query's and the document's vectors, -1 to 1.
    pub places: Vec<(usize, f32)>,
    /// What it took.
    pub usage: Usage,
}

/// Ranks documents: with the named reranker, which reads each with the query, or with the named
/// embedding model, by the cosines of vectors; without a name with the only reranker, or the only
/// embedding model where there is none. Dropping the future cancels the task.
///
/// # Errors
/// As [`embed`]; an embedding model reads no document in part.
pub async fn rerank(
    node: &Node,
    model: Option<&str>,
    task: RankTask,
) -> Result<Ranking, ServeError> {
    check(&task.query, &task.documents)?;
    let model = node.models.choose_ranker(model)?;
    let (scores, usage) = match model.kind() {
        ModelKind::Rerank => read(node, model.as_ref(), task).await?,
        _ => compare(node, model.name(), task).await?,
    };
    let mut places: Vec<_> = scores.into_iter().enumerate().collect();
    places.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(Ranking { model: model.name().to_owned(), places, usage })
}

/// What a reranker says.
async fn read(
    node: &Node,
    model: &dyn Model,
    task: RankTask,
) -> Result<(Vec<f32>, Usage), ServeError> {
    let _permit = node.admission.admit()?;
    let mut scores = vec![0.0; task.documents.len()];
    let order = Order::of_scores(scores.len());
    let take = |event| {
        if let Event::Score { index, score, .. } = event {
            scores[index as usize] = score;
        }
    };
    let usage = order.follow(model.start(Task::Rank(task))?, take).await?;
    Ok((scores, usage))
}

/// How near the vectors of an embedding model are.
async fn compare(
    node: &Node,
    model: &str,
    task: RankTask,
) -> Result<(Vec<f32>, Usage), ServeError> {
    if task.truncate {
        let message = format!("truncate is for rerankers: `{model}` turns text into vectors");
        return Err(ServeError::Invalid { message, param: Some("truncate".into()) });
    }
    let inputs = std::iter::once(task.query).chain(task.documents).map(Input::Text).collect();
    let embeddings = embed(node, Some(model), EmbedTask { inputs }).await?;
    let (query, documents) = embeddings.vectors.split_first().expect("one vector for each input");
    let scores = documents.iter().map(|document| cosine(query, document));
    Ok((scores.collect(), embeddings.usage))
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
    use gaia_protocol::FinishReason;

    use super::*;
    use crate::fakes::{FakeModel, block_on, node_of};

    fn vector(index: u32, vector: &[f32]) -> Result<Event, ServeError> {
        Ok(Event::Embedding { index, vector: vector.to_vec(), tokens: 1 })
    }

    fn ask(query: &str, documents: &[&str]) -> RankTask {
        let documents = documents.iter().map(|text| (*text).into()).collect();
        RankTask { query: query.into(), documents, truncate: false }
    }

    #[test]
    fn empty_texts_are_refused_by_name() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        for (task, param) in [
            (ask("", &["a"]), "query"),
            (ask("q", &[]), "documents"),
            (ask("q", &["a", ""]), "documents[1]"),
        ] {
            let error = block_on(rerank(&node, None, task)).expect_err("refused");
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
        let task = ask("q", &["a", "b", "c", "d"]);
        let ranking = block_on(rerank(&node, None, task)).expect("ranked");
        assert_eq!(ranking.places, [(2, 0.6), (1, 0.0), (3, 0.0), (0, -1.0)]);
        assert_eq!(ranking.usage.prompt_tokens, 9);
    }

    #[test]
    fn an_embedding_model_reads_no_document_in_part() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        let task = RankTask { truncate: true, ..ask("q", &["a"]) };
        let error = block_on(rerank(&node, Some("e"), task)).expect_err("refused");
        assert!(error.to_string().starts_with("truncate is for rerankers"), "{error}");
        assert_eq!(model.started(), 0);
    }

    #[test]
    fn a_reranker_reads_each_document_with_the_query() {
        let usage = Usage { prompt_tokens: 9, ..Usage::default() };
        let score = |index, score| Ok(Event::Score { index, score, tokens: 3 });
        let finish = Ok(Event::finish(FinishReason::Stop, usage));
        let script = vec![score(1, 0.75), score(0, 0.5), score(2, 0.75), finish];
        let (node, model) = node_of(FakeModel::new("r", ModelKind::Rerank).answering(script));
        let task = RankTask { truncate: true, ..ask("q", &["a", "b", "c"]) };
        let ranking = block_on(rerank(&node, None, task.clone())).expect("ranked");
        assert_eq!(ranking.places, [(1, 0.75), (2, 0.75), (0, 0.5)]);
        assert_eq!((ranking.model.as_str(), ranking.usage), ("r", usage));
        assert_eq!(model.tasks(), [Task::Rank(task)]);
        assert_eq!(node.admission.active(), 0);
    }

    #[test]
    fn a_missing_score_is_the_apps_fault() {
        let finish = Ok(Event::finish(FinishReason::Stop, Usage::default()));
        let (node, _) = node_of(FakeModel::new("r", ModelKind::Rerank).answering(vec![finish]));
        let error = block_on(rerank(&node, Some("r"), ask("q", &["a"]))).expect_err("refused");
        assert!(matches!(error, ServeError::App { .. }), "{error}");
    }

    #[test]
    fn who_goes_away_ends_the_ranking() {
        let score = Ok(Event::Score { index: 0, score: 0.5, tokens: 3 });
        let fake = FakeModel::new("r", ModelKind::Rerank).answering(vec![score]).hanging();
        let (node, model) = node_of(fake);
        let mut ranking = Box::pin(rerank(&node, None, ask("q", &["a", "b"])));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(ranking.as_mut().poll(&mut context).is_pending());
        assert_eq!(node.admission.active(), 1);
        drop(ranking);
        assert_eq!((model.cancelled(), node.admission.active()), (1, 0));
    }
}
