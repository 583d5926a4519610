//! One name under which a model is served, whichever worker holds it now, if any.
//!
//! ```text
//! unloaded ──request on demand, or load──▶ worker ──idle, or unload──▶ unloaded
//!                                          worker ──swap──▶ another worker
//! ```
//!
//! A request takes its lease under the same lock under which workers are exchanged: it holds the
//! worker that it was given, and a worker that takes no more requests has all its leases.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use gaia_core::{EventStream, Model, ModelReport, ModelStatus, ReportFuture, ServeError};
use gaia_protocol::{ModelKind, Task};

use super::fleet::{Fleet, Stop, Tenant};
use super::model::WorkerModel;
use super::uses::Lease;
use crate::config::{LoadWhen, ServedConfig};

/// Whether a model that is being loaded is there soon is not known; asking more often helps nobody.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A served name. Clones share it.
#[derive(Clone)]
pub struct Slot {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    kind: ModelKind,
    fleet: Arc<Fleet>,
    state: Mutex<State>,
}

struct State {
    config: ServedConfig,
    tenant: Option<Tenant>,
    /// The worker that was unloaded last; its successor waits until it is gone.
    leaving: Option<Stop>,
    /// Without a worker: the next request starts one.
    wakes: bool,
    /// An operation of the admin API is at work.
    is_busy: bool,
    /// Restarts of the workers that are gone.
    restarts: u64,
    last_error: Option<String>,
}

/// A slot that an operation holds for itself, given back by drop.
pub struct Hold {
    slot: Slot,
}

/// What the operator sees of a slot.
pub struct Overview {
    /// What it serves.
    pub config: ServedConfig,
    /// Whether it serves now.
    pub status: ModelStatus,
    /// Its worker was unloaded and is not gone yet.
    pub is_leaving: bool,
    /// Time since its last request; `None` without a worker.
    pub idle: Option<Duration>,
    /// Why the last operation failed.
    pub last_error: Option<String>,
}

/// Where a request goes.
enum Way {
    /// To a worker that serves, or says why not.
    Now(Arc<WorkerModel>, Lease),
    /// To a worker that loads.
    Later(Arc<WorkerModel>, Lease),
}

impl Slot {
    /// A slot without a worker; requests start one if its config says so.
    #[must_use]
    pub fn new(config: ServedConfig, fleet: Arc<Fleet>) -> Self {
        let (name, kind) = (config.model.name.clone(), config.model.kind);
        let state = State {
            wakes: config.load == LoadWhen::Demand,
            config,
            tenant: None,
            leaving: None,
            is_busy: false,
            restarts: 0,
            last_error: None,
        };
        Self { shared: Arc::new(Shared { name, kind, fleet, state: Mutex::new(state) }) }
    }

