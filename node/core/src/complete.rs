//! Use case: continue a text.

use gaia_protocol::{CompleteTask, Task};

use crate::{Answer, Node, ServeError};

/// Starts to continue a text with the named model, or with the only one that can.
///
/// # Errors
/// As [`crate::chat`].
pub fn complete(
    node: &Node,
    model: Option<&str>,
    task: CompleteTask,
) -> Result<Answer, ServeError> {
    Answer::start(node, model, Task::Complete(task))
}

#[cfg(test)]
mod tests {
    use gaia_protocol::ModelKind;

    use super::*;
    use crate::fakes::{FakeModel, node_of};

    #[test]
    fn an_embedding_model_does_not_continue_texts() {
        let (node, model) = node_of(FakeModel::new("e", ModelKind::Embedding));
        let error = complete(&node, Some("e"), CompleteTask::default()).err().expect("refused");
        assert!(matches!(error, ServeError::WrongKind { .. }));
        assert_eq!(model.started(), 0);
    }
}
