//! Tool calls that are being done. Each has a task, so that a call can end before its work does.

use std::future::Future;
use std::sync::Arc;

use rmcp::model::CallToolResult;
use rmcp::task_manager::current_timestamp;
use tokio::sync::watch;

use crate::config::McpJobsConfig;
use crate::jobs::{self, Job, JobTable, Limits};
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

impl Job for Seen {
    /// An answer's texts are cut before they come here: their number is limit enough.
    fn ended_bytes(&self) -> Option<usize> {
        self.progress.borrow().answer.is_some().then_some(0)
    }
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{max} calls {whose} are being done already: wait for one, or try again later")]
pub struct Full {
    max: usize,
    whose: &'static str,
}

impl From<jobs::Full> for Full {
    fn from(full: jobs::Full) -> Self {
        match full {
            jobs::Full::Owner(max) => Self { max, whose: "of this key" },
            jobs::Full::All(max) => Self { max, whose: "on this node" },
        }
    }
}

/// The jobs of all keys, the ended ones for a while. Dropping it ends them all.
pub struct Jobs(JobTable<Seen>);

impl Jobs {
    /// No jobs yet.
    #[must_use]
    pub fn new(config: McpJobsConfig) -> Self {
        let McpJobsConfig { max, per_key_max, keep } = config;
        let (kept_max, at_work_per_owner_max) = (max, per_key_max);
        let limits = Limits { kept_max, at_work_per_owner_max, bytes_max: usize::MAX, keep };
        Self(JobTable::new(limits))
    }

    /// Begins a job: its id.
    ///
    /// # Errors
    /// Too many are being done, of all keys or of this one.
    pub fn begin<W>(&self, owner: &Owner, work: impl FnOnce(Tell) -> W) -> Result<String, Full>
    where
        W: Future<Output = CallToolResult> + Send + 'static,
    {
        let (sender, progress) = watch::channel(Progress::default());
        let sender = Arc::new(sender);
        let work = work(Tell(Arc::clone(&sender)));
        let work = async move {
            let answer = Arc::new(work.await);
            sender.send_modify(|progress| progress.answer = Some(answer));
        };
        let seen = Seen { progress, begun_at: current_timestamp() };
        Ok(self.0.begin(owner, seen, work)?)
    }

    /// How far a job is, if it is this owner's.
    #[must_use]
    pub fn look(&self, owner: &Owner, id: &str) -> Option<Seen> {
        self.0.look(owner, id, Seen::clone)
    }

    /// Ends a job if it has not ended, and forgets it; whether it was there.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        self.0.remove(owner, id)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use rmcp::model::ContentBlock;

    use super::*;

    fn jobs(max: usize, per_key_max: usize) -> Jobs {
        Jobs::new(McpJobsConfig { max, per_key_max, keep: Duration::from_secs(60) })
    }

    fn answer() -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("done")])
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_whose_calls_are_too_many() {
        let jobs = jobs(2, 1);
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(Owner::of_key);
        jobs.begin(&ada, |_| pending()).expect("room");
        let full = jobs.begin(&ada, |_| pending()).expect_err("its share is used");
        assert!(full.to_string().contains("1 calls of this key"), "{full}");
        jobs.begin(&bob, |_| pending()).expect("another key has room");
        let full = jobs.begin(&eve, |_| pending()).expect_err("the node is full");
        assert!(full.to_string().contains("2 calls on this node"), "{full}");
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_room_is_needed() {
        let jobs = jobs(1, 1);
        let id = jobs.begin(&Owner::default(), |_| ready(answer())).expect("room");
        let mut seen = jobs.look(&Owner::default(), &id).expect("its own");
        seen.progress.wait_for(|progress| progress.answer.is_some()).await.expect("it ends");
        jobs.begin(&Owner::default(), |_| pending()).expect("what has ended makes room");
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
