//! Jobs that are asked for later.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use gaia_core::coder::Progress;
use gaia_sandbox::builder::{Answer, Step};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::service::{Handle, Refusal};
use crate::coder::Made;
use crate::config::JobsConfig;
use crate::ids::new_id;
use crate::store::Owner;

/// How far a job is.
#[derive(Clone, Debug)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It is being compiled or run.
    Working(Step),
    /// A project is repaired or made; what was told last.
    Telling(Progress),
    /// It has ended; its answer, and how many bytes that is.
    Done(Arc<Done>, usize),
    /// There is no answer; why not.
    Failed(String),
}

/// What a job has come to.
#[derive(Debug)]
pub enum Done {
    /// A project was compiled.
    Compiled(Box<Answer>),
    /// A project was repaired or made.
    Made(Box<Made>),
}

impl JobState {
    /// Whether nothing more will come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Done(..) | Self::Failed(_))
    }
}

/// The jobs of all keys, the ended ones for a while. Dropping it ends them all.
pub struct Jobs {
    config: JobsConfig,
    table: Arc<Mutex<Table>>,
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
    /// What its answer takes.
    bytes: usize,
    /// Ends the compiling when the job is forgotten; what else it does ends with its task.
    _handle: Option<Handle>,
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
        Self { config, table: Arc::default() }
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
        (handle, state): (Option<Handle>, watch::Receiver<JobState>),
        work: impl Future<Output = ()> + Send + 'static,
    ) -> String {
        let id = new_id("job-");
        let mut table = self.lock();
        // The table holds the task: it must not hold the table.
        let (shared, config) = (Arc::downgrade(&self.table), self.config);
        let task = table.tasks.spawn(async move {
            work.await;
            tidy(&shared, config);
        });
        let (owner, begun) = (owner.clone(), Instant::now());
        let kept = Kept { owner, state, begun, ended: None, bytes: 0, _handle: handle, task };
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

    fn lock(&self) -> MutexGuard<'_, Table> {
        tidied(&self.table, self.config)
    }
}

/// After a job's end: its answer may be one too many.
fn tidy(table: &Weak<Mutex<Table>>, config: JobsConfig) {
    if let Some(table) = table.upgrade() {
        drop(tidied(&table, config));
    }
}

/// What is old, or too much, is forgotten whenever somebody looks and whenever a job ends.
fn tidied(table: &Mutex<Table>, config: JobsConfig) -> MutexGuard<'_, Table> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    while table.tasks.try_join_next().is_some() {}
    let now = Instant::now();
    table.jobs.values_mut().for_each(|kept| kept.note_end(now));
    table.jobs.retain(|_, kept| kept.ended.is_none_or(|ended| now - ended < config.keep));
    while table.jobs.values().map(|kept| kept.bytes).sum::<usize>() > config.bytes_max {
        if !table.forget_oldest_ended() {
            break;
        }
    }
    table
}

impl Kept {
    fn note_end(&mut self, now: Instant) {
        let state = self.state.borrow();
        if self.ended.is_none() && state.has_ended() {
            self.ended = Some(now);
            if let JobState::Done(_, bytes) = *state {
                self.bytes = bytes;
            }
        }
    }
}

impl Table {
    fn forget_oldest_ended(&mut self) -> bool {
        let ended = self.jobs.iter().filter(|(_, kept)| kept.ended.is_some());
        let oldest = ended.min_by_key(|(_, kept)| kept.begun).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.jobs.remove(&id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gaia_sandbox::jail::Cancel;
    use gaia_sandbox::report::Detail;

    use super::*;

    fn jobs(kept_max: usize) -> Jobs {
        Jobs::new(JobsConfig { kept_max, bytes_max: 100, keep: Duration::from_secs(60) })
    }

    /// A job that has ended with an answer of so many bytes.
    fn ended(jobs: &Jobs, bytes: usize) -> String {
        let (handle, _) = Cancel::pair().expect("a descriptor");
        let done = Arc::new(Done::Compiled(Box::new(Answer::refused(Detail::Summary, vec![]))));
        let (_, state) = watch::channel(JobState::Done(done, bytes));
        jobs.begin(&Owner::default(), (Some(handle), state), async {})
    }

    #[tokio::test]
    async fn answers_that_are_too_much_go_the_oldest_first() {
        let jobs = jobs(9);
        let ids = [ended(&jobs, 60), ended(&jobs, 60), ended(&jobs, 30)];
        let there = ids.map(|id| jobs.look(&Owner::default(), &id).is_some());
        assert_eq!(there, [false, true, true]);
    }

    #[tokio::test]
    async fn jobs_that_have_not_ended_are_not_forgotten_for_others() {
        let jobs = jobs(1);
        let (handle, cancel) = Cancel::pair().expect("a descriptor");
        let (_told, state) = watch::channel(JobState::Queued);
        let id = jobs.begin(&Owner::default(), (Some(handle), state), std::future::pending());
        assert!(matches!(jobs.make_room(), Err(Refusal::TooManyJobs { max: 1 })));
        assert!(!cancel.is_cancelled());
        assert!(jobs.remove(&Owner::default(), &id));
        assert!(cancel.is_cancelled(), "who forgets a job ends it");
        ended(&jobs, 1);
        assert!(jobs.make_room().is_ok());
    }
}
