//! Jobs that are asked for later.

use std::future::Future;
use std::sync::Arc;

use gaia_core::coder::Progress;
use gaia_sandbox::builder::{Answer, Step};
use tokio::sync::watch;

use super::service::{Handle, Refusal};
use crate::coder::Made;
use crate::config::JobsConfig;
use crate::jobs::{Full, Job, JobTable, Limits};
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
pub struct Jobs(JobTable<Kept>);

struct Kept {
    state: watch::Receiver<JobState>,
    /// Ends the compiling when the job is forgotten; what else it does ends with its task: one that
    /// waits leaves the line.
    _handle: Option<Handle>,
}

impl Job for Kept {
    fn ended_bytes(&self) -> Option<usize> {
        match &*self.state.borrow() {
            JobState::Done(_, bytes) => Some(*bytes),
            JobState::Failed(_) => Some(0),
            JobState::Queued | JobState::Working(_) | JobState::Telling(_) => None,
        }
    }
}

impl Jobs {
    /// No jobs yet.
    #[must_use]
    pub fn new(config: JobsConfig) -> Self {
        let JobsConfig { kept_max, bytes_max, keep } = config;
        // The line of jobs gives each key its share.
        let at_work_per_owner_max = usize::MAX;
        Self(JobTable::new(Limits { kept_max, at_work_per_owner_max, bytes_max, keep }))
    }

    /// Keeps a job and does its work; its id.
    ///
    /// # Errors
    /// Too many are kept, and none of them has ended.
    pub fn begin(
        &self,
        owner: &Owner,
        (handle, state): (Option<Handle>, watch::Receiver<JobState>),
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<String, Refusal> {
        let begun = self.0.begin(owner, Kept { state, _handle: handle }, work);
        begun.map_err(|(Full::Owner(max) | Full::All(max))| Refusal::TooManyJobs { max })
    }

    /// How far a job is, and how to hear of more.
    #[must_use]
    pub fn look(&self, owner: &Owner, id: &str) -> Option<watch::Receiver<JobState>> {
        self.0.look(owner, id, |kept| kept.state.clone())
    }

    /// Ends a job if it has not ended, and forgets it; whether it was there.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        self.0.remove(owner, id)
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

    /// Begins a job that has ended with an answer of so many bytes.
    fn ended(jobs: &Jobs, bytes: usize) -> Result<String, Refusal> {
        let (handle, _) = Cancel::pair().expect("a descriptor");
        let done = Arc::new(Done::Compiled(Box::new(Answer::refused(Detail::Summary, vec![]))));
        let (_, state) = watch::channel(JobState::Done(done, bytes));
        jobs.begin(&Owner::default(), (Some(handle), state), async {})
    }

    #[tokio::test]
    async fn answers_that_are_too_much_go_the_oldest_first() {
        let jobs = jobs(9);
        let ids = [60, 60, 30].map(|bytes| ended(&jobs, bytes).expect("room"));
        let there = ids.map(|id| jobs.look(&Owner::default(), &id).is_some());
        assert_eq!(there, [false, true, true]);
    }

    #[tokio::test]
    async fn jobs_that_have_not_ended_are_not_forgotten_for_others() {
        let jobs = jobs(1);
        let (handle, cancel) = Cancel::pair().expect("a descriptor");
        let (_told, state) = watch::channel(JobState::Queued);
        let begun = jobs.begin(&Owner::default(), (Some(handle), state), std::future::pending());
        assert!(matches!(ended(&jobs, 1), Err(Refusal::TooManyJobs { max: 1 })));
        assert!(!cancel.is_cancelled());
        assert!(jobs.remove(&Owner::default(), &begun.expect("room")));
        assert!(cancel.is_cancelled(), "who forgets a job ends it");
        assert!(ended(&jobs, 1).is_ok());
        assert!(ended(&jobs, 1).is_ok(), "one that has ended makes room");
    }
}
