//! Jobs that are asked for later.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gaia_sandbox::builder::{Answer, Step};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::service::{Handle, Refusal};
use crate::config::JobsConfig;
use crate::http::new_id;
use crate::store::Owner;

/// How far a job is.
#[derive(Clone, Debug)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It is being done.
    Working(Step),
    /// It has ended.
    Done(Arc<Answer>),
    /// The sandbox failed.
    Failed(String),
}

impl JobState {
    /// Whether nothing more will come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }
}

/// The jobs of all keys, the ended ones for a while. Dropping it ends them all.
pub struct Jobs {
    config: JobsConfig,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    jobs: HashMap<String, Kept>,
    tasks: JoinSet<()>,
}

struct Kept {
    owner: Owner,
    state: watch::Receiver<JobState>,
    begun: Instant,
    /// When it was first seen to have ended.
    ended: Option<Instant>,
    /// Ends it when the job is forgotten.
    _handle: Handle,
    task: AbortHandle,
}

impl Drop for Kept {
    /// One that waits leaves the line; one that runs is ended by its handle.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Jobs {
    /// No jobs yet.
    #[must_use]
    pub fn new(config: JobsConfig) -> Self {
        Self { config, table: Mutex::default() }
    }

    /// Forgets what is old, and the oldest that has ended if there is no room for one more.
    ///
    /// # Errors
    /// None has ended.
    pub fn make_room(&self) -> Result<(), Refusal> {
        let mut table = self.lock();
        let max = self.config.kept_max;
        while table.jobs.len() >= max {
            if !table.forget_oldest_ended() {
                return Err(Refusal::TooManyJobs { max });
            }
        }
        Ok(())
    }

    /// Keeps a job and does its work; its id.
    pub fn begin(
        &self,
        owner: &Owner,
        (handle, state): (Handle, watch::Receiver<JobState>),
        work: impl Future<Output = ()> + Send + 'static,
    ) -> String {
        let id = new_id("job-");
        let mut table = self.lock();
        let task = table.tasks.spawn(work);
        let (owner, begun) = (owner.clone(), Instant::now());
        let kept = Kept { owner, state, begun, ended: None, _handle: handle, task };
        table.jobs.insert(id.clone(), kept);
        id
    }

    /// How far a job is, and how to hear of more.
    #[must_use]
    pub fn look(&self, owner: &Owner, id: &str) -> Option<watch::Receiver<JobState>> {
        let table = self.lock();
        table.jobs.get(id).filter(|kept| kept.owner == *owner).map(|kept| kept.state.clone())
    }

    /// Ends a job if it has not ended, and forgets it; whether it was there.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        let mut table = self.lock();
        let is_own = table.jobs.get(id).is_some_and(|kept| kept.owner == *owner);
        is_own && table.jobs.remove(id).is_some()
    }

    /// What is old is forgotten whenever somebody looks.
    fn lock(&self) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        while table.tasks.try_join_next().is_some() {}
        let now = Instant::now();
        for kept in table.jobs.values_mut() {
            if kept.ended.is_none() && kept.state.borrow().has_ended() {
                kept.ended = Some(now);
            }
        }
        let keep = self.config.keep;
        table.jobs.retain(|_, kept| kept.ended.is_none_or(|ended| now - ended < keep));
        table
    }
}

impl Table {
    fn forget_oldest_ended(&mut self) -> bool {
        let ended = self.jobs.iter().filter(|(_, kept)| kept.ended.is_some());
        let oldest = ended.min_by_key(|(_, kept)| kept.begun).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.jobs.remove(&id).is_some())
    }
}
