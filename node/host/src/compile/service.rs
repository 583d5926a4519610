//! Jobs from a request to its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gaia_core::build::{BuildError, Crates};
use gaia_sandbox::builder::{Answer, Builder, Job, Step};
use gaia_sandbox::jail::{Cancel, CancelHandle, StartError};
use gaia_sandbox::report::ExplainError;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::counts::Counts;
use super::jobs::{Done, JobState, Jobs};
use super::queue::{Full, Permit, Queue, Turn};
use crate::config::CompileConfig;
use crate::store::Owner;

/// Compiles for whoever may ask.
pub struct Service {
    builder: Arc<Builder>,
    crates: Arc<Crates>,
    queue: Queue,
    jobs: Jobs,
    config: CompileConfig,
    counts: Arc<Counts>,
}

/// Why a job has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Too many wait.
    #[error(transparent)]
    Full(#[from] Full),
    /// Too many jobs are kept, and none of them has ended.
    #[error("this node keeps {max} jobs, and none of them has ended: try again later")]
    TooManyJobs {
        /// The limit.
        max: usize,
    },
    /// It took longer than a request may wait.
    #[error("the answer took longer than {} ms: send the project to /v1/jobs", .0.as_millis())]
    TooSlow(Duration),
    /// The sandbox failed.
    #[error("the sandbox failed: {0}")]
    Sandbox(#[from] StartError),
    /// The node ends.
    #[error("this node ends")]
    Ending,
}

impl Service {
    /// A service with an empty line.
    #[must_use]
    pub fn new(builder: Builder, config: CompileConfig) -> Self {
        let queue = Queue::new(config.queue);
        let (jobs, counts) = (Jobs::new(config.jobs), Arc::new(Counts::new()));
        let crates = Arc::new(builder.crates().offers());
        Self { builder: Arc::new(builder), crates, queue, jobs, config, counts }
    }

    /// Appends what was counted, in Prometheus' text format.
    pub fn write_metrics(&self, text: &mut String) {
        self.counts.write(text, &self.queue);
    }

    /// What a job may ask for.
    #[must_use]
    pub fn config(&self) -> &CompileConfig {
        &self.config
    }

    /// The line.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Jobs that are asked for later.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// The crates that projects may depend on.
    #[must_use]
    pub fn crates(&self) -> Arc<Crates> {
        Arc::clone(&self.crates)
    }

    /// The compiler's own explanation of an error's number; `None`: it has none.
    ///
    /// # Errors
    /// The compiler can't be asked.
    pub async fn explain(&self, code: &str) -> Result<Option<String>, BuildError> {
        let (builder, code) = (Arc::clone(&self.builder), code.to_owned());
        let asked = spawn_blocking(move || builder.explain(&code)).await;
        match asked.map_err(|_| BuildError::Unavailable(Refusal::Ending.to_string()))? {
            Ok(text) => Ok(Some(text)),
            Err(ExplainError::NoCode(_) | ExplainError::Unknown(_)) => Ok(None),
            Err(error @ ExplainError::Compiler(_)) => Err(BuildError::Failed(error.to_string())),
        }
    }

    /// Does a job while somebody waits. Dropping the future ends the job.
    ///
    /// # Errors
    /// There is no room, no time, or no working sandbox.
    pub async fn answer(&self, owner: &Owner, job: Job) -> Result<Answer, Refusal> {
        let turn = self.enter(owner)?;
        let (handle, cancel) = Cancel::pair()?;
        let (told, _) = watch::channel(JobState::Queued);
        let work = self.work(job, cancel, told);
        let limit = self.config.answer_time;
        let answer = timeout(limit, work.run(turn)).await.unwrap_or(Err(Refusal::TooSlow(limit)));
        drop(handle);
        answer
    }

    /// Begins a job that is asked for later; its id.
    ///
    /// # Errors
    /// There is no room.
    pub fn begin(&self, owner: &Owner, job: Job) -> Result<String, Refusal> {
        let turn = self.enter(owner)?;
        let (handle, cancel) = Cancel::pair()?;
        let (told, state) = watch::channel(JobState::Queued);
        let work = self.work(job, cancel, told);
        self.jobs.begin(owner, (Some(handle), state), work.tell(turn))
    }

    fn enter(&self, owner: &Owner) -> Result<Turn, Full> {
        self.queue.enter(owner).inspect_err(|Full| self.counts.refuse())
    }

    fn work(&self, job: Job, cancel: Cancel, told: watch::Sender<JobState>) -> Work {
        let (builder, counts) = (Arc::clone(&self.builder), Arc::clone(&self.counts));
        Work { builder, job, cancel, told, counts }
    }
}

/// A job, and who is told how far it is.
struct Work {
    builder: Arc<Builder>,
    job: Job,
    cancel: Cancel,
    told: watch::Sender<JobState>,
    counts: Arc<Counts>,
}

impl Work {
    async fn run(self, turn: Turn) -> Result<Answer, Refusal> {
        let begun = Instant::now();
        let permit = turn.wait().await?;
        self.counts.begin(self.job.task, begun.elapsed());
        let queue_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let done = spawn_blocking(move || self.block(permit)).await;
        let mut answer = done.map_err(|_| Refusal::Ending)??;
        answer.report.timings.queue_ms = queue_ms;
        answer.report.timings.total_ms += queue_ms;
        Ok(answer)
    }

    /// The permit goes when the last process is dead.
    fn block(self, permit: Permit) -> Result<Answer, StartError> {
        let _permit = permit;
        let tell = |step: Step| {
            self.told.send_replace(JobState::Working(step));
        };
        let begun = Instant::now();
        let answer = self.builder.run(&self.job, &self.cancel, &tell);
        self.counts.end(self.job.task, begun.elapsed(), answer.as_ref().ok());
        answer
    }

    /// As [`Work::run`], where the answer goes to whoever looks. Cancelling also leaves the line.
    async fn tell(self, turn: Turn) {
        let told = self.told.clone();
        let ended = match self.run(turn).await {
            Ok(answer) => {
                let bytes = size(&answer);
                JobState::Done(Arc::new(Done::Compiled(Box::new(answer))), bytes)
            }
            Err(refusal) => JobState::Failed(refusal.to_string()),
        };
        told.send_replace(ended);
    }
}

/// What a kept answer takes, as JSON, with its files.
fn size(answer: &Answer) -> usize {
    let files = answer.programs.iter().chain(&answer.documents);
    files.map(|file| file.bytes.len()).sum::<usize>()
        + serde_json::to_vec(answer).map_or(0, |text| text.len())
}

/// Ends a job when it is dropped.
pub type Handle = CancelHandle;
