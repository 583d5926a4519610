//! An answer whose model searches knowledge bases on its way.
//!
//! The model is given a function to search with. A turn that calls it is followed by a search and by
//! another turn, until one answers or too many have searched. Whoever listens hears one answer: the
//! texts and thoughts of all turns, the calls of the client's own functions, and one end. A turn that
//! calls the client's functions is the last, for the client goes on from there.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use gaia_protocol::{ChatTask, Event, FinishReason, Task, ToolChoice, Usage};

use crate::knowledge::lookup::{Lookup, SEARCH_FUNCTION, Talk, is_search};
use crate::{Answer, Completion, Gathering, Model, Permit, ServeError};

/// Turns of one answer that may search; models that need more do not find what they look for.
const SEARCHING_TURNS_MAX: u32 = 3;

/// A model that answers, and searches where it wants to. Dropping it cancels what it does.
pub(crate) struct Agent {
    model: Arc<dyn Model>,
    lookup: Lookup,
    step: Step,
    /// What was said before this turn; a search has it while it is made.
    talk: Talk,
    /// The turn that is being made.
    turn: Gathering,
    told: Told,
    /// Tokens of all turns at most.
    tokens_max: Option<u32>,
    searching_turns: u32,
}

/// What it does now; the permit is the answer's from its start to its end.
enum Step {
    Answering(Answer),
    Searching { work: Pin<Box<dyn Future<Output = Talk> + Send>>, permit: Permit },
    Ended,
}

/// What was told of all turns so far.
#[derive(Default)]
struct Told {
    prompt: bool,
    calls: u32,
    /// The client's call that is being told.
    open_call: Option<u32>,
    /// An earlier turn said something; what comes next begins a paragraph.
    gap: bool,
    said: bool,
    usage: Usage,
}

impl Agent {
    /// Starts on a model that was chosen, with a permit that was taken.
    pub(crate) fn begin(
        model: &Arc<dyn Model>,
        permit: Permit,
        work: (ChatTask, Lookup),
    ) -> Result<Self, ServeError> {
        let (mut task, lookup) = work;
        if task.tools.choice == ToolChoice::None {
            // The client's functions are not to be called; ours is no business of the client.
            (task.tools.list, task.tools.choice) = (vec![], ToolChoice::Auto);
        }
        task.tools.list.push(Lookup::function());
        let tokens_max = task.max_tokens;
        let answer = Answer::begin(model.as_ref(), permit, Task::Chat(task.clone()))?;
        let (step, talk) = (Step::Answering(answer), Talk::new(task));
        let (turn, told) = (Gathering::default(), Told::default());
        let model = Arc::clone(model);
        Ok(Self { model, lookup, step, talk, turn, told, tokens_max, searching_turns: 0 })
    }

    /// As [`Answer::poll_next`].
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Event, ServeError>>> {
        loop {
            let next = match &mut self.step {
                Step::Ended => return Poll::Ready(None),
                Step::Answering(answer) => match ready!(answer.poll_next(context)) {
                    Some(event) => event.map(|event| self.hear(event)),
                    None => Err(crate::answer::no_end()),
                },
                Step::Searching { work, .. } => {
                    let talk = ready!(work.as_mut().poll(context));
                    self.next_turn(talk).map(|()| None)
                }
            };
            if matches!(next, Err(_) | Ok(Some(Event::Finish { .. }))) {
                self.step = Step::Ended;
            }
            if let Some(told) = next.transpose() {
                return Poll::Ready(Some(told));
            }
        }
    }

    /// Takes an event of a turn; what is to be told of it, if anything is.
    fn hear(&mut self, event: Event) -> Option<Event> {
        if let Some(turn) = self.turn.take(event.clone()) {
            return self.end_turn(turn, event);
        }
        self.told.tell(event)
    }

