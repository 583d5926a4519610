//! A running answer with its time limit and its measurements.

use std::sync::Arc;

use gaia_core::{Answer, Completion, Gathering, ServeError};
use gaia_protocol::Event;
use tokio::time::{Instant, timeout_at};
use tracing::Span;

use super::State;

/// Dropping it cancels the task.
pub struct Running {
    answer: Answer,
    deadline: Instant,
    meter: Meter,
    first: Option<(u32, Event)>,
}

impl Running {
    /// Measures `answer`, and gives it the node's time from now on.
    pub fn new(state: &Arc<State>, answer: Answer) -> Self {
        let meter = Meter::new(state, answer.model());
        Self { answer, deadline: Instant::now() + state.request_timeout, meter, first: None }
    }

    /// The model that answers.
    pub fn model(&self) -> &str {
        self.answer.model()
    }

    /// Waits for the first text, so that what fails before it gets a status of its own.
    pub async fn open(&mut self) -> Result<(), ServeError> {
        while let Some(next) = self.next().await {
            let (choice, event) = next?;
            if !matches!(event, Event::Prompt { .. }) {
                self.first = Some((choice, event));
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next event and the choice that it belongs to; `None` after the end of all. May be dropped
    /// and called again.
    pub async fn next(&mut self) -> Option<Result<(u32, Event), ServeError>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let Ok(next) = timeout_at(self.deadline, self.answer.next()).await else {
            return Some(Err(ServeError::TimeLimit));
        };
        if let Some(Ok(event)) = &next {
            self.meter.note(event);
        }
        next.map(|event| event.map(|event| (0, event)))
    }

    /// Waits for the whole answer.
    pub async fn collect(mut self) -> Result<Completion, ServeError> {
        let mut gathering = Gathering::default();
        while let Some(next) = self.next().await {
            let (_choice, event) = next?;
            if let Some(completion) = gathering.take(event) {
                return Ok(completion);
            }
        }
        Err(ServeError::App { message: "it stopped without finishing its answer".into() })
    }
}

/// Takes an answer's times.
struct Meter {
    state: Arc<State>,
    model: String,
    span: Span,
    started: Instant,
    last: Option<Instant>,
}

impl Meter {
    fn new(state: &Arc<State>, model: &str) -> Self {
        let span = Span::current();
        span.record("model", model);
        let (state, model) = (Arc::clone(state), model.to_owned());
        Self { state, model, span, started: Instant::now(), last: None }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Prompt { tokens, .. } => {
                self.span.record("prompt_tokens", tokens);
            }
            Event::Delta { tokens, .. }
            | Event::ToolCall { tokens, .. }
            | Event::ToolArguments { tokens, .. } => self.note_text(*tokens),
            Event::Finish { usage, .. } => {
                self.span.record("prompt_tokens", usage.prompt_tokens);
                self.span.record("generated_tokens", usage.completion_tokens);
            }
            Event::Tokens { .. } | Event::Embedding { .. } | Event::Error { .. } => {}
        }
    }

    fn note_text(&mut self, tokens: u32) {
        let now = Instant::now();
        let metrics = &self.state.metrics;
        match self.last.replace(now) {
            Some(last) => {
                metrics.between_tokens.observe(&self.model, (now - last) / tokens.max(1));
            }
            None => {
                let elapsed = now - self.started;
                metrics.first_token.observe(&self.model, elapsed);
                let ttft_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                self.span.record("ttft_ms", ttft_ms);
            }
        }
    }
}
