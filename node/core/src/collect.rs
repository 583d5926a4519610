//! Folds a running answer into a whole one.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use gaia_protocol::{Event, FinishReason, Usage};

use crate::ServeError;
use crate::answer::app;

/// A generated text, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub reason: FinishReason,
    /// What it took.
    pub usage: Usage,
}

/// Waits for the whole text.
///
/// # Errors
/// The failure that ended the answer.
pub async fn collect<S>(mut answer: S) -> Result<Text, ServeError>
where
    S: Stream<Item = Result<Event, ServeError>> + Unpin,
{
    let mut text = String::new();
    while let Some(event) = next(&mut answer).await {
        match event? {
            Event::Delta { text: more, .. } => text += &more,
            Event::Finish { reason, usage } => return Ok(Text { text, reason, usage }),
            _ => {}
        }
    }
    Err(app("it ended without finishing its answer"))
}

pub(crate) async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

#[cfg(test)]
mod tests {
    use gaia_protocol::{ChatTask, ModelKind};

    use super::*;
    use crate::fake::{Step, now};
    use crate::{Admission, FakeModel, chat};

    fn run(steps: Vec<Step>) -> Result<Text, ServeError> {
        let model = FakeModel::new("chat", ModelKind::Chat).with_script(steps);
        now(collect(chat(&model, ChatTask::default(), &Admission::new(1)).expect("starts")))
    }

    #[test]
    fn a_failure_in_the_middle_is_the_answer() {
        let steps = vec![Step::text("Par"), Step::Fail(ServeError::WorkerStopped)];
        assert_eq!(run(steps), Err(ServeError::WorkerStopped));
    }

    #[test]
    fn deltas_become_one_text() {
        let answer = run(Step::answer(&["Par", "is"])).expect("an answer");
        assert_eq!(answer.text, "Paris");
        assert_eq!(answer.usage, Usage { prompt_tokens: 3, completion_tokens: 2 });
        assert_eq!(answer.reason, FinishReason::Stop);
    }
}
