//! Asks a model for several answers at once, for as long as there is time.

use std::time::Duration;

use gaia_protocol::{ChatTask, Event, FinishReason};

use crate::coder::Coder;
use crate::coder::clock::before;
use crate::{ServeError, Tally, chat_choices};

/// When one answer is there, the others have half as long again, but at least this.
const PATIENCE_MIN: Duration = Duration::from_secs(10);

/// What is asked of a model.
pub(super) struct Question {
    pub model: String,
    pub task: ChatTask,
    /// Answers that are wanted.
    pub count: u32,
    /// When the clock says so, what was said is all there is.
    pub deadline: Duration,
}

/// What a model said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Empty answers are left out.
    pub answers: Vec<Answer>,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// One answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub text: String,
    /// The time or the tokens were over before the model came to its end.
    pub is_cut: bool,
}

/// Asks, and hears what is said in time.
///
/// # Errors
/// As [`crate::chat`], where nothing at all was said.
pub(super) async fn ask(coder: &Coder, question: Question) -> Result<Said, ServeError> {
    let Question { model, task, count, deadline } = question;
    let mut answers = chat_choices(&coder.node, Some(&model), task, count)?;
    let mut heard: Vec<_> = (0..answers.count()).map(|_| Heard::default()).collect();
    let mut tally = Tally::new(answers.choices_per_prompt());
    let mut failed = None;
    let (begun, mut deadline) = (coder.clock.now(), deadline);
    // Dropping the answers at the deadline cancels them.
    let in_time = loop {
        let next = before(coder.clock.until(deadline), answers.next()).await;
        match next {
            Some(Some(Ok((choice, event)))) => {
                if let Event::Finish { usage, .. } = &event {
                    tally.add(choice, *usage);
                    let took = coder.clock.now().saturating_sub(begun);
                    let patience = (took / 2).max(PATIENCE_MIN);
                    deadline = deadline.min(coder.clock.now().saturating_add(patience));
                }
                heard[choice as usize].take(event);
            }
            Some(Some(Err(error))) => failed = Some(error),
            Some(None) => break true,
            None => break false,
        }
    };
    drop(answers);
    let total = tally.total();
    let broken_off: u64 = heard.iter().filter(|one| !one.ended).map(|one| one.tokens).sum();
    let said = heard.into_iter().filter(|one| !one.text.trim().is_empty());
    let answers: Vec<_> =
        said.map(|one| Answer { text: one.text, is_cut: !one.ended || one.is_full }).collect();
    match failed {
        Some(error) if answers.is_empty() => Err(error),
        None if answers.is_empty() && !in_time => Err(ServeError::TimeLimit),
        _ => Ok(Said {
            answers,
            prompt_tokens: u64::from(total.prompt_tokens),
            completion_tokens: u64::from(total.completion_tokens) + broken_off,
        }),
    }
}

#[derive(Default)]
struct Heard {
    text: String,
    /// Of what was said, for answers that are broken off.
    tokens: u64,
    ended: bool,
    /// It has all the tokens that it may have.
    is_full: bool,
}

impl Heard {
    fn take(&mut self, event: Event) {
        if let Event::Delta { tokens, .. } = &event {
            self.tokens += u64::from(*tokens);
        }
        match event {
            Event::Delta { text, channel, .. } if channel.is_content() => self.text.push_str(&text),
            Event::Finish { reason, .. } => {
                self.ended = true;
                self.is_full = reason == FinishReason::Length;
            }
            _ => {}
        }
    }
}
