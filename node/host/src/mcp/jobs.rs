//! Tool calls that are being done. Each has a task, so that a call can end before its work does.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rmcp::model::CallToolResult;
use rmcp::task_manager::current_timestamp;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use crate::config::McpJobsConfig;
use crate::ids::new_id;
use crate::store::Owner;

/// How far a job is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Steps that were told so far.
    pub steps: u32,
    /// The last of them, for people.
    pub step: String,
    /// The answer, once there is one.
    pub answer: Option<Arc<CallToolResult>>,
}

/// Where a job's work tells its steps.
#[derive(Clone)]
pub struct Tell(Arc<watch::Sender<Progress>>);

impl Tell {
    /// Tells a step.
    pub fn step(&self, step: impl Into<String>) {
        self.0.send_modify(|progress| {
            progress.steps += 1;
            progress.step = step.into();
        });
    }
}

/// A job as its owner sees it.
#[derive(Clone)]
pub struct Seen {
    /// How far it is. The other end goes without an answer if the work panicked.
    pub progress: watch::Receiver<Progress>,
    /// When it was begun, in words of ISO 8601.
    pub begun_at: String,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{max} calls {whose} are being done already: wait for one, or try again later")]
pub struct Full {
    max: usize,
    whose: &'static str,
}

/// The jobs of all keys, the ended ones for a while. Dropping it ends them all.
pub struct Jobs {
    config: McpJobsConfig,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    jobs: HashMap<String, Kept>,
    tasks: JoinSet<()>,
}

struct Kept {
    owner: Owner,
    seen: Seen,
    begun: Instant,
    /// When it was first seen to have ended.
    ended: Option<Instant>,
    task: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Jobs {
    /// No jobs yet.
    #[must_use]
    pub fn new(config: McpJobsConfig) -> Self {
        Self { config, table: Mutex::default() }
    }

    /// Begins a job: its id.
    ///
    /// # Errors
    /// Too many are being done, of all keys or of this one.
    pub fn begin<W>(&self, owner: &Owner, work: impl FnOnce(Tell) -> W) -> Result<String, Full>
    where
        W: Future<Output = CallToolResult> + Send + 'static,
    {
        let mut table = self.lock();
        table.check_room(owner, &self.config)?;
        let id = new_id("job-");
        let (sender, progress) = watch::channel(Progress::default());
        let sender = Arc::new(sender);
        let work = work(Tell(Arc::clone(&sender)));
        let work = async move {
            let answer = Arc::new(work.await);
            sender.send_modify(|progress| progress.answer = Some(answer));
        };
        let task = table.tasks.spawn(work.in_current_span());
        let seen = Seen { progress, begun_at: current_timestamp() };
        let kept = Kept { owner: owner.clone(), seen, begun: Instant::now(), ended: None, task };
        table.jobs.insert(id.clone(), kept);
        Ok(id)
    }

    /// How far a job is, if it is this owner's.
    #[must_use]
    pub fn look(&self, owner: &Owner, id: &str) -> Option<Seen> {
        let table = self.lock();
        table.jobs.get(id).filter(|kept| kept.owner == *owner).map(|kept| kept.seen.clone())
    }

    /// Ends a job if it has not ended, and forgets it; whether it was there.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        let mut table = self.lock();
        let is_own = table.jobs.get(id).is_some_and(|kept| kept.owner == *owner);
        is_own && table.jobs.remove(id).is_some()
    }

    /// Whoever looks forgets what is old.
    fn lock(&self) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        while table.tasks.try_join_next().is_some() {}
        let now = Instant::now();
        table.jobs.values_mut().for_each(|kept| kept.note_end(now));
        let keep = self.config.keep;
        table.jobs.retain(|_, kept| kept.ended.is_none_or(|ended| now - ended < keep));
        table
    }
}

impl Kept {
    fn note_end(&mut self, now: Instant) {
        if self.ended.is_none() && self.task.is_finished() {
            self.ended = Some(now);
        }
    }
}

impl Table {
    /// Ended jobs make room, the oldest first; those at work don't.
    fn check_room(&mut self, owner: &Owner, config: &McpJobsConfig) -> Result<(), Full> {
        let at_work = |kept: &&Kept| kept.ended.is_none();
        let own = self.jobs.values().filter(at_work).filter(|kept| kept.owner == *owner).count();
        if own >= config.per_key_max {
            return Err(Full { max: config.per_key_max, whose: "of this key" });
        }
        while self.jobs.len() >= config.max {
            if !self.forget_oldest_ended() {
                return Err(Full { max: config.max, whose: "on this node" });
            }
        }
        Ok(())
    }

    fn forget_oldest_ended(&mut self) -> bool {
        let ended = self.jobs.iter().filter(|(_, kept)| kept.ended.is_some());
        let oldest = ended.min_by_key(|(_, kept)| kept.begun).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.jobs.remove(&id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use rmcp::model::ContentBlock;
    use tokio::sync::oneshot;

    use super::*;

    fn jobs(max: usize, per_key_max: usize) -> Jobs {
        Jobs::new(McpJobsConfig { max, per_key_max, keep: Duration::from_secs(60) })
    }

    fn answer() -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("done")])
    }

    #[tokio::test]
    async fn only_so_many_at_once_and_one_key_can_not_fill_the_node() {
        let jobs = jobs(3, 2);
        let (ada, bob) = (Owner::of_key("ada"), Owner::of_key("bob"));
        let first = jobs.begin(&ada, |_| pending()).expect("room");
        jobs.begin(&ada, |_| pending()).expect("room");
        let full = jobs.begin(&ada, |_| pending()).expect_err("its share is used");
        assert!(full.to_string().contains("2 calls of this key"), "{full}");
        jobs.begin(&bob, |_| pending()).expect("another key has room");
        let full = jobs.begin(&bob, |_| pending()).expect_err("the node is full");
        assert!(full.to_string().contains("3 calls on this node"), "{full}");
        assert!(!jobs.remove(&bob, &first), "a job is its owner's");
        assert!(jobs.look(&bob, &first).is_none());
        assert!(jobs.remove(&ada, &first));
        jobs.begin(&bob, |_| pending()).expect("what is removed makes room");
    }

    #[tokio::test]
    async fn what_is_removed_is_dropped() {
        let jobs = jobs(1, 1);
        let (held, dropped) = oneshot::channel::<()>();
        let work = |_| async move {
            let _held = held;
            pending().await
        };
        let id = jobs.begin(&Owner::default(), work).expect("room");
        assert!(jobs.remove(&Owner::default(), &id));
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_room_is_needed() {
        let jobs = jobs(1, 1);
        let id = jobs.begin(&Owner::default(), |_| ready(answer())).expect("room");
        let mut seen = jobs.look(&Owner::default(), &id).expect("its own");
        seen.progress.wait_for(|progress| progress.answer.is_some()).await.expect("it ends");
        while jobs.begin(&Owner::default(), |_| pending()).is_err() {
            tokio::task::yield_now().await;
        }
        assert!(jobs.look(&Owner::default(), &id).is_none());
    }

    #[tokio::test]
    async fn work_that_panics_leaves_no_answer() {
        let jobs = jobs(1, 1);
        let work = |_| async { panic!("as the test wants") };
        let id = jobs.begin(&Owner::default(), work).expect("room");
        let mut seen = jobs.look(&Owner::default(), &id).expect("its own");
        assert!(seen.progress.wait_for(|progress| progress.answer.is_some()).await.is_err());
    }
}
