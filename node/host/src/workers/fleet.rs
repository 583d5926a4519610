//! The processes of all models: starts them, ends them, and holds every task that does so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaia_core::ServeError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::model::WorkerModel;
use super::process::Launch;
use super::supervisor::Supervisor;
use crate::config::SupervisionConfig;

/// A worker that has nothing left to do ends within this time, or is killed.
const END_GRACE: Duration = Duration::from_secs(2);

/// What a node that ends tells who asks for a worker.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Told when its worker must be gone. Closed once it is.
pub type Stop = watch::Sender<Option<Instant>>;

/// A worker that is kept alive.
pub struct Tenant {
    /// Its model.
    pub model: Arc<WorkerModel>,
    /// The node counts as ready only when this one serves.
    pub is_required: bool,
    stop: Stop,
}

/// Starts and ends workers.
pub struct Fleet {
    launch: Launch,
    config: SupervisionConfig,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    set: JoinSet<()>,
    stops: Vec<Stop>,
    is_ending: bool,
}

impl Fleet {
    /// No workers yet.
    #[must_use]
    pub fn new(launch: Launch, config: SupervisionConfig) -> Self {
        Self { launch, config, tasks: Mutex::default() }
    }

    /// Starts a worker and keeps it alive; `after` is one that must be gone before, for there may
    /// not be room for both.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`]: the node ends.
    pub fn start(&self, model: WorkerModel, after: Option<Stop>) -> Result<Tenant, ServeError> {
        let model = Arc::new(model);
        let (stop, drain) = watch::channel(None);
        let supervisor = Supervisor {
            model: Arc::clone(&model),
            launch: self.launch.clone(),
            config: self.config.clone(),
            drain,
        };
        let life = async {
            if let Some(after) = after {
                after.closed().await;
            }
            supervisor.run().await;
        };
        let mut tasks = self.lock();
        tasks.spawn(life)?;
        tasks.stops.retain(|stop| !stop.is_closed());
        tasks.stops.push(stop.clone());
        Ok(Tenant { model, is_required: false, stop })
    }

    /// Runs a task that the node's end waits for.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`]: the node ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        self.lock().spawn(task)
    }

    /// Lets the requests of a worker that takes no more of them end, for the drain grace at most,
    /// and returns when the worker is gone.
    pub async fn retire(&self, tenant: Tenant) {
        let deadline = Instant::now() + self.config.drain_grace;
        tenant.model.let_go();
        if tokio::time::timeout_at(deadline, tenant.model.uses().ended()).await.is_err() {
            tracing::warn!(
                model = tenant.model.config().model.name,
                "some answers did not end within drain_grace_ms and are cut short"
            );
        }
        tenant.end().await;
    }

    /// Lets each worker finish what runs, for `grace` at most, and returns when all are gone. None
    /// can be started from now on.
    pub async fn drain(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut set = {
            let mut tasks = self.lock();
            tasks.is_ending = true;
            for stop in tasks.stops.drain(..) {
                stop.send_if_modified(|end| {
                    let is_sooner = end.is_none_or(|end| end > deadline);
                    *end = if is_sooner { Some(deadline) } else { *end };
                    is_sooner
                });
            }
            std::mem::take(&mut tasks.set)
        };
        while let Ok(Some(ended)) =
            tokio::time::timeout_at(deadline + END_GRACE + END_GRACE, set.join_next()).await
        {
            report(ended);
        }
    }

    /// Kills every worker.
    pub fn abort(&self) {
        self.lock().set.abort_all();
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        if self.is_ending {
            let reason = "the node is ending".into();
            return Err(ServeError::Unavailable { retry_after: RETRY_AFTER, reason });
        }
        while let Some(ended) = self.set.try_join_next() {
            report(ended);
        }
        self.set.spawn(task);
        Ok(())
    }
}

impl Tenant {
    /// The same, counted or not.
    #[must_use]
    pub fn required(self, is_required: bool) -> Self {
        Self { is_required, ..self }
    }

    /// Closed once the worker is gone.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Ends the worker now; returns when it is gone.
    pub async fn end(self) {
        self.stop.send_replace(Some(Instant::now() + END_GRACE));
        self.stop.closed().await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a task that keeps a worker failed: {error}");
    }
}
