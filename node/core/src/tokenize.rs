//! Use case: turn a text into tokens, or tokens into their text.

use gaia_protocol::{Event, Task, TokenText, TokenizeTask};

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
    let mut all = Vec::new();
    let take = |event| {
        if let Event::Tokens { tokens } = event {
            all.extend(tokens);
        }
    };
    Order::of_tokens().follow(model.start(Task::Tokenize(task))?, take).await?;
    Ok(all)
}

/// Cuts a text into about as many parts as a model has tokens for it, rather more: for models whose
/// tokenizer is out of reach. English prose has a token every four to five bytes; a character beyond
/// ASCII has one or two.
#[must_use]
pub fn estimate(text: &str) -> Vec<&[u8]> {
    let mut rest = text.as_bytes();
    let mut tokens = Vec::with_capacity(rest.len() / 4);
    while !rest.is_empty() {
        let (token, more) = rest.split_at(token_bytes(rest));
        tokens.push(token);
        rest = more;
    }
    tokens
}

/// Bytes of the next guessed token: one blank, if there is one, and bytes of one kind.
fn token_bytes(rest: &[u8]) -> usize {
    let blank = usize::from(rest.len() > 1 && rest[0] == b' ');
    let first = class(rest[blank]);
    let most = match first {
        Class::Word => 5 - blank,
        Class::Foreign => 3,
        Class::Blank => 8,
        Class::Mark => 1,
    };
    let of_kind = rest[blank..].iter().take(most).take_while(|byte| class(**byte) == first);
    blank + of_kind.count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    Mark,
    Foreign,
}

fn class(byte: u8) -> Class {
    match byte {
        b' ' => Class::Blank,
        0x80.. => Class::Foreign,
        _ if byte.is_ascii_alphanumeric() => Class::Word,
        _ => Class::Mark,
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

    #[test]
    fn a_guess_loses_no_byte_and_counts_rather_more() {
        for (text, tokens) in [
            ("", 0),
            (" ", 1),
            ("The cat sat on the mat.", 7),
            ("internationalization", 4),
            ("fn main() {\n        let x = 1;\n}", 14),
            ("こんにちは", 5),
            ("👍", 2),
        ] {
            let guess = estimate(text);
            assert_eq!(guess.concat(), text.as_bytes());
            assert_eq!(guess.len(), tokens, "{text}");
        }
    }
}
