//! Use case: continue texts.

use gaia_protocol::{CompleteTask, Task};

use crate::answers::Batch;
use crate::{Answers, Node, ServeError};

/// Starts to continue each text `choices` times with the named model, or with the only one that can.
/// With a seed, each choice has one of its own that follows from it. Needs a permit for each.
///
/// # Errors
/// As [`crate::chat`].
pub fn complete(
    node: &Node,
    model: Option<&str>,
    texts: Vec<CompleteTask>,
    choices: u32,
) -> Result<Answers, ServeError> {
    if texts.is_empty() {
        let message = "prompt is empty: give at least one text".into();
        return Err(ServeError::Invalid { message, param: Some("prompt".into()) });
    }
    let choices_per_prompt = choices.max(1);
    let tasks = texts.into_iter().flat_map(|text| of_text(text, choices_per_prompt)).collect();
    Answers::start(node, model, Batch { tasks, choices_per_prompt, lookup: None })
}

fn of_text(text: CompleteTask, choices: u32) -> impl Iterator<Item = Task> {
    (0..choices).map(move |choice| {
        let mut task = text.clone();
        task.sampling.seed = task.sampling.seed.map(|seed: u32| seed.wrapping_add(choice));
        Task::Complete(task)
    })
}

#[cfg(test)]
mod tests {
    use gaia_protocol::{Input, ModelKind, Sampling};

    use super::*;
    use crate::fakes::{FakeModel, node_of};

    fn text(prompt: &str) -> CompleteTask {
        let sampling = Sampling { seed: Some(7), ..Sampling::default() };
        CompleteTask { prompt: Input::from(prompt), sampling, ..CompleteTask::default() }
    }

    #[test]
    fn an_embedding_model_and_no_text_are_refused() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        let error = complete(&node, Some("e"), vec![text("a")], 1).err().expect("refused");
        assert!(matches!(error, ServeError::WrongKind { .. }));
        let error = complete(&node, Some("e"), vec![], 1).err().expect("refused");
        assert!(matches!(error, ServeError::Invalid { .. }));
        assert_eq!(model.started(), 0);
    }

    #[test]
    fn each_text_has_its_choices_side_by_side() {
        let (node, model) = node_of(FakeModel::new("m", ModelKind::Chat));
        let answers = complete(&node, None, vec![text("a"), text("b")], 2).expect("starts");
        assert_eq!((answers.count(), answers.choices_per_prompt()), (4, 2));
        let said = |task: Task| match task {
            Task::Complete(task) => (task.prompt, task.sampling.seed),
            _ => panic!("another task"),
        };
        let (a, b) = (Input::from("a"), Input::from("b"));
        let wanted = [(a.clone(), Some(7)), (a, Some(8)), (b.clone(), Some(7)), (b, Some(8))];
        assert_eq!(model.tasks().into_iter().map(said).collect::<Vec<_>>(), wanted);
    }
}
