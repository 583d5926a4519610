//! A running answer with its time limit and its measurements.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::knowledge::Sources;
use gaia_core::{Answers, Completion, Gathering, ServeError, Tally};
use gaia_protocol::{Event, Usage};
use tokio::time::{Instant, timeout_at};
use tracing::Span;

use super::State;

/// A stream's status and headers wait so long for the first text: many clients and proxies give up
/// on a server that says nothing for half a minute.
pub const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// The answers to one request, under one time limit. Dropping it cancels them all.
pub struct Running {
    answers: Answers,
    deadline: Instant,
    /// How long [`Running::open`] waits.
    patience: Instant,
    meter: Meter,
    first: Option<(u32, Event)>,
}

impl Running {
    /// Measures `answers`, and gives them the node's time from now on.
    pub fn new(state: &Arc<State>, answers: impl Into<Answers>) -> Self {
        let answers = answers.into();
        let (meter, now) = (Meter::new(state, &answers), Instant::now());
        let (deadline, patience) = (now + state.request_timeout, now + state.open_patience);
        Self { answers, deadline, patience, meter, first: None }
    }

    /// The model that answers.
    pub fn model(&self) -> &str {
        self.answers.model()
    }

    /// What the answers rest on.
    pub fn sources(&self) -> &Sources {
        self.answers.sources()
    }

    /// Waits for the first text, so that what fails before it gets a status of its own; but not so
    /// long that the client could take the node for dead. Returns what was heard of the prompt.
    pub async fn open(&mut self) -> Result<Option<Event>, ServeError> {
        let mut prompt = None;
        while let Ok(Some(next)) = timeout_at(self.patience, self.next()).await {
            let (choice, event) = next?;
            if !matches!(event, Event::Prompt { .. }) {
                self.first = Some((choice, event));
                break;
            }
            prompt = Some(event);
        }
        Ok(prompt)
    }

    /// The next event and the choice that it belongs to; `None` after the end of all. May be dropped
    /// and called again.
    pub async fn next(&mut self) -> Option<Result<(u32, Event), ServeError>> {
        // What is ready would be taken even then, by whoever asks seldom.
        if Instant::now() >= self.deadline {
            return Some(Err(ServeError::TimeLimit));
        }
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let Ok(next) = timeout_at(self.deadline, self.answers.next()).await else {
            return Some(Err(ServeError::TimeLimit));
        };
        if let Some(Ok((choice, event))) = &next {
            self.meter.note(*choice, event);
        }
        next
    }

    /// Waits for all answers as a whole, in the order of their choices, and what they took.
    pub async fn collect_all(mut self) -> Result<(Vec<Completion>, Usage), ServeError> {
        let count = self.answers.count();
        let mut tally = Tally::new(self.answers.choices_per_prompt());
        let mut gatherings: Vec<_> = (0..count).map(|_| Gathering::default()).collect();
        let mut done: Vec<Option<Completion>> = vec![None; count];
        while let Some(next) = self.next().await {
            let (choice, event) = next?;
            let place = choice as usize;
            if let Some(completion) = gatherings[place].take(event) {
                tally.add(choice, completion.usage);
                done[place] = Some(completion);
            }
        }
        let all: Option<Vec<_>> = done.into_iter().collect();
        Ok((all.ok_or_else(unfinished)?, tally.total()))
    }
}

fn unfinished() -> ServeError {
    ServeError::App { message: "it stopped without finishing its answer".into() }
}

/// Takes an answer's times and counts its ends.
struct Meter {
    state: Arc<State>,
    model: String,
    span: Span,
    started: Instant,
    /// When each choice last said something.
    last: Vec<Option<Instant>>,
    /// Tokens that came in texts.
    heard_tokens: u32,
    /// What the prompts took.
    begun: Tally,
    /// What the answers took that have ended.
    ended: Tally,
}

impl Meter {
    fn new(state: &Arc<State>, answers: &Answers) -> Self {
        let span = Span::current();
        span.record("model", answers.model());
        Self {
            state: Arc::clone(state),
            model: answers.model().to_owned(),
            span,
            started: Instant::now(),
            last: vec![None; answers.count()],
            heard_tokens: 0,
            begun: Tally::new(answers.choices_per_prompt()),
            ended: Tally::new(answers.choices_per_prompt()),
        }
    }

    fn note(&mut self, choice: u32, event: &Event) {
        match event {
            Event::Prompt { tokens, cached_tokens } => {
                let (prompt_tokens, cached_tokens) = (*tokens, *cached_tokens);
                self.begun.add(choice, Usage { prompt_tokens, cached_tokens, ..Usage::default() });
            }
            Event::Delta { tokens, .. }
            | Event::ToolCall { tokens, .. }
            | Event::ToolArguments { tokens, .. } => self.note_text(choice, *tokens),
            Event::Finish { reason, usage, .. } => {
                self.state.metrics.count_end(&self.model, *reason);
                self.ended.add(choice, *usage);
            }
            Event::Tokens { .. }
            | Event::Embedding { .. }
            | Event::Score { .. }
            | Event::Error { .. } => {}
        }
    }

    fn note_text(&mut self, choice: u32, tokens: u32) {
        let now = Instant::now();
        self.heard_tokens = self.heard_tokens.saturating_add(tokens);
        let is_first = self.last.iter().all(Option::is_none);
        let last = self.last[choice as usize].replace(now);
        let metrics = &self.state.metrics;
        if let Some(last) = last {
            metrics.between_tokens.observe(&self.model, (now - last) / tokens.max(1));
        }
        if is_first {
            let elapsed = now - self.started;
            metrics.first_token.observe(&self.model, elapsed);
            let ttft_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.span.record("ttft_ms", ttft_ms);
        }
    }
}

/// What was taken is logged once, at the end, however the answers end.
impl Drop for Meter {
    fn drop(&mut self) {
        let (begun, ended) = (self.begun.total(), self.ended.total());
        self.span.record("prompt_tokens", begun.prompt_tokens.max(ended.prompt_tokens));
        self.span.record("cached_tokens", begun.cached_tokens.max(ended.cached_tokens));
        self.span.record("generated_tokens", self.heard_tokens.max(ended.completion_tokens));
    }
}
