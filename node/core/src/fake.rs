//! A strict fake model for tests: it plays a script, and panics where a caller breaks a rule.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use gaia_protocol::{
    Device, Event, FinishReason, GuestModel, ModelCard, ModelKind, Task, Usage, WorkerStats,
};

use crate::{EventStream, Model, ModelStatus, ServeError};

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// The model says this.
    Event(Event),
    /// The stream ends with this.
    Fail(ServeError),
    /// Nothing comes any more, and the stream does not end.
    Hang,
}

/// A model that plays the same script for every task.
pub struct FakeModel {
    name: String,
    kind: ModelKind,
    script: Vec<Step>,
    loading: bool,
    running: Arc<AtomicU32>,
}

impl Step {
    /// More text of one token.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Event(Event::Delta { text: text.to_owned(), tokens: 1 })
    }

    /// A whole good answer to a prompt of three tokens.
    #[must_use]
    pub fn answer(deltas: &[&str]) -> Vec<Self> {
        let completion_tokens = u32::try_from(deltas.len()).expect("a short script");
        let mut steps = vec![Self::Event(Event::Prompt { tokens: 3 })];
        steps.extend(deltas.iter().map(|text| Self::text(text)));
        steps.push(Self::finish(completion_tokens));
        steps
    }

    /// A whole answer of vectors, each with the index of its input.
    #[must_use]
    pub fn vectors(vectors: &[(u32, Vec<f32>)]) -> Vec<Self> {
        let event = |(index, vector): &(u32, Vec<f32>)| {
            Self::Event(Event::Embedding { index: *index, vector: vector.clone(), tokens: 3 })
        };
        vectors.iter().map(event).chain([Self::finish(0)]).collect()
    }

    fn finish(completion_tokens: u32) -> Self {
        let usage = Usage { prompt_tokens: 3, completion_tokens };
        Self::Event(Event::Finish { reason: FinishReason::Stop, usage })
    }
}

impl FakeModel {
    /// A ready model whose script is empty: its streams end at once.
    #[must_use]
    pub fn new(name: &str, kind: ModelKind) -> Self {
        let (script, running) = (vec![], Arc::default());
        Self { name: name.to_owned(), kind, script, loading: false, running }
    }

    /// The same, which plays `script`.
    #[must_use]
    pub fn with_script(mut self, script: Vec<Step>) -> Self {
        self.script = script;
        self
    }

    /// The same, half loaded.
    #[must_use]
    pub fn loading(mut self) -> Self {
        self.loading = true;
        self
    }

    /// Streams that were started and not dropped yet.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }

    fn card(&self) -> ModelCard {
        ModelCard {
            name: self.name.clone(),
            kind: self.kind,
            architecture: "llama".into(),
            description: "llama 1M Q4_1".into(),
            size_bytes: 1000,
            parameters: 2000,
            context_tokens: 128,
            context_train_tokens: 256,
            embedding_dimension: 2,
            vocabulary_tokens: 100,
            sequences_max: 4,
            queue_max: 8,
            threads: 2,
            gpu_layers: 0,
            devices: vec![Device {
                name: "CPU".into(),
                description: "a processor".into(),
                memory_free_bytes: 1,
                memory_total_bytes: 2,
            }],
            llama_build: "b1 (abc)".into(),
            guest: GuestModel::default(),
        }
    }
}

impl Model for FakeModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ModelKind {
        self.kind
    }

    fn status(&self) -> ModelStatus {
        if self.loading {
            return ModelStatus::Loading { share: 0.5 };
        }
        ModelStatus::Ready(Box::new(self.card()))
    }

    fn stats(&self) -> WorkerStats {
        WorkerStats { sequences_active: self.running(), ..WorkerStats::default() }
    }

    fn restarts(&self) -> u64 {
        0
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        let kind =
            if matches!(task, Task::Embed(_)) { ModelKind::Embedding } else { ModelKind::Chat };
        assert_eq!(kind, self.kind, "a task was sent to a model of another kind");
        if self.loading {
            let (retry_after, reason) = (Duration::from_secs(2), "it is 50 % loaded".into());
            return Err(ServeError::Unavailable { retry_after, reason });
        }
        self.running.fetch_add(1, Ordering::AcqRel);
        let (steps, running) = (self.script.clone().into_iter(), Arc::clone(&self.running));
        Ok(Box::pin(Script { steps, running, ended: false }))
    }
}

struct Script {
    steps: std::vec::IntoIter<Step>,
    running: Arc<AtomicU32>,
    ended: bool,
}

impl Stream for Script {
    type Item = Result<Event, ServeError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!self.ended, "a stream was polled after its end");
        match self.steps.next() {
            Some(Step::Event(event)) => Poll::Ready(Some(Ok(event))),
            Some(Step::Fail(error)) => {
                self.steps = vec![].into_iter();
                Poll::Ready(Some(Err(error)))
            }
            Some(Step::Hang) => {
                self.steps = vec![Step::Hang].into_iter();
                Poll::Pending
            }
            None => {
                self.ended = true;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The result of a future that never waits.
///
/// # Panics
/// It waits.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

/// All items of a stream that never waits.
///
/// # Panics
/// It waits.
pub fn drain<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    std::iter::from_fn(|| now(crate::collect::next(stream))).collect()
}