    /// A turn is whole: it is followed by a search, or it is the last.
    fn end_turn(&mut self, turn: Completion, event: Event) -> Option<Event> {
        let Event::Finish { reason, stop_string, .. } = event else { return None };
        self.told.end_turn(turn.usage);
        let wants_search = reason == FinishReason::ToolCalls
            && self.told.calls == 0
            && turn.tool_calls.iter().any(is_search);
        let has_tokens = self.tokens_left() != Some(0);
        let may_search = has_tokens && self.searching_turns < SEARCHING_TURNS_MAX;
        if wants_search && may_search {
            self.search(turn);
            return None;
        }
        let reason = match reason {
            FinishReason::ToolCalls if self.told.calls > 0 => FinishReason::ToolCalls,
            FinishReason::ToolCalls if !has_tokens => FinishReason::Length,
            FinishReason::ToolCalls => FinishReason::Stop,
            other => other,
        };
        Some(Event::Finish { reason, usage: self.told.usage, stop_string })
    }

    fn tokens_left(&self) -> Option<u32> {
        let taken = self.told.usage.completion_tokens;
        self.tokens_max.map(|tokens| tokens.saturating_sub(taken))
    }

    fn search(&mut self, turn: Completion) {
        let step = std::mem::replace(&mut self.step, Step::Ended);
        let Step::Answering(answer) = step else { return };
        let talk = std::mem::take(&mut self.talk);
        self.searching_turns += 1;
        let is_last = self.searching_turns == SEARCHING_TURNS_MAX;
        let work = Box::pin(self.lookup.clone().go_on(talk, turn, is_last));
        self.step = Step::Searching { work, permit: answer.into_permit() };
    }

    /// Goes on with what was found.
    fn next_turn(&mut self, mut talk: Talk) -> Result<(), ServeError> {
        let step = std::mem::replace(&mut self.step, Step::Ended);
        let Step::Searching { permit, .. } = step else { return Ok(()) };
        if self.searching_turns == SEARCHING_TURNS_MAX {
            talk.task.tools.list.retain(|tool| tool.name != SEARCH_FUNCTION);
        }
        if talk.task.tools.list.is_empty() {
            talk.task.tools.choice = ToolChoice::Auto;
        }
        talk.task.max_tokens = self.tokens_left();
        let task = Task::Chat(talk.task.clone());
        self.talk = talk;
        self.step = Step::Answering(Answer::begin(self.model.as_ref(), permit, task)?);
        Ok(())
    }
}

impl Told {
    /// An event of a turn as a part of the one answer; a search is not told.
    fn tell(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Prompt { .. } => (!std::mem::replace(&mut self.prompt, true)).then_some(event),
            Event::ToolCall { ref name, .. } if name == SEARCH_FUNCTION => {
                self.open_call = None;
                None
            }
            Event::ToolCall { name, tokens, .. } => {
                let index = self.calls;
                self.calls += 1;
                self.open_call = Some(index);
                Some(Event::ToolCall { index, name, tokens })
            }
            Event::ToolArguments { text, tokens, .. } => {
                self.open_call.map(|index| Event::ToolArguments { index, text, tokens })
            }
            Event::Delta { text, tokens, channel, logprobs } => {
                let text = if channel.is_content() { self.joined(text) } else { text };
                Some(Event::Delta { text, tokens, channel, logprobs })
            }
            Event::Tokens { .. }
            | Event::Embedding { .. }
            | Event::Score { .. }
            | Event::Error { .. } => None,
            Event::Finish { .. } => None,
        }
    }

    /// The text of a later turn stands in a paragraph of its own.
    fn joined(&mut self, text: String) -> String {
        if text.is_empty() {
            return text;
        }
        self.said = true;
        let gap = std::mem::take(&mut self.gap);
        if gap { format!("\n\n{text}") } else { text }
    }

    fn end_turn(&mut self, usage: Usage) {
        self.gap = self.said;
        let total = &mut self.usage;
        total.prompt_tokens = total.prompt_tokens.saturating_add(usage.prompt_tokens);
        total.cached_tokens = total.cached_tokens.saturating_add(usage.cached_tokens);
        total.completion_tokens = total.completion_tokens.saturating_add(usage.completion_tokens);
        total.reasoning_tokens = total.reasoning_tokens.saturating_add(usage.reasoning_tokens);
    }
}
