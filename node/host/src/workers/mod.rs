//! One process per model, kept alive.
//!
//! Tasks, each ending with the one above it:
//!
//! ```text
//! gaia-node start
//! └─ supervisor, one per model            starts the worker again, waits longer each time
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
//! - When a worker ends, however it ends, each of its streams ends with an error.
//! - A worker that outlives its host is impossible: it reads end-of-file and ends itself.

mod answer;
mod backoff;
mod connection;
mod model;
mod probe;
mod process;
mod script;
mod session;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use gaia_core::Model;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use connection::{Connection, Ending, Observer, Violation};
pub use model::{Reporter, WorkerModel};
pub use probe::probe;
pub use process::{Launch, Process, log_lines};
pub use session::Session;

use crate::config::Config;
use supervisor::Supervisor;

/// All workers of a node. Dropping it kills them.
pub struct Workers {
    models: Vec<Arc<WorkerModel>>,
    supervisors: JoinSet<()>,
    drain: watch::Sender<Option<Instant>>,
}

impl Workers {
    /// Starts one worker per model; they load side by side.
    ///
    /// # Errors
    /// The worker's program is not there.
    pub fn start(config: &Config) -> Result<Self> {
        let launch = Launch::new(config)?;
        if !launch.binary.is_file() {
            bail!(launch.advice("finding"));
        }
        let (drain, draining) = watch::channel(None);
        let mut supervisors = JoinSet::new();
        let models = config.models.iter().cloned().map(WorkerModel::new).map(Arc::new);
        let models: Vec<_> = models.collect();
        for model in &models {
            let supervisor = Supervisor {
                model: Arc::clone(model),
                launch: launch.clone(),
                config: config.worker.clone(),
                drain: draining.clone(),
            };
            supervisors.spawn(supervisor.run());
        }
        Ok(Self { models, supervisors, drain })
    }

    /// The models, in the config's order.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<dyn Model>> {
        self.models.iter().map(|model| Arc::clone(model) as Arc<dyn Model>).collect()
    }

    /// Lets each worker finish what runs, for `grace` at most, and returns when all are gone.
    pub async fn drain(mut self, grace: Duration) {
        self.drain.send_replace(Some(Instant::now() + grace));
        while let Some(ended) = self.supervisors.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a supervisor failed: {error}");
            }
        }
    }
}
