//! Strict fakes of the ports: they panic where the real thing would be merely confused.

mod coder;
mod knowledge;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;
use gaia_protocol::{Event, FinishReason, ModelCard, ModelKind, Task, TokenText, Usage};

pub use self::coder::{FakeBuilder, FakeClock, FakeMemory, crates_of, error_at, report_of};
pub use self::knowledge::FakeKnowledge;
use crate::{
    Admission, EventStream, Model, ModelReport, ModelStatus, Models, Node, ReportFuture, ServeError,
};

/// A model that says what it was told to say.
///
/// # Panics
/// When it is given a task of another kind, or when a stream is polled after its end.
pub struct FakeModel {
    name: String,
    kind: ModelKind,
    status: Mutex<ModelStatus>,
    scripts: Vec<Vec<Result<Event, ServeError>>>,
    hangs: bool,
    takes_pictures: bool,
    /// What every text's tokens are, if that is not one of the scripts.
    tokens: Option<Vec<TokenText>>,
    report: ModelReport,
    tasks: Mutex<Vec<Task>>,
    cancelled: Arc<AtomicU32>,
}

impl FakeModel {
    /// A model that is ready and answers with nothing.
    #[must_use]
    pub fn new(name: &str, kind: ModelKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            status: Mutex::new(ModelStatus::Ready(Box::new(card(name, kind)))),
            scripts: vec![vec![]],
            hangs: false,
            takes_pictures: false,
            tokens: None,
            report: ModelReport::default(),
            tasks: Mutex::default(),
            cancelled: Arc::default(),
        }
    }

    /// Answers every task with these.
    #[must_use]
    pub fn answering(self, script: Vec<Result<Event, ServeError>>) -> Self {
        Self { scripts: vec![script], ..self }
    }

    /// Answers the first task with the first script, the next with the next, and so on around.
    ///
    /// # Panics
    /// There is no script.
    #[must_use]
    pub fn answering_in_turn(self, scripts: Vec<Vec<Result<Event, ServeError>>>) -> Self {
        assert!(!scripts.is_empty(), "a model answers with something");
        Self { scripts, ..self }
    }

    /// Takes pictures.
    #[must_use]
    pub fn seeing(self) -> Self {
        Self { takes_pictures: true, ..self }
    }

    /// Says no more after its answer, but does not end either.
    #[must_use]
    pub fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }

    /// Takes every text for so many tokens; it takes no turn and no script.
    #[must_use]
    pub fn counting(self, tokens: usize) -> Self {
        let token = TokenText { id: 1, bytes: "a".into() };
        Self { tokens: Some(vec![token; tokens]), ..self }
    }

    /// Reports these numbers.
    #[must_use]
    pub fn reporting(self, report: ModelReport) -> Self {
        Self { report, ..self }
    }

    /// Changes its status.
    pub fn set_status(&self, status: ModelStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// How many tasks it was given.
    #[must_use]
    pub fn started(&self) -> usize {
        self.tasks().len()
    }

    /// The tasks it was given.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many tasks were dropped before their end.
    #[must_use]
    pub fn cancelled(&self) -> u32 {
        self.cancelled.load(Ordering::Acquire)
    }

    fn counted(&self, task: &Task) -> Option<EventStream> {
        let (Task::Tokenize(_), Some(tokens)) = (task, &self.tokens) else { return None };
        let finish = Event::finish(FinishReason::Stop, Usage::default());
        let steps = vec![Ok(Event::Tokens { tokens: tokens.clone() }), Ok(finish)];
        Some(self.play(steps, false))
    }

    fn play(&self, steps: Vec<Result<Event, ServeError>>, hangs: bool) -> EventStream {
        let (ended, end_seen) = (false, false);
        let cancelled = Arc::clone(&self.cancelled);
        Box::pin(Script { steps: steps.into_iter(), hangs, ended, end_seen, cancelled })
    }

    fn assert_kind(&self, task: &Task) {
        let kind = match task {
            Task::Chat(_) | Task::Complete(_) => ModelKind::Chat,
            Task::Embed(_) => ModelKind::Embedding,
            Task::Rank(_) => ModelKind::Rerank,
            // Every model has a tokenizer.
            Task::Tokenize(_) => return,
        };
        assert_eq!(kind, self.kind, "a task of the wrong kind reached {}", self.name);
    }
}

impl Model for FakeModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ModelKind {
        self.kind
    }

    fn takes_pictures(&self) -> bool {
        self.takes_pictures
    }

    fn status(&self) -> ModelStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn report(&self) -> ReportFuture<'_> {
        Box::pin(std::future::ready(self.report))
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        if !matches!(self.status(), ModelStatus::Ready(_)) {
            let retry_after = Duration::from_secs(2);
            return Err(ServeError::Unavailable { retry_after, reason: "it is loading".into() });
        }
        self.assert_kind(&task);
        if let Some(counted) = self.counted(&task) {
            return Ok(counted);
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let script = &self.scripts[tasks.len() % self.scripts.len()];
        tasks.push(task);
        Ok(self.play(script.clone(), self.hangs))
    }
}

struct Script {
    steps: std::vec::IntoIter<Result<Event, ServeError>>,
    hangs: bool,
    ended: bool,
    end_seen: bool,
    cancelled: Arc<AtomicU32>,
}

impl Stream for Script {
    type Item = Result<Event, ServeError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!self.end_seen, "polled after its end");
        match self.steps.next() {
            None if self.hangs => Poll::Pending,
            None => {
                (self.ended, self.end_seen) = (true, true);
                Poll::Ready(None)
            }
            Some(step) => {
                self.ended |= matches!(step, Err(_) | Ok(Event::Finish { .. }));
                Poll::Ready(Some(step))
            }
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !self.ended {
            self.cancelled.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// A node of one model, with room for four requests.
#[must_use]
pub fn node_of(model: FakeModel) -> (Node, Arc<FakeModel>) {
    let model = Arc::new(model);
    let models = Models::new(vec![Arc::clone(&model) as Arc<dyn Model>]);
    (Node { models, admission: Admission::new(4), knowledge: None }, model)
}

/// A future that has let others go first.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a future that never has to wait; it may let others go first.
///
/// # Panics
/// It waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                assert!(woken.0.swap(false, Ordering::Relaxed), "a fake never waits");
            }
        }
    }
}

fn card(name: &str, kind: ModelKind) -> ModelCard {
    ModelCard {
        name: name.to_owned(),
        kind,
        architecture: "llama".into(),
        description: "llama 135M Q4_1".into(),
        size_bytes: 96_000_000,
        parameters: 134_515_008,
        context_tokens: 2048,
        context_train_tokens: 2048,
        embedding_dimension: 576,
        vocabulary_tokens: 49_152,
        sequences_max: 16,
        queue_max: 64,
        threads: 2,
        gpu_layers: 0,
        gpu_memory_bytes: 0,
        devices: vec![],
        llama_build: "b1".into(),
        takes_pictures: false,
        picture_tokens_max: None,
        guest: gaia_protocol::GuestModel::default(),
    }
}
