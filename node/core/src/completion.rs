//! An answer as a whole, put together from its events.

use gaia_protocol::{Channel, Event, FinishReason, TokenLogprob, Usage};

/// An answer as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// What the model said to itself before.
    pub reasoning: String,
    /// The functions that it called, in order.
    pub tool_calls: Vec<CompletedCall>,
    /// The text's tokens with their probabilities, if these were asked for.
    pub logprobs: Vec<TokenLogprob>,
    /// Why it ended.
    pub reason: FinishReason,
    /// What it took.
    pub usage: Usage,
}

/// A function call as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompletedCall {
    /// The function.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

/// Puts an answer together.
#[derive(Debug, Default)]
pub struct Gathering {
    text: String,
    reasoning: String,
    tool_calls: Vec<CompletedCall>,
    logprobs: Vec<TokenLogprob>,
}

impl Gathering {
    /// Takes the next event of an answer whose order was checked; the last one completes it.
    pub fn take(&mut self, event: Event) -> Option<Completion> {
        match event {
            Event::Delta { text, channel: Channel::Reasoning, .. } => {
                self.reasoning.push_str(&text);
            }
            Event::Delta { text, logprobs, .. } => {
                self.text.push_str(&text);
                self.logprobs.extend(logprobs);
            }
            Event::ToolCall { name, .. } => {
                self.tool_calls.push(CompletedCall { name, arguments: String::new() });
            }
            Event::ToolArguments { index, text, .. } => {
                if let Some(call) = self.tool_calls.get_mut(index as usize) {
                    call.arguments.push_str(&text);
                }
            }
            Event::Finish { reason, usage, .. } => {
                let Self { text, reasoning, tool_calls, logprobs } = std::mem::take(self);
                return Some(Completion { text, reasoning, tool_calls, logprobs, reason, usage });
            }
            Event::Prompt { .. }
            | Event::Tokens { .. }
            | Event::Embedding { .. }
            | Event::Score { .. }
            | Event::Error { .. } => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_thoughts_and_calls_are_kept_apart() {
        let mut gathering = Gathering::default();
        let delta = |text: &str, channel| Event::Delta {
            text: text.into(),
            tokens: 1,
            channel,
            logprobs: vec![],
        };
        let arguments =
            |index, text: &str| Event::ToolArguments { index, text: text.into(), tokens: 1 };
        let call = |index, name: &str| Event::ToolCall { index, name: name.into(), tokens: 1 };
        for event in [
            Event::Prompt { tokens: 1, cached_tokens: 0 },
            delta("hm", Channel::Reasoning),
            delta("a", Channel::Content),
            call(0, "f"),
            arguments(0, "{"),
            call(1, "g"),
            arguments(0, "}"),
            delta("b", Channel::Content),
        ] {
            assert_eq!(gathering.take(event), None);
        }
        let end = Event::finish(FinishReason::ToolCalls, Usage::default());
        let completion = gathering.take(end).expect("complete");
        assert_eq!((completion.text.as_str(), completion.reasoning.as_str()), ("ab", "hm"));
        let calls = [("f", "{}"), ("g", "")].map(|(name, arguments)| CompletedCall {
            name: name.into(),
            arguments: arguments.into(),
        });
        assert_eq!(completion.tool_calls, calls);
    }
}
