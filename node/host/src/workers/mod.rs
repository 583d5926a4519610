//! One process per model, kept alive.
//!
//! Tasks, each ending with the one above it:
//!
//! ```text
//! gaia-node start
//! ├─ idleness                             unloads models that nobody asks for
//! ├─ operation, one per model at most     load, unload, swap or remove
//! └─ supervisor, one per worker           starts the worker again, waits longer each time
//!    └─ a worker's life
//!       ├─ connection                      ends with the worker, or when the worker misbehaves
//!       │  ├─ listen    socket → requests  never waits for a client
//!       │  ├─ speak     requests → socket
//!       │  └─ watch     asks for numbers, notices a hang
//!       └─ log          standard error → log
//! ```
//!
//! Invariants:
//! - A request's channel has room for its whole window and its end, so a slow client stops its own
//!   request and nothing else; a worker that sends more than the window is ended.
//! - A dropped stream cancels its request at once.
//! - A worker is asked to end only when no request is given to it any more, and those that it has
//!   have ended or used up the grace.
//! - When a worker ends, however it ends, each of its streams ends with an error.
//! - A worker that outlives its host is impossible: it reads end-of-file and ends itself.

mod answer;
mod backoff;
mod connection;
mod fleet;
mod manager;
mod model;
mod probe;
mod process;
mod script;
mod session;
mod slot;
mod supervisor;
mod uses;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gaia_core::Models;
use tokio::task::JoinSet;

pub use connection::{Connection, Ending, Observer, Violation};
pub use manager::{Failure, IfItFails, Manager, Operation, Refusal};
pub use model::{Reporter, WorkerModel};
pub use probe::probe;
pub use process::{Launch, Process, log_lines};
pub use session::Session;
pub use slot::{Overview, Slot};

use crate::config::{Config, LoadWhen};
use fleet::Fleet;

/// How often it is looked whether a model is idle; `idle_unload_s` counts whole seconds.
const IDLE_LOOK_EVERY: Duration = Duration::from_millis(250);

/// All workers of a node. Dropping it kills them.
pub struct Workers {
    manager: Arc<Manager>,
    fleet: Arc<Fleet>,
    _idleness: JoinSet<()>,
}

impl Workers {
    /// Starts the workers of the models that load with the node, side by side.
    ///
    /// # Errors
    /// The worker's program is not there.
    pub fn start(config: &Config) -> Result<Self> {
        let launch = Launch::new(config)?;
        if !launch.binary.is_file() {
            bail!(launch.advice("finding"));
        }
        let fleet = Arc::new(Fleet::new(launch, config.worker.clone()));
        let models = Models::new(vec![]);
        let manager = Arc::new(Manager::new(models, Arc::clone(&fleet), config));
        for model in &config.models {
            let slot = Slot::new(model.clone(), Arc::clone(&fleet));
            if model.load == LoadWhen::Start {
                slot.start_worker(true)?;
            }
            let added = manager.add(&slot, model.aliases.clone());
            added.with_context(|| format!("adding {}", model.model.name))?;
        }
        let mut idleness = JoinSet::new();
        idleness.spawn(watch_idleness(Arc::clone(&manager)));
        Ok(Self { manager, fleet, _idleness: idleness })
    }

    /// The models, in the config's order.
    #[must_use]
    pub fn models(&self) -> Models {
        self.manager.models().clone()
    }

    /// What loads and unloads them.
    #[must_use]
    pub fn manager(&self) -> Arc<Manager> {
        Arc::clone(&self.manager)
    }

    /// Lets each worker finish what runs, for `grace` at most, and returns when all are gone.
    pub async fn drain(self, grace: Duration) {
        self.fleet.drain(grace).await;
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.fleet.abort();
    }
}

async fn watch_idleness(manager: Arc<Manager>) {
    loop {
        tokio::time::sleep(IDLE_LOOK_EVERY).await;
        manager.unload_idle();
    }
}
