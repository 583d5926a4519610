//! A text that is being generated.

use std::future::poll_fn;

use gaia_protocol::{Event, ModelKind, Task};

use crate::order::Order;
use crate::{Completion, EventStream, Gathering, Node, Permit, ServeError};

/// Text that one answer may hold: far above what a context of a million tokens yields, so that it
/// stops an app that has run wild and nothing else.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// A running answer: its events in their order, and its permit. Dropping it cancels the task.
pub struct Answer {
    model: String,
    events: EventStream,
    order: Order,
    text_bytes: usize,
    ended: bool,
    _permit: Permit,
}

impl Answer {
    /// Chooses the model, takes a permit and starts.
    pub(crate) fn start(node: &Node, model: Option<&str>, task: Task) -> Result<Self, ServeError> {
        let model = node.models.choose(model, ModelKind::Chat)?;
        let permit = node.admission.admit()?;
        Ok(Self {
            model: model.name().to_owned(),
            events: model.start(task)?,
            order: Order::of_text(),
            text_bytes: 0,
            ended: false,
            _permit: permit,
        })
    }

    /// The name of the model that answers.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The next event; `None` after the end. May be dropped and called again.
    ///
    /// # Errors
    /// The answer failed; it has ended.
    pub async fn next(&mut self) -> Option<Result<Event, ServeError>> {
        if self.ended {
            return None;
        }
        let next = poll_fn(|context| self.events.as_mut().poll_next(context)).await;
        let checked = next.unwrap_or_else(|| Err(no_end())).and_then(|event| self.check(event));
        self.ended = matches!(checked, Err(_) | Ok(Event::Finish { .. } | Event::Error { .. }));
        Some(checked)
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
        if let Event::Delta { text, .. } | Event::ToolArguments { text, .. } = &event {
            self.text_bytes += text.len();
        }
        if self.text_bytes > TEXT_BYTES_MAX {
            return Err(ServeError::App { message: "its answer does not end".into() });
        }
        Ok(event)
    }
}

pub(crate) fn no_end() -> ServeError {
    ServeError::App { message: "it stopped without finishing its answer".into() }
}
