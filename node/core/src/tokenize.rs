//! Use case: turn a text into tokens, or tokens into their text.

use std::future::poll_fn;

use gaia_protocol::{Event, Task, TokenText, TokenizeTask};

use crate::answer::no_end;
use crate::order::Order;
use crate::{Node, ServeError};

/// The tokens of a text, with what each stands for. The model may be of any kind.
///
/// # Errors
/// [`ServeError`]: no such model, no room, or the model's failure.
pub async fn tokenize(
    node: &Node,
    model: Option<&str>,
    task: TokenizeTask,
) -> Result<Vec<TokenText>, ServeError> {
    let model = node.models.choose_any(model)?;
    let _permit = node.admission.admit()?;
    let mut events = model.start(Task::Tokenize(task))?;
    let mut order = Order::of_tokens();
    let mut all = Vec::new();
    loop {
        let next = poll_fn(|context| events.as_mut().poll_next(context)).await;
        let event = next.unwrap_or_else(|| Err(no_end()))?;
        order.accept(&event)?;
        match event {
            Event::Tokens { tokens } => all.extend(tokens),
            Event::Finish { .. } => return Ok(all),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use gaia_protocol::{FinishReason, ModelKind, Usage};

    use super::*;
    use crate::fakes::{FakeModel, block_on, node_of};

    fn tokens(ids: &[u32]) -> Result<Event, ServeError> {
        let token = |id: &u32| TokenText { id: *id, bytes: vec![] };
        Ok(Event::Tokens { tokens: ids.iter().map(token).collect() })
    }

    fn finish() -> Result<Event, ServeError> {
        Ok(Event::finish(FinishReason::Stop, Usage::default()))
    }

    #[test]
    fn tokens_of_several_events_are_one_list_whatever_the_model_is_for() {
        let model = FakeModel::new("e", ModelKind::Embedding);
        let (node, _) = node_of(model.answering(vec![tokens(&[1, 2]), tokens(&[3]), finish()]));
        let all = block_on(tokenize(&node, None, TokenizeTask::default())).expect("tokens");
        assert_eq!(all.iter().map(|token| token.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(node.admission.active(), 0);
    }

    #[test]
    fn text_instead_of_tokens_is_the_apps_fault() {
        let delta = Event::Delta {
            text: "a".into(),
            tokens: 1,
            channel: gaia_protocol::Channel::Content,
            logprobs: vec![],
        };
        let model = FakeModel::new("m", ModelKind::Chat).answering(vec![Ok(delta)]);
        let (node, _) = node_of(model);
        let error = block_on(tokenize(&node, None, TokenizeTask::default())).expect_err("refused");
        assert!(error.to_string().contains("instead of tokens"), "{error}");
    }
}
