//! Use case: turn texts into vectors.

use gaia_protocol::{EmbedTask, Event, Input, ModelKind, Task, Usage};

use crate::order::Order;
use crate::{Node, ServeError};

/// The vectors of a request's texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// The name of the model that made them.
    pub model: String,
    /// One vector per text, in the order of the texts, of length one.
    pub vectors: Vec<Vec<f32>>,
    /// What it took.
    pub usage: Usage,
}

impl Embeddings {
    /// Cuts each vector to its first `dimensions` numbers and makes its length one again. Models of
    /// Matryoshka training keep most of the meaning there.
    ///
    /// # Errors
    /// [`ServeError::Invalid`]: the vectors are shorter than that, or nothing would be left.
    pub fn cut(mut self, dimensions: usize) -> Result<Self, ServeError> {
        let length = self.vectors.first().map_or(0, Vec::len);
        if dimensions == 0 || dimensions > length {
            let message = format!("`dimensions` must be from 1 to {length} with this model");
            return Err(ServeError::Invalid { message, param: Some("dimensions".into()) });
        }
        self.vectors.iter_mut().for_each(|vector| cut(vector, dimensions));
        Ok(self)
    }
}

fn cut(vector: &mut Vec<f32>, dimensions: usize) {
    vector.truncate(dimensions);
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "it was an f32 before")]
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}

/// Turns texts into vectors with the named model, or with the only one that can. Dropping the future
/// cancels the task.
///
/// # Errors
/// As [`crate::chat`], and everything that can fail on the way.
pub async fn embed(
    node: &Node,
    model: Option<&str>,
    task: EmbedTask,
) -> Result<Embeddings, ServeError> {
    check(&task)?;
    let model = node.models.choose(model, ModelKind::Embedding)?;
    let _permit = node.admission.admit()?;
    let mut vectors = vec![vec![]; task.inputs.len()];
    let order = Order::of_vectors(vectors.len());
    let take = |event| {
        if let Event::Embedding { index, vector, .. } = event {
            vectors[index as usize] = vector;
        }
    };
    let usage = order.follow(model.start(Task::Embed(task))?, take).await?;
    Ok(Embeddings { model: model.name().to_owned(), vectors, usage })
}

fn check(task: &EmbedTask) -> Result<(), ServeError> {
    let message = match task.inputs.iter().position(Input::is_empty) {
        _ if task.inputs.is_empty() => "input is empty: give at least one text".to_owned(),
        Some(index) => format!("input[{index}] is an empty text"),
        None => return Ok(()),
    };
    Err(ServeError::Invalid { message, param: Some("input".into()) })
}

#[cfg(test)]
mod tests {
    use gaia_protocol::FinishReason;

    use super::*;
    use crate::fakes::{FakeModel, block_on, node_of};

    fn task(inputs: &[&str]) -> EmbedTask {
        EmbedTask { inputs: inputs.iter().map(|text| Input::from(*text)).collect() }
    }

    fn vector(index: u32, value: f32) -> Result<Event, ServeError> {
        Ok(Event::Embedding { index, vector: vec![value], tokens: 1 })
    }

    fn finish() -> Result<Event, ServeError> {
        Ok(Event::finish(FinishReason::Stop, Usage::default()))
    }

    #[test]
    fn nothing_and_empty_texts_are_refused_by_place() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        for (inputs, words) in [(&[][..], "at least one"), (&["a", ""], "input[1]")] {
            let error = block_on(embed(&node, None, task(inputs))).expect_err("refused");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!(model.started(), 0);
    }

    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let model = FakeModel::new("e", ModelKind::Embedding);
        let (node, _) = node_of(model.answering(vec![vector(1, 2.0), vector(0, 1.0), finish()]));
        let embeddings = block_on(embed(&node, None, task(&["a", "b"]))).expect("vectors");
        assert_eq!(embeddings.vectors, [[1.0], [2.0]]);
        assert_eq!(node.admission.active(), 0);
    }

    #[test]
    fn vectors_are_cut_to_length_one_but_never_grow() {
        let vectors = vec![vec![3.0, 4.0, 12.0], vec![0.0, 0.0, 1.0]];
        let whole = Embeddings { model: "e".into(), vectors, usage: Usage::default() };
        for dimensions in [0, 4] {
            let error = whole.clone().cut(dimensions).expect_err("refused");
            assert_eq!(error.to_string(), "`dimensions` must be from 1 to 3 with this model");
        }
        let cut = whole.cut(2).expect("shorter");
        assert_eq!(cut.vectors, [[0.6, 0.8], [0.0, 0.0]]);
    }

    #[test]
    fn a_missing_vector_is_the_apps_fault() {
        let model = FakeModel::new("e", ModelKind::Embedding);
        let (node, _) = node_of(model.answering(vec![vector(0, 1.0), finish()]));
        let error = block_on(embed(&node, None, task(&["a", "b"]))).expect_err("refused");
        assert!(matches!(error, ServeError::App { .. }), "{error}");
    }
}
