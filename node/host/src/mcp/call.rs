//! One call from a client: waits for its job, tells how far it is, and ends it when nobody waits and
//! nobody knows its name.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, CallToolResult, CreateTaskResult, ErrorData, ProgressNotificationParam, Task,
    TaskStatus,
};
use rmcp::service::RequestContext;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval_at, sleep};

use super::answer;
use super::jobs::{Jobs, Progress, Seen};
use crate::store::Owner;

/// A client hears at least so often that its call is alive.
const TICK: Duration = Duration::from_secs(5);

/// A client that knows tasks waits so long before it is given one.
const TASK_PATIENCE: Duration = Duration::from_secs(5);

/// How often a client should ask for a task.
const POLL_MS: u64 = 2000;

/// A job that somebody waits for. Dropping it ends the job, unless its name was handed out.
pub struct Held<'a> {
    jobs: &'a Jobs,
    owner: &'a Owner,
    id: String,
    is_let_go: bool,
}

impl<'a> Held<'a> {
    /// A job that only this call knows.
    pub fn new(jobs: &'a Jobs, owner: &'a Owner, id: String) -> Self {
        Self { jobs, owner, id, is_let_go: false }
    }

    /// A job whose name the client has: others may wait for it too, or later.
    pub fn known(jobs: &'a Jobs, owner: &'a Owner, id: String) -> Self {
        Self { jobs, owner, id, is_let_go: true }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_let_go {
            self.jobs.remove(self.owner, &self.id);
        }
    }
}

/// How a call is waited for.
pub struct Waiting {
    /// The client's request.
    pub context: RequestContext<RoleServer>,
    /// Ends when the client took the request back in another request.
    pub taken_back: oneshot::Receiver<()>,
    /// A call is answered in this time, with a job's name if not with its answer.
    pub patience: Duration,
    /// A job's answer is kept so long.
    pub keep: Duration,
}

enum Ended {
    Answered(Arc<CallToolResult>),
    Failed,
    StillWorking,
    TakenBack,
}

impl Waiting {
    /// Waits for a job.
    ///
    /// # Errors
    /// The client took the request back, or has gone.
    pub async fn run(self, mut held: Held<'_>) -> Result<CallToolResponse, ErrorData> {
        let Some(seen) = held.jobs.look(held.owner, &held.id) else {
            return Ok(answer::failure(&unknown(&held.id)).into());
        };
        let knows_tasks = self.context.client_capabilities().is_some_and(|c| c.supports_tasks());
        let patience = if knows_tasks { self.patience.min(TASK_PATIENCE) } else { self.patience };
        let keep = self.keep;
        match self.watch(seen.clone(), patience).await {
            Ended::Answered(answer) => Ok(CallToolResult::clone(&answer).into()),
            Ended::Failed => {
                Ok(answer::failure("this call failed inside the node; its log says why").into())
            }
            Ended::StillWorking if knows_tasks => {
                held.is_let_go = true;
                Ok(CallToolResponse::Task(CreateTaskResult::new(task(&held.id, &seen, keep))))
            }
            Ended::StillWorking => {
                held.is_let_go = true;
                Ok(answer::working(&held.id, &seen.progress.borrow().step).into())
            }
            Ended::TakenBack => Err(ErrorData::invalid_request("the request was cancelled", None)),
        }
    }

    async fn watch(self, mut seen: Seen, patience: Duration) -> Ended {
        let Self { context, taken_back, .. } = self;
        let mut told = Told::new(&context);
        let late = sleep(patience);
        // Without the other end, nobody can take it back.
        let taken_back = async {
            if taken_back.await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::pin!(late, taken_back);
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        loop {
            tokio::select! {
                changed = seen.progress.changed() => {
                    let progress = seen.progress.borrow_and_update().clone();
                    match (progress.answer.clone(), changed) {
                        (Some(answer), _) => return Ended::Answered(answer),
                        (None, Err(_)) => return Ended::Failed,
                        (None, Ok(())) => told.tell(&progress).await,
                    }
                }
                _ = ticks.tick() => {
                    let progress = seen.progress.borrow().clone();
                    told.tell(&progress).await;
                }
                () = &mut late => return Ended::StillWorking,
                () = context.ct.cancelled() => return Ended::TakenBack,
                () = &mut taken_back => return Ended::TakenBack,
            }
        }
    }
}

/// What a client was told of a call's progress.
struct Told<'a> {
    context: &'a RequestContext<RoleServer>,
    count: u32,
    begun: Instant,
}

impl<'a> Told<'a> {
    fn new(context: &'a RequestContext<RoleServer>) -> Self {
        Self { context, count: 0, begun: Instant::now() }
    }

    /// Tells it, if the client asked for it. Who does not hear it has gone, which is seen elsewhere.
    async fn tell(&mut self, progress: &Progress) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        self.count += 1;
        let step = if progress.step.is_empty() { "working" } else { &progress.step };
        let message = format!("{step} ({} s)", self.begun.elapsed().as_secs());
        let told = ProgressNotificationParam::new(token, f64::from(self.count));
        let _ = self.context.peer.notify_progress(told.with_message(message)).await;
    }
}

/// A job as a task of the protocol's extension.
pub fn task(id: &str, seen: &Seen, keep: Duration) -> Task {
    let now = rmcp::task_manager::current_timestamp();
    let task = Task::new(id, TaskStatus::Working, seen.begun_at.clone(), now);
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    let task = task.with_ttl_ms(keep_ms).with_poll_interval_ms(POLL_MS);
    let step = seen.progress.borrow().step.clone();
    if step.is_empty() { task } else { task.with_status_message(step) }
}

/// What is said of a job that is not there.
pub fn unknown(id: &str) -> String {
    let shown: String = id.chars().take(64).collect();
    format!("there is no job {shown:?}: it was cancelled, or has ended too long ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::McpConfig;

    #[tokio::test]
    async fn a_job_whose_name_was_handed_out_outlives_who_waits_for_it() {
        let (jobs, owner) = (Jobs::new(McpConfig::default().jobs), Owner::default());
        let id = jobs.begin(&owner, |_| pending()).expect("room");
        drop(Held::known(&jobs, &owner, id.clone()));
        assert!(jobs.look(&owner, &id).is_some());
        drop(Held::new(&jobs, &owner, id.clone()));
        assert!(jobs.look(&owner, &id).is_none(), "nobody else knows of it");
    }
}