    /// Keeps other operations out; `None`: one is at work.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        let mut state = self.lock();
        let is_free = !std::mem::replace(&mut state.is_busy, true);
        is_free.then(|| Hold { slot: self.clone() })
    }

    /// What the operator sees.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let state = self.lock();
        Overview {
            config: state.config.clone(),
            status: state.status(),
            is_leaving: state.leaving.as_ref().is_some_and(|stop| !stop.is_closed()),
            idle: state.tenant.as_ref().map(|tenant| tenant.model.uses().idle()),
            last_error: state.last_error.clone(),
        }
    }

    /// Starts a worker unless there is one; it is the model's either way.
    ///
    /// # Errors
    /// The node ends.
    pub fn start_worker(&self, is_required: bool) -> Result<Arc<WorkerModel>, ServeError> {
        let mut state = self.lock();
        self.ensure(&mut state, is_required)?;
        let tenant = state.tenant.as_ref().expect("it has just been made sure");
        Ok(Arc::clone(&tenant.model))
    }

    /// Starts a worker besides the one that serves.
    ///
    /// # Errors
    /// The node ends.
    pub fn start_successor(&self, config: &ServedConfig) -> Result<Tenant, ServeError> {
        self.shared.fleet.start(WorkerModel::new(config.worker()), None)
    }

    /// From now on `tenant` serves, by the rules of `config`; the worker that did so until now.
    pub fn switch(&self, tenant: Tenant, config: ServedConfig) -> Option<Tenant> {
        let mut state = self.lock();
        let is_required = state.tenant.as_ref().is_some_and(|old| old.is_required);
        let old = state.tenant.replace(tenant.required(is_required));
        state.restarts += old.as_ref().map_or(0, |old| old.model.restarts());
        state.wakes = config.load == LoadWhen::Demand;
        state.config = config;
        old
    }

    /// From now on no worker serves; the one that did. Requests start another if the config says so.
    pub fn vacate(&self) -> Option<Tenant> {
        let mut state = self.lock();
        state.wakes = state.config.load == LoadWhen::Demand;
        state.vacate()
    }

    /// As [`Slot::vacate`], if no request has come for the config's time: the next one starts
    /// another worker.
    pub fn vacate_if_idle(&self) -> Option<Tenant> {
        let mut state = self.lock();
        let (limit, tenant) = (state.config.idle_unload?, state.tenant.as_ref()?);
        let is_loading = matches!(tenant.model.status(), ModelStatus::Loading { .. });
        if state.is_busy || is_loading || tenant.model.uses().idle() < limit {
            return None;
        }
        state.wakes = true;
        state.vacate()
    }

    /// Takes no request any more.
    pub fn close(&self) -> Option<Tenant> {
        let mut state = self.lock();
        state.wakes = false;
        state.vacate()
    }

    /// Notes how the last operation went.
    pub fn note(&self, error: Option<String>) {
        self.lock().last_error = error;
    }

    fn ensure(&self, state: &mut State, is_required: bool) -> Result<(), ServeError> {
        if state.tenant.is_some() {
            return Ok(());
        }
        let worker = WorkerModel::new(state.config.worker());
        let tenant = self.shared.fleet.start(worker, state.leaving.clone())?;
        state.tenant = Some(tenant.required(is_required));
        Ok(())
    }

    /// Gives a request its way, and wakes a worker for it if need be.
    fn enter(&self) -> Result<Way, ServeError> {
        let mut state = self.lock();
        if state.wakes {
            self.ensure(&mut state, false)?;
        }
        let Some(tenant) = &state.tenant else {
            let reason = "it was unloaded by this node's operator".into();
            return Err(ServeError::Unavailable { retry_after: RETRY_AFTER, reason });
        };
        let (model, lease) = (Arc::clone(&tenant.model), tenant.model.uses().lease());
        let is_loading = matches!(model.status(), ModelStatus::Loading { .. });
        Ok(match is_loading && state.config.is_elastic() {
            true => Way::Later(model, lease),
            false => Way::Now(model, lease),
        })
    }

    /// Waits until the worker has loaded, then starts the task.
    async fn start_later(self, task: Task, way: Way) -> Result<EventStream, ServeError> {
        let limit = self.lock().config.load_timeout;
        let (model, lease) =
            tokio::time::timeout(limit, self.loaded(way)).await.map_err(|_| {
                let reason = "it is still being loaded".into();
                ServeError::Unavailable { retry_after: RETRY_AFTER, reason }
            })??;
        model.start_with(task, lease)
    }

    async fn loaded(&self, mut way: Way) -> Result<(Arc<WorkerModel>, Lease), ServeError> {
        loop {
            match way {
                Way::Now(model, lease) => return Ok((model, lease)),
                Way::Later(model, _lease) => {
                    model.settled().await;
                    way = self.enter()?;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn status(&self) -> ModelStatus {
        self.tenant.as_ref().map_or(ModelStatus::Unloaded, |tenant| tenant.model.status())
    }

    fn vacate(&mut self) -> Option<Tenant> {
        let tenant = self.tenant.take()?;
        self.leaving = Some(tenant.stop());
        self.restarts += tenant.model.restarts();
        Some(tenant)
    }
}

impl Model for Slot {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn kind(&self) -> ModelKind {
        self.shared.kind
    }

    fn takes_pictures(&self) -> bool {
        self.lock().config.model.mmproj_path.is_some()
    }

    fn status(&self) -> ModelStatus {
        self.lock().status()
    }

    fn report(&self) -> ReportFuture<'_> {
        let (model, restarts) = {
            let state = self.lock();
            (state.tenant.as_ref().map(|tenant| Arc::clone(&tenant.model)), state.restarts)
        };
        Box::pin(async move {
            let Some(model) = model else { return ModelReport { restarts, ..Default::default() } };
            let report = model.report().await;
            ModelReport { restarts: restarts + report.restarts, ..report }
        })
    }

    fn is_required(&self) -> bool {
        self.lock().tenant.as_ref().is_some_and(|tenant| tenant.is_required)
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        match self.enter()? {
            Way::Now(model, lease) => model.start_with(task, lease),
            later => {
                let started = self.clone().start_later(task, later);
                Ok(Box::pin(stream::once(started).try_flatten()))
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.slot.lock().is_busy = false;
    }
}

impl std::ops::Deref for Hold {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.slot
    }
}
