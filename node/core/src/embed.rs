//! Use case: turn texts into vectors.

use std::future::poll_fn;

use gaia_protocol::{EmbedTask, Event, Input, ModelKind, Task, Usage};

use crate::answer::no_end;
use crate::order::Order;
use crate::{EventStream, Node, ServeError};

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
    let inputs = task.inputs.len();
    let events = model.start(Task::Embed(task))?;
    let (vectors, usage) = collect(events, inputs).await?;
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

async fn collect(
    mut events: EventStream,
    inputs: usize,
) -> Result<(Vec<Vec<f32>>, Usage), ServeError> {
    let mut order = Order::of_vectors(inputs);
    let mut vectors = vec![vec![]; inputs];
    loop {
        let next = poll_fn(|context| events.as_mut().poll_next(context)).await;
        let event = next.unwrap_or_else(|| Err(no_end()))?;
        order.accept(&event)?;
        match event {
            Event::Embedding { index, vector, .. } => vectors[index as usize] = vector,
            Event::Finish { usage, .. } => return Ok((vectors, usage)),
            _ => {}
        }
    }
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
        Ok(Event::Finish { reason: FinishReason::Stop, usage: Usage::default() })
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
    fn a_missing_vector_is_the_apps_fault() {
        let model = FakeModel::new("e", ModelKind::Embedding);
        let (node, _) = node_of(model.answering(vec![vector(0, 1.0), finish()]));
        let error = block_on(embed(&node, None, task(&["a", "b"]))).expect_err("refused");
        assert!(matches!(error, ServeError::App { .. }), "{error}");
    }
}
