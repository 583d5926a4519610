//! Several answers to one request, generated at the same time.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use gaia_protocol::{Event, ModelKind, Task};

use crate::agent::Agent;
use crate::knowledge::Sources;
use crate::knowledge::lookup::Lookup;
use crate::{Answer, Model, Node, Permit, ServeError};

/// Running answers to one request, its choices. Dropping them cancels all.
///
/// They are asked in turn, so that a fast one never keeps the others waiting. The failure of one
/// ends all: a request is answered whole or not at all.
pub struct Answers {
    model: String,
    choices_per_prompt: u32,
    /// `None`: that answer has ended.
    list: Vec<Option<Speaker>>,
    /// Who is asked first next time.
    turn: usize,
    sources: Sources,
}

/// Who gives one answer.
enum Speaker {
    Model(Answer),
    /// A model that searches on its way.
    Agent(Box<Agent>),
}

impl Answers {
    /// Chooses the model, takes a permit for each task, and starts all; where one can't start, none
    /// does. The tasks of one prompt stand side by side.
    pub(crate) fn start(
        node: &Node,
        model: Option<&str>,
        batch: Batch,
    ) -> Result<Self, ServeError> {
        let Batch { tasks, choices_per_prompt, lookup } = batch;
        let model = node.models.choose(model, ModelKind::Chat)?;
        let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
        let permits = node.admission.admit_many(count)?;
        let begin = |(permit, task)| Speaker::begin(&model, permit, (task, &lookup)).map(Some);
        let list: Result<_, _> = permits.into_iter().zip(tasks).map(begin).collect();
        let sources = lookup.as_ref().map(|lookup| lookup.sources().clone()).unwrap_or_default();
        let (list, model) = (list?, model.name().to_owned());
        Ok(Self { model, choices_per_prompt, list, turn: 0, sources })
    }

    /// The same, whose models were given `sources` to answer from.
    pub(crate) fn resting_on(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }

    /// What the answers rest on: complete when they are, if a model searches for itself.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The name of the model that answers.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// How many choices there are, ended ones included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// How many choices share a prompt.
    #[must_use]
    pub fn choices_per_prompt(&self) -> u32 {
        self.choices_per_prompt
    }

    /// The next event and its choice; `None` after the end of all. May be dropped and called again.
    ///
    /// # Errors
    /// One of the answers failed; all have ended.
    pub async fn next(&mut self) -> Option<Result<(u32, Event), ServeError>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(u32, Event), ServeError>>> {
        let count = self.list.len();
        for place in (self.turn..count).chain(0..self.turn) {
            match self.poll_one(place, context) {
                Poll::Ready(Some(Ok(event))) => {
                    self.turn = (place + 1) % count;
                    let choice = u32::try_from(place).expect("there are as many permits");
                    return Poll::Ready(Some(Ok((choice, event))));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.list.iter_mut().for_each(|answer| *answer = None);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        let all_ended = self.list.iter().all(Option::is_none);
        if all_ended { Poll::Ready(None) } else { Poll::Pending }
    }

    /// An answer that has ended is dropped at once, and its permit with it.
    fn poll_one(
        &mut self,
        place: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Event, ServeError>>> {
        let Some(speaker) = &mut self.list[place] else { return Poll::Ready(None) };
        let polled = speaker.poll_next(context);
        if matches!(polled, Poll::Ready(None | Some(Ok(Event::Finish { .. })))) {
            self.list[place] = None;
        }
        polled
    }
}

impl Speaker {
    fn begin(
        model: &Arc<dyn Model>,
        permit: Permit,
        work: (Task, &Option<Lookup>),
    ) -> Result<Self, ServeError> {
        match work {
            (Task::Chat(task), Some(lookup)) => {
                let agent = Agent::begin(model, permit, (task, lookup.clone()))?;
                Ok(Self::Agent(Box::new(agent)))
            }
            (task, _) => Answer::begin(model.as_ref(), permit, task).map(Self::Model),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event, ServeError>>> {
        match self {
            Self::Model(answer) => answer.poll_next(context),
            Self::Agent(agent) => agent.poll_next(context),
        }
    }
}

impl From<Answer> for Answers {
    fn from(answer: Answer) -> Self {
        let model = answer.model().to_owned();
        let (list, sources) = (vec![Some(Speaker::Model(answer))], Sources::default());
        Self { model, choices_per_prompt: 1, list, turn: 0, sources }
    }
}

/// The tasks of one request.
pub(crate) struct Batch {
    /// All tasks; those of one prompt stand side by side.
    pub(crate) tasks: Vec<Task>,
    /// How many tasks share a prompt.
    pub(crate) choices_per_prompt: u32,
    /// With what the model may search on its way, if it may.
    pub(crate) lookup: Option<Lookup>,
}
