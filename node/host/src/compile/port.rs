//! The service as the port of the use cases, for one request.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::build::{
    BuildError, BuildJob, BuildReply, BuildReport, Builder, Command, Crates, ExplainReply, Files,
};
use gaia_sandbox::builder::{Answer, Job, Task};
use gaia_sandbox::project::{Limits, Project, ProjectError};
use gaia_sandbox::report::Detail;

use super::{Refusal, Service};
use crate::store::Owner;

/// A full line is asked again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Compiles for one owner. What he sent beside texts goes with each job.
pub struct OwnersBuilder {
    service: Arc<Service>,
    owner: Owner,
    /// Files that are no text, by path.
    others: Vec<(String, Vec<u8>)>,
}

impl OwnersBuilder {
    /// For jobs that are texts alone.
    #[must_use]
    pub fn new(service: Arc<Service>, owner: Owner) -> Self {
        Self { service, owner, others: vec![] }
    }

    /// For jobs about a project; its texts.
    #[must_use]
    pub fn of_project(service: Arc<Service>, owner: Owner, project: &Project) -> (Self, Files) {
        let (mut files, mut others) = (Files::new(), vec![]);
        for (path, bytes) in project.files() {
            match String::from_utf8(bytes.to_vec()) {
                Ok(text) => drop(files.insert(path.to_string(), text)),
                Err(error) => others.push((path.to_string(), error.into_bytes())),
            }
        }
        (Self { service, owner, others }, files)
    }

    /// The project's files that are no text, by path.
    #[must_use]
    pub fn others(&self) -> &[(String, Vec<u8>)] {
        &self.others
    }

    fn project(&self, files: Files) -> Result<Project, ProjectError> {
        let texts = files.into_iter().map(|(path, text)| (path, text.into_bytes()));
        let all = texts.chain(self.others.iter().cloned()).collect();
        Project::from_bytes(all, &Limits::default())
    }

    async fn answer(&self, job: BuildJob) -> Result<BuildReport, BuildError> {
        let task = match job.command {
            Command::Check => Task::Check,
            Command::Clippy => Task::Clippy,
            Command::Test => Task::Test,
            Command::Run => Task::Run,
        };
        let project = match self.project(job.files) {
            Ok(project) => project,
            Err(error) => return Ok(report(Answer::refused(Detail::Raw, vec![error.to_string()]))),
        };
        let limits = self.service.config().limits;
        let job = Job {
            detail: Detail::Raw,
            stdin: job.stdin.into_bytes(),
            explain: job.explain,
            limits,
            ..Job::new(project, task)
        };
        self.service.answer(&self.owner, job).await.map(report).map_err(error)
    }
}

impl Builder for OwnersBuilder {
    fn run(&self, job: BuildJob) -> BuildReply<'_> {
        Box::pin(self.answer(job))
    }

    fn explain<'a>(&'a self, code: &'a str) -> ExplainReply<'a> {
        Box::pin(self.service.explain(code))
    }

    fn crates(&self) -> Arc<Crates> {
        self.service.crates()
    }
}

fn report(answer: Answer) -> BuildReport {
    let Answer { report, reasons, notes, explanations, .. } = answer;
    BuildReport {
        verdict: report.verdict,
        diagnostics: report.diagnostics,
        tests: report.tests,
        stdout: report.stdout,
        stderr: report.stderr,
        notes: reasons.into_iter().chain(notes).collect(),
        explanations,
        total_ms: report.timings.total_ms,
    }
}

fn error(refusal: Refusal) -> BuildError {
    let message = refusal.to_string();
    match refusal {
        Refusal::Full(_) | Refusal::TooManyJobs { .. } => {
            BuildError::Overloaded { message, retry_after: RETRY_AFTER }
        }
        Refusal::TooSlow(_) | Refusal::Sandbox(_) => BuildError::Failed(message),
        Refusal::Ending => BuildError::Unavailable(message),
    }
}
