//! A model that lives in a worker process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gaia_core::{EventStream, Model, ModelReport, ModelStatus, ReportFuture, ServeError};
use gaia_protocol::{
    GuestModel, GuestRequest, ModelCard, ModelKind, Task, WorkerConfig, WorkerStats,
};
use tokio::sync::watch;

use super::answer::Answer;
use super::connection::Observer;
use super::session::Session;
use super::uses::{Lease, Uses};

/// A model that loads is ready in seconds or minutes; asking more often helps nobody.
const LOADING_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Who asks for numbers waits for so long at most.
const REPORT_PATIENCE: Duration = Duration::from_millis(500);

/// A model as the rest of the host sees it, whatever its worker does.
pub struct WorkerModel {
    config: WorkerConfig,
    state: Mutex<State>,
    restarts: AtomicU64,
    uses: Uses,
    /// Told when the status changes, and when requests are given to another worker.
    changes: watch::Sender<bool>,
}

struct State {
    status: ModelStatus,
    stats: WorkerStats,
    serving: Option<Serving>,
}

/// What a request needs while the model is ready.
#[derive(Clone)]
struct Serving {
    session: Arc<Session>,
    guest: Arc<GuestModel>,
}

impl WorkerModel {
    /// A model whose worker has not been started.
    #[must_use]
    pub fn new(config: WorkerConfig) -> Self {
        let status = ModelStatus::Loading { share: 0.0 };
        let state = State { status, stats: WorkerStats::default(), serving: None };
        Self {
            config,
            state: Mutex::new(state),
            restarts: AtomicU64::new(0),
            uses: Uses::none(),
            changes: watch::Sender::new(false),
        }
    }

    /// The requests that hold it.
    #[must_use]
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// How often its worker was started again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Waits until it does not load any more, or takes no more requests.
    pub async fn settled(&self) {
        let is_loading = || matches!(self.lock().status, ModelStatus::Loading { .. });
        let mut changes = self.changes.subscribe();
        // It fails only when the sender is gone, which `self` holds.
        let _ = changes.wait_for(|is_let_go| *is_let_go || !is_loading()).await;
    }

    /// It takes no more requests: who waits for it must ask elsewhere.
    pub fn let_go(&self) {
        self.changes.send_replace(true);
    }

    /// Starts a task that holds the worker until its stream is dropped.
    ///
    /// # Errors
    /// As [`Model::start`].
    pub fn start_with(&self, mut task: Task, lease: Lease) -> Result<EventStream, ServeError> {
        let serving = self.serving()?;
        let pictures = match &mut task {
            Task::Chat(task) => std::mem::take(&mut task.pictures),
            _ => vec![],
        };
        let request = GuestRequest { model: GuestModel::clone(&serving.guest), task };
        let body = serde_json::to_vec(&request).expect("our own messages have string keys only");
        let (id, messages) = serving.session.submit(body, &pictures)?;
        let answer = Answer::new(serving.session, id, messages).holding(lease);
        // The worker keeps them as long as the answer is being made, so they count as long.
        Ok(Box::pin(answer.showing(pictures)))
    }

    /// What its workers are told to load.
    #[must_use]
    pub fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// A worker is being started; `again` counts it as a restart.
    pub fn set_loading(&self, again: bool) {
        self.restarts.fetch_add(u64::from(again), Ordering::Relaxed);
        self.set(ModelStatus::Loading { share: 0.0 });
    }

    /// The worker stopped; another is started after `retry_after`.
    pub fn set_down(&self, retry_after: Duration, reason: String) {
        self.set(ModelStatus::Down { retry_after, reason });
    }

    fn set(&self, status: ModelStatus) {
        let mut state = self.lock();
        *state = State { status, stats: WorkerStats::default(), serving: None };
        drop(state);
        self.tell();
    }

    fn tell(&self) {
        self.changes.send_modify(|_| {});
    }

    fn serving(&self) -> Result<Serving, ServeError> {
        let state = self.lock();
        if let Some(serving) = &state.serving {
            return Ok(serving.clone());
        }
        let (retry_after, reason) = match &state.status {
            // The reason is for the operator: it may name files.
            ModelStatus::Down { retry_after, .. } => (*retry_after, "its worker stopped".into()),
            ModelStatus::Loading { share } => {
                (LOADING_RETRY_AFTER, format!("{:.0} % of it are loaded", share * 100.0))
            }
            ModelStatus::Unloaded | ModelStatus::Ready(_) => {
                (LOADING_RETRY_AFTER, "it is just starting".into())
            }
        };
        Err(ServeError::Unavailable { retry_after, reason })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model for WorkerModel {
    fn name(&self) -> &str {
        &self.config.model.name
    }

    fn kind(&self) -> ModelKind {
        self.config.model.kind
    }

    fn takes_pictures(&self) -> bool {
        self.config.model.mmproj_path.is_some()
    }

    fn status(&self) -> ModelStatus {
        self.lock().status.clone()
    }

    fn report(&self) -> ReportFuture<'_> {
        Box::pin(async {
            if let Ok(serving) = self.serving() {
                let asked = serving.session.answered(serving.session.ping());
                // A worker too busy to answer: what it said last is at most a ping old.
                let _ = tokio::time::timeout(REPORT_PATIENCE, asked).await;
            }
            let restarts = self.restarts.load(Ordering::Relaxed);
            ModelReport { stats: self.lock().stats, restarts }
        })
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        self.start_with(task, self.uses.lease())
    }
}

/// Brings what one worker says of itself to the model and to the log.
pub struct Reporter {
    model: Arc<WorkerModel>,
    session: Arc<Session>,
    /// The last tenth of the model whose loading was reported.
    tenth: AtomicU64,
    ready_since: OnceLock<Instant>,
}

impl Reporter {
    /// Reports on the worker behind `session`.
    #[must_use]
    pub fn new(model: Arc<WorkerModel>, session: Arc<Session>) -> Self {
        Self { model, session, tenth: AtomicU64::new(0), ready_since: OnceLock::new() }
    }

    /// When the worker became ready, if it did.
    #[must_use]
    pub fn ready_since(&self) -> Option<Instant> {
        self.ready_since.get().copied()
    }
}

impl Observer for Reporter {
    fn progress(&self, share: f32) {
        self.model.lock().status = ModelStatus::Loading { share };
        let tenths = (1..=10_u8).take_while(|tenth| f32::from(*tenth) <= share * 10.0).count();
        let tenths = u64::try_from(tenths).unwrap_or(u64::MAX);
        if self.tenth.fetch_max(tenths, Ordering::Relaxed) < tenths {
            tracing::info!(model = self.model.name(), "loaded {} %", tenths * 10);
        }
    }

    fn ready(&self, card: ModelCard) {
        tracing::info!(
            model = self.model.name(),
            description = card.description,
            context_tokens = card.context_tokens,
            sequences_max = card.sequences_max,
            threads = card.threads,
            gpu_layers = card.gpu_layers,
            "ready"
        );
        self.ready_since.get_or_init(Instant::now);
        let guest = Arc::new(card.guest.clone());
        let mut state = self.model.lock();
        state.serving = Some(Serving { session: Arc::clone(&self.session), guest });
        state.status = ModelStatus::Ready(Box::new(card));
        drop(state);
        // Loading is no idleness.
        self.model.uses.touch();
        self.model.tell();
    }

    fn stats(&self, stats: WorkerStats) {
        self.model.lock().stats = stats;
    }
}
