//! A text that is being generated.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use gaia_protocol::{Event, ModelKind, Task};

use crate::order::Order;
use crate::{Completion, EventStream, Gathering, Model, Node, Permit, ServeError};

/// Text that one answer may hold: far above what a context of a million tokens yields, so that it
/// stops an app that has run wild and nothing else.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Log probabilities that one answer may hold, those of the tokens passed over included: 200,000
/// tokens with 20 rivals each.
const LOGPROBS_MAX: usize = 1 << 22;

/// What a call counts for besides its texts: none is free.
const CALL_BYTES: usize = 64;

/// A running answer: its events in their order, and its permit. Dropping it cancels the task.
pub struct Answer {
    model: String,
    events: EventStream,
    order: Order,
    text_bytes: usize,
    logprobs: usize,
    ended: bool,
    permit: Permit,
}

impl Answer {
    /// Chooses the model, takes a permit and starts.
    pub(crate) fn start(node: &Node, model: Option<&str>, task: Task) -> Result<Self, ServeError> {
        let model = node.models.choose(model, ModelKind::Chat)?;
        let permit = node.admission.admit()?;
        Self::begin(model.as_ref(), permit, task)
    }

    /// Starts on a model that was chosen, with a permit that was taken.
    pub(crate) fn begin(model: &dyn Model, permit: Permit, task: Task) -> Result<Self, ServeError> {
        Ok(Self {
            model: model.name().to_owned(),
            events: model.start(task)?,
            order: Order::of_text(),
            text_bytes: 0,
            logprobs: 0,
            ended: false,
            permit,
        })
    }

    /// The name of the model that answers.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Cancels what is left of it, and keeps its place for what comes next.
    pub(crate) fn into_permit(self) -> Permit {
        self.permit
    }

    /// The next event; `None` after the end. May be dropped and called again.
    ///
    /// # Errors
    /// The answer failed; it has ended.
    pub async fn next(&mut self) -> Option<Result<Event, ServeError>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`Answer::next`], for who waits for several.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Event, ServeError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.events.as_mut().poll_next(context));
        let checked = next.unwrap_or_else(|| Err(no_end())).and_then(|event| self.check(event));
        self.ended = matches!(checked, Err(_) | Ok(Event::Finish { .. } | Event::Error { .. }));
        Poll::Ready(Some(checked))
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// The answer failed.
    pub async fn collect(mut self) -> Result<Completion, ServeError> {
        let mut gathering = Gathering::default();
        loop {
            let event = self.next().await.unwrap_or_else(|| Err(no_end()))?;
            if let Some(completion) = gathering.take(event) {
                return Ok(completion);
            }
        }
    }

    fn check(&mut self, event: Event) -> Result<Event, ServeError> {
        self.order.accept(&event)?;
        match &event {
            Event::Delta { text, logprobs, .. } => {
                self.text_bytes += text.len();
                self.logprobs += logprobs.iter().map(|token| 1 + token.top.len()).sum::<usize>();
            }
            Event::ToolArguments { text, .. } => self.text_bytes += text.len(),
            Event::ToolCall { name, .. } => self.text_bytes += name.len() + CALL_BYTES,
            _ => {}
        }
        if self.text_bytes > TEXT_BYTES_MAX || self.logprobs > LOGPROBS_MAX {
            return Err(ServeError::App { message: "its answer does not end".into() });
        }
        Ok(event)
    }
}

pub(crate) fn no_end() -> ServeError {
    ServeError::App { message: "it stopped without finishing its answer".into() }
}
