//! The smallest app: answers with the last message, word by word.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use gaia_app_sdk::{
    ErrorCode, Event, Events, Failure, FinishReason, Flow, Sink, Task, Usage, serve,
};

fn main() -> ExitCode {
    serve(|request, events| match &request.task {
        Task::Chat(chat) => echo(chat.messages.last().map_or("", |last| &last.content), events),
        Task::Complete(complete) => echo(complete.prompt.as_text().unwrap_or_default(), events),
        Task::Embed(_) | Task::Rank(_) | Task::Tokenize(_) => {
            Err(Failure::new(ErrorCode::InvalidRequest, "echo makes no vectors").at("model"))
        }
    })
}

fn echo<S: Sink>(text: &str, events: &mut Events<S>) -> Result<Flow, Failure> {
    let mut usage = Usage::default();
    for word in text.split_inclusive(' ') {
        usage.completion_tokens += 1;
        if events.emit_delta(word, 1)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(events.emit(&Event::finish(FinishReason::Stop, usage))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaia_app_sdk::testing::Recorder;

    #[test]
    fn every_word_comes_back() {
        let mut events = Events::new(Recorder::default());
        assert_eq!(echo("one two", &mut events), Ok(Flow::Continue));
        let usage = Usage { prompt_tokens: 0, completion_tokens: 2, ..Usage::default() };
        let expected = [
            Event::text("one ", 1),
            Event::text("two", 1),
            Event::finish(FinishReason::Stop, usage),
        ];
        assert_eq!(events.into_sink().events, expected);
    }
}
