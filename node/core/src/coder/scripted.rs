//! A compiler for tests that says what it was told to say.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Coder, Edits};
use crate::build::{
    BuildError, BuildJob, BuildReply, BuildReport, Command, Diagnostic, ExplainReply, Level,
    TestResult, TestStatus, Verdict,
};
use crate::fakes::{error_at, report_of};
use crate::{Builder, Node};

/// Answers each job with the next report, and panics where none is left.
pub struct Scripted {
    reports: Mutex<VecDeque<Result<BuildReport, BuildError>>>,
    jobs: Mutex<Vec<BuildJob>>,
}

impl Scripted {
    pub fn new(reports: Vec<Result<BuildReport, BuildError>>) -> Arc<Self> {
        Arc::new(Self { reports: Mutex::new(reports.into()), jobs: Mutex::default() })
    }

    /// What was asked for.
    pub fn commands(&self) -> Vec<Command> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().map(|job| job.command).collect()
    }
}

impl Builder for Scripted {
    fn run(&self, job: BuildJob) -> BuildReply<'_> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job);
        let next = self.reports.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Box::pin(ready(next.expect("a report for each job")))
    }

    fn explain<'a>(&'a self, code: &'a str) -> ExplainReply<'a> {
        assert_eq!(code.len(), 5, "only numbers of errors are asked for");
        let known = (code == "E0502").then(|| "It is borrowed already.".to_owned());
        Box::pin(ready(Ok(known)))
    }
}

/// A coder without a memory and without a model of its own.
pub fn coder(node: Node, builder: Arc<Scripted>) -> Coder {
    let clock = Arc::new(crate::fakes::FakeClock::default());
    Coder { node, builder, memory: None, clock, model: None, edits: Edits::Auto }
}

pub fn report(verdict: Verdict) -> BuildReport {
    BuildReport { verdict, ..report_of(vec![]) }
}

pub fn finding(level: Level, code: &str) -> Diagnostic {
    let message = format!("{code} happened");
    let rendered = format!("error[{code}]: {message}\n");
    Diagnostic { level, rendered, ..error_at(code, &message, ("src/main.rs", 2)) }
}

pub fn test(name: &str, status: TestStatus) -> TestResult {
    TestResult { suite: 0, name: name.into(), status, reason: None, output: None }
}
