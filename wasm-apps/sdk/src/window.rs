//! A row of inputs through the engine, several at a time.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::{Context, Failure, Flow, Graph, Model, ModelError, Session};

/// How often an input that found no room asks again: about as often as the engine ends a batch.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// A row of inputs, and where their outputs go.
pub(crate) trait Feed<C: Context> {
    /// How many there are.
    fn count(&self) -> usize;

    /// Gives one to a session; its length in tokens.
    fn set(&mut self, index: u32, session: &mut Session<C>) -> Result<u32, ModelError>;

    /// Passes on what was computed, a JSON array of numbers.
    fn emit(&mut self, index: u32, output: &RawValue, tokens: u32) -> Result<Flow, Failure>;

    /// Adds what the person who sent the request needs to know.
    fn explain(&self, error: ModelError, index: u32) -> Failure;
}

/// How much the engine gets.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Inputs that the engine gets at once, so that it can batch them; at least 1.
    pub(crate) window: usize,
    /// How long one may wait for room in the engine's queue.
    pub(crate) patience: Duration,
}

/// Computes all inputs, in order; the tokens of all. `None`: the client went away in between.
///
/// The engine works on up to `window` of them while the app reads the oldest one's output. One that
/// finds the engine's queue full waits, at most `patience`.
///
/// # Errors
/// The feed's explanation of what failed.
pub(crate) fn pass<G: Graph, F: Feed<G::Context>>(
    model: &Model<G>,
    feed: &mut F,
    pace: Pace,
) -> Result<Option<u32>, Failure> {
    let mut window =
        Window { model, pace, submitted: 0, pending: VecDeque::new(), idle: Vec::new() };
    let mut prompt_tokens = 0_u32;
    window.fill(feed)?;
    while let Some(mut oldest) = window.pending.pop_front() {
        let index = oldest.index;
        let computed = compute(&mut oldest.session, pace.patience);
        computed.map_err(|error| feed.explain(error, index))?;
        let output = oldest.session.embedding().map_err(|error| feed.explain(error, index))?;
        if feed.emit(index, output, oldest.tokens)? == Flow::Stop {
            return Ok(None);
        }
        prompt_tokens = prompt_tokens.saturating_add(oldest.tokens);
        window.idle.push(oldest.session);
        window.fill(feed)?;
    }
    Ok(Some(prompt_tokens))
}

/// The inputs that the engine has.
struct Window<'a, G: Graph> {
    model: &'a Model<G>,
    pace: Pace,
    submitted: u32,
    pending: VecDeque<Pending<G::Context>>,
    idle: Vec<Session<G::Context>>,
}

struct Pending<C> {
    index: u32,
    tokens: u32,
    session: Session<C>,
}

impl<G: Graph> Window<'_, G> {
    /// Submits inputs until the window or the engine's queue is full.
    fn fill(&mut self, feed: &mut impl Feed<G::Context>) -> Result<(), Failure> {
        while self.pending.len() < self.pace.window.max(1) {
            let index = self.submitted;
            if index as usize >= feed.count() {
                return Ok(());
            }
            match self.submit(index, feed) {
                Ok(()) => self.submitted += 1,
                Err(ModelError::Busy) if !self.pending.is_empty() => return Ok(()),
                Err(error) => return Err(feed.explain(error, index)),
            }
        }
        Ok(())
    }

    fn submit(&mut self, index: u32, feed: &mut impl Feed<G::Context>) -> Result<(), ModelError> {
        let mut session = match self.idle.pop() {
            Some(session) => session,
            None => self.model.session()?,
        };
        match feed.set(index, &mut session) {
            Ok(tokens) => self.pending.push_back(Pending { index, tokens, session }),
            Err(error) => {
                self.idle.push(session);
                return Err(error);
            }
        }
        Ok(())
    }
}

fn compute<C: Context>(session: &mut Session<C>, patience: Duration) -> Result<(), ModelError> {
    let mut waited = Duration::ZERO;
    loop {
        match session.compute() {
            Err(ModelError::Busy) if waited < patience => std::thread::sleep(PAUSE),
            result => return result,
        }
        waited += PAUSE;
    }
}
