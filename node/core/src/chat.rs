//! Use case: answer a conversation.

use gaia_protocol::{ChatTask, Task};

use crate::answers::Batch;
use crate::knowledge::lookup::{Lookup, SEARCH_FUNCTION};
use crate::{Answer, Answers, Node, ServeError};

/// Bytes of one schema's JSON at most: the engine would take long to read a larger one, if it could.
const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// Levels of arrays and objects in one schema or template option at most. An app reads them
/// inside a message of its own, and JSON readers stop at 128.
const DEPTH_MAX: usize = 64;

/// Starts to answer a conversation with the named model, or with the only one that can.
///
/// # Errors
/// Before the first event: [`ServeError::Invalid`], [`ServeError::UnknownModel`],
/// [`ServeError::WrongKind`], [`ServeError::Overloaded`] or [`ServeError::Unavailable`].
pub fn chat(node: &Node, model: Option<&str>, task: ChatTask) -> Result<Answer, ServeError> {
    check(&task)?;
    Answer::start(node, model, Task::Chat(task))
}

/// Starts `choices` answers to one conversation; with a seed, each choice has one of its own that
/// follows from it. Needs a permit for each.
///
/// # Errors
/// As [`chat`].
pub fn chat_choices(
    node: &Node,
    model: Option<&str>,
    task: ChatTask,
    choices: u32,
) -> Result<Answers, ServeError> {
    check(&task)?;
    Answers::start(node, model, batch(&task, choices, None))
}

/// As [`chat_choices`], by a model that may search on its way.
pub(crate) fn chat_searching(
    node: &Node,
    asked: (ChatTask, u32),
    lookup: Lookup,
) -> Result<Answers, ServeError> {
    let (task, choices) = asked;
    check(&task)?;
    if task.tools.list.iter().any(|tool| tool.name == SEARCH_FUNCTION) {
        let message = format!(
            "tools: `{SEARCH_FUNCTION}` is what this model searches its knowledge base with; give \
             the function another name, or switch `knowledge.agentic` off"
        );
        return Err(ServeError::Invalid { message, param: Some("tools".into()) });
    }
    let model = lookup.model().to_owned();
    Answers::start(node, Some(&model), batch(&task, choices, Some(lookup)))
}

fn batch(task: &ChatTask, choices: u32, lookup: Option<Lookup>) -> Batch {
    let task = |choice| {
        let mut task = task.clone();
        task.sampling.seed = task.sampling.seed.map(|seed: u32| seed.wrapping_add(choice));
        Task::Chat(task)
    };
    let choices_per_prompt = choices.max(1);
    let tasks = (0..choices_per_prompt).map(task).collect();
    Batch { tasks, choices_per_prompt, lookup }
}

fn check(task: &ChatTask) -> Result<(), ServeError> {
    let large_format = task.format.bytes() > SCHEMA_BYTES_MAX;
    let param = if large_format { "response_format" } else { "tools" };
    if large_format || task.tools.list.iter().any(|tool| tool.schema_bytes() > SCHEMA_BYTES_MAX) {
        let message = format!("{param}: a schema has more than {SCHEMA_BYTES_MAX} bytes");
        return Err(ServeError::Invalid { message, param: Some(param.into()) });
    }
    if let Some(param) = task.deeper_than(DEPTH_MAX) {
        let message = format!("{param}: arrays and objects are nested more than {DEPTH_MAX} deep");
        return Err(ServeError::Invalid { message, param: Some(param.into()) });
    }
    if task.messages.is_empty() {
        return Err(ServeError::Invalid {
            message: "messages is empty: give at least one message".into(),
            param: Some("messages".into()),
        });
    }
    Ok(())
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
        Event::finish(FinishReason::Stop, usage)
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
    fn a_schema_that_is_too_large_is_refused_by_its_field() {
        let (node, model) = node_of(FakeModel::new("m", ModelKind::Chat));
        let format = gaia_protocol::Format::Grammar("x".repeat(SCHEMA_BYTES_MAX + 1));
        let error = chat(&node, None, ChatTask { format, ..task() }).err().expect("refused");
        let field = matches!(&error, ServeError::Invalid { param: Some(param), .. } if param == "response_format");
        assert!(field, "{error}");
        assert_eq!(model.started(), 0);
    }

    #[test]
    fn a_schema_that_is_too_deep_is_refused_by_its_field() {
        let (node, model) = node_of(FakeModel::new("m", ModelKind::Chat));
        let (open, close) = ("{\"items\":".repeat(DEPTH_MAX), "}".repeat(DEPTH_MAX));
        let deep = format!("{open}{{}}{close}").parse().expect("JSON");
        let format = gaia_protocol::Format::JsonSchema(deep);
        let error = chat(&node, None, ChatTask { format, ..task() }).err().expect("refused");
        assert!(error.to_string().contains("response_format: arrays and objects are nested"));
        assert_eq!(model.started(), 0);
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
    fn choices_need_room_for_all_and_one_failure_ends_them() {
        let good = vec![Ok(delta("a")), Ok(delta("b"))];
        let bad = vec![Ok(delta("c")), Err(ServeError::WorkerStopped)];
        let model = FakeModel::new("m", ModelKind::Chat).answering_in_turn(vec![good, bad]);
        let (node, model) = node_of(model.hanging());
        let error = chat_choices(&node, None, task(), 5).err().expect("refused");
        assert!(matches!(error, ServeError::Invalid { .. }), "four is the limit: {error}");
        let permit = node.admission.admit().expect("room");
        let error = chat_choices(&node, None, task(), 4).err().expect("refused");
        assert!(matches!(error, ServeError::Overloaded { .. }));
        assert_eq!(model.started(), 0);
        drop(permit);
        let mut answers = chat_choices(&node, None, task(), 2).expect("starts");
        let mut heard = vec![];
        let error = loop {
            match block_on(answers.next()).expect("an error before the end") {
                Ok((choice, _)) => heard.push(choice),
                Err(error) => break error,
            }
        };
        assert_eq!((heard, error), (vec![0, 1, 0], ServeError::WorkerStopped));
        assert!(block_on(answers.next()).is_none());
        assert_eq!((node.admission.active(), model.cancelled()), (0, 1));
    }

    #[test]
    fn choices_take_turns_with_seeds_of_their_own_and_end_one_by_one() {
        let scripts = vec![vec![Ok(finish())], vec![Ok(delta("b")), Ok(delta("c")), Ok(finish())]];
        let model = FakeModel::new("m", ModelKind::Chat).answering_in_turn(scripts);
        let (node, model) = node_of(model);
        let mut seeded = task();
        seeded.sampling.seed = Some(u32::MAX);
        let mut answers = chat_choices(&node, None, seeded, 2).expect("starts");
        assert_eq!((answers.count(), node.admission.active()), (2, 2));
        let mut order = vec![];
        while let Some(next) = block_on(answers.next()) {
            order.push(next.expect("good").0);
            assert_eq!(node.admission.active(), if order.len() < 4 { 1 } else { 0 });
        }
        assert_eq!(order, [0, 1, 1, 1]);
        let seed = |task: Task| match task {
            Task::Chat(task) => task.sampling.seed,
            _ => None,
        };
        let seeds: Vec<_> = model.tasks().into_iter().map(seed).collect();
        assert_eq!(seeds, [Some(u32::MAX), Some(0)]);
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
