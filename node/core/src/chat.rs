//! Use case: answer a conversation.

use gaia_protocol::{ChatTask, Task};

use crate::{Answer, Node, ServeError};

/// Starts to answer a conversation with the named model, or with the only one that can.
///
/// # Errors
/// Before the first event: [`ServeError::Invalid`], [`ServeError::UnknownModel`],
/// [`ServeError::WrongKind`], [`ServeError::Overloaded`] or [`ServeError::Unavailable`].
pub fn chat(node: &Node, model: Option<&str>, task: ChatTask) -> Result<Answer, ServeError> {
    if task.messages.is_empty() {
        return Err(ServeError::Invalid {
            message: "messages is empty: give at least one message".into(),
            param: Some("messages".into()),
        });
    }
    Answer::start(node, model, Task::Chat(task))
}

#[cfg(test)]
mod tests {
    use gaia_protocol::{Event, FinishReason, Message, ModelKind, Role, Usage};

    use super::*;
    use crate::fakes::{FakeModel, block_on, node_of};

    fn task() -> ChatTask {
        let message = Message { role: Role::User, content: "Hi".into(), ..Message::default() };
        ChatTask { messages: vec![message], ..ChatTask::default() }
    }

    fn delta(text: &str) -> Event {
        Event::text(text, 1)
    }

    fn finish() -> Event {
        let usage = Usage { prompt_tokens: 3, completion_tokens: 2, ..Usage::default() };
        Event::Finish { reason: FinishReason::Stop, usage }
    }

    #[test]
    fn no_message_and_no_room_are_refused_before_the_model_hears_of_it() {
        let (node, model) = node_of(FakeModel::new("m", ModelKind::Chat));
        let error = chat(&node, Some("m"), ChatTask::default()).err().expect("refused");
        assert!(matches!(error, ServeError::Invalid { .. }));
        let permits: Vec<_> = (0..4).map(|_| node.admission.admit().expect("room")).collect();
        let error = chat(&node, Some("m"), task()).err().expect("refused");
        assert!(matches!(error, ServeError::Overloaded { .. }));
        assert_eq!(model.started(), 0);
        drop(permits);
    }

    #[test]
    fn an_answer_is_put_together_and_gives_its_permit_back() {
        let model = FakeModel::new("m", ModelKind::Chat);
        let (node, model) = node_of(model.answering(vec![
            Ok(Event::Prompt { tokens: 3, cached_tokens: 0 }),
            Ok(delta("Hel")),
            Ok(delta("lo")),
            Ok(finish()),
        ]));
        let answer = chat(&node, None, task()).expect("starts");
        assert_eq!(node.admission.active(), 1);
        let completion = block_on(answer.collect()).expect("completes");
        assert_eq!((completion.text.as_str(), completion.usage.prompt_tokens), ("Hello", 3));
        assert_eq!((node.admission.active(), model.cancelled()), (0, 0));
    }

    #[test]
    fn a_dropped_answer_is_cancelled() {
        let model = FakeModel::new("m", ModelKind::Chat).answering(vec![Ok(delta("a"))]).hanging();
        let (node, model) = node_of(model);
        let mut answer = chat(&node, None, task()).expect("starts");
        assert!(block_on(answer.next()).is_some_and(|event| event.is_ok()));
        drop(answer);
        assert_eq!((node.admission.active(), model.cancelled()), (0, 1));
    }

    #[test]
    fn an_answer_that_does_not_end_is_stopped() {
        let mebibyte = "a".repeat(1 << 20);
        let script = (0..17).map(|_| Ok(delta(&mebibyte))).collect();
        let model = FakeModel::new("m", ModelKind::Chat).answering(script).hanging();
        let (node, model) = node_of(model);
        let answer = chat(&node, None, task()).expect("starts");
        let error = block_on(answer.collect()).expect_err("stopped");
        assert!(error.to_string().contains("does not end"), "{error}");
        assert_eq!((node.admission.active(), model.cancelled()), (0, 1));
    }

    #[test]
    fn an_answer_without_an_end_and_a_failed_one_are_errors_and_then_silence() {
        for (events, wanted) in [
            (vec![Ok(delta("a"))], "without finishing"),
            (vec![Err(ServeError::WorkerStopped)], "worker stopped"),
            (vec![Ok(Event::Embedding { index: 0, vector: vec![], tokens: 1 })], "vector"),
        ] {
            let (node, _) = node_of(FakeModel::new("m", ModelKind::Chat).answering(events));
            let mut answer = chat(&node, None, task()).expect("starts");
            let error = loop {
                match block_on(answer.next()).expect("an error before the end") {
                    Ok(_) => {}
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains(wanted), "{error}");
            assert!(block_on(answer.next()).is_none());
        }
    }
}
