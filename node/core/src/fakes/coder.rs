//! A compiler, a memory and a clock for the coder's use cases.

use std::collections::VecDeque;
use std::future::{Ready, pending, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ServeError;
use crate::build::{
    BuildError, BuildJob, BuildReply, BuildReport, Builder, Crates, Diagnostic, ExplainReply,
    Level, Offer, Origin, Span, Verdict,
};
use crate::coder::{Clock, Fix, Memory, MemoryReply, Moment, Symptom};

type Judge = dyn Fn(&BuildJob) -> Option<Result<BuildReport, BuildError>> + Send + Sync;

/// A compiler that says what it was told to say of a project.
///
/// # Panics
/// When it is given no files, or a path that leaves the project, or asked to explain what is no number of
/// an error.
pub struct FakeBuilder {
    judge: Box<Judge>,
    jobs: Mutex<Vec<BuildJob>>,
    crates: Arc<Crates>,
}

impl FakeBuilder {
    /// Compiles by this judgement; where it has none, the job never ends.
    pub fn new(
        judge: impl Fn(&BuildJob) -> Option<Result<BuildReport, BuildError>> + Send + Sync + 'static,
    ) -> Self {
        Self { judge: Box::new(judge), jobs: Mutex::default(), crates: Arc::default() }
    }

    /// Finds an error wherever one of the texts stands in one of the files.
    #[must_use]
    pub fn finding(errors: Vec<(&'static str, Diagnostic)>) -> Self {
        Self::new(move |job| {
            let is_there = |text: &str| job.files.values().any(|file| file.contains(text));
            let found = errors.iter().filter(|(text, _)| is_there(text));
            Some(Ok(report_of(found.map(|(_, error)| error.clone()).collect())))
        })
    }

    /// The same with crates that projects may depend on, by names and requirements.
    #[must_use]
    pub fn offering(self, crates: &[(&str, &[&str])]) -> Self {
        Self { crates: Arc::new(crates_of(crates)), ..self }
    }

    /// Answers each job with the next of these, and panics where none is left.
    #[must_use]
    pub fn saying(reports: Vec<Result<BuildReport, BuildError>>) -> Self {
        let reports = Mutex::new(VecDeque::from(reports));
        Self::new(move |_| {
            let next = reports.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            Some(next.expect("a report for each job"))
        })
    }

    /// The jobs it was given.
    #[must_use]
    pub fn jobs(&self) -> Vec<BuildJob> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Builder for FakeBuilder {
    fn run(&self, job: BuildJob) -> BuildReply<'_> {
        assert!(!job.files.is_empty(), "a job without files");
        let leaves = |path: &String| path.starts_with('/') || path.contains("..");
        assert!(!job.files.keys().any(leaves), "a path that leaves the project");
        let judged = (self.judge)(&job);
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job);
        match judged {
            Some(judged) => Box::pin(ready(judged)),
            None => Box::pin(pending()),
        }
    }

    fn crates(&self) -> Arc<Crates> {
        Arc::clone(&self.crates)
    }

    /// It knows E0502.
    fn explain<'a>(&'a self, code: &'a str) -> ExplainReply<'a> {
        assert_eq!(code.len(), 5, "only numbers of errors are asked for");
        let known = (code == "E0502").then(|| "It is borrowed already.".to_owned());
        Box::pin(ready(Ok(known)))
    }
}

/// Crates by names and requirements, the one to prefer last.
#[must_use]
pub fn crates_of(crates: &[(&str, &[&str])]) -> Crates {
    let offer = |(name, requirements): &(&str, &[&str])| {
        let requirements = requirements.iter().map(|text| (*text).to_owned()).collect();
        Some(((*name).to_owned(), Offer::of(requirements)?))
    };
    crates.iter().filter_map(offer).collect()
}

/// The report of a project with these errors; without any, it does what it should.
#[must_use]
pub fn report_of(errors: Vec<Diagnostic>) -> BuildReport {
    let verdict = if errors.is_empty() { Verdict::Ok } else { Verdict::CompileError };
    BuildReport {
        verdict,
        diagnostics: errors,
        tests: vec![],
        stdout: String::new(),
        stderr: String::new(),
        notes: vec![],
        explanations: std::collections::BTreeMap::new(),
        total_ms: 1,
    }
}

/// An error in a line of a file.
#[must_use]
pub fn error_at(code: &str, message: &str, place: (&str, u32)) -> Diagnostic {
    let (file, line) = place;
    let span = Span {
        file: file.to_owned(),
        origin: Origin::Project,
        line_start: line,
        line_end: line,
        column_start: 1,
        column_end: 2,
        primary: true,
        label: None,
        macro_name: None,
    };
    Diagnostic {
        level: Level::Error,
        code: Some(code.to_owned()).filter(|code| !code.is_empty()),
        message: message.to_owned(),
        origin: Origin::Project,
        package: "project".into(),
        target: "project".into(),
        spans: vec![span],
        children: vec![],
        suggestions: vec![],
        rendered: format!("error: {message}\n --> {file}:{line}"),
    }
}

/// A memory of a few fixes, the same for every symptom of their code.
///
/// # Panics
/// When a fix is judged that it never gave, or one is to be kept that changes nothing.
#[derive(Default)]
pub struct FakeMemory {
    fixes: Vec<Fix>,
    kept: Mutex<Vec<Fix>>,
    judged: Mutex<Vec<(String, bool)>>,
}

impl FakeMemory {
    /// One that holds these.
    #[must_use]
    pub fn holding(fixes: Vec<Fix>) -> Self {
        Self { fixes, ..Self::default() }
    }

    /// What it was told to remember.
    #[must_use]
    pub fn kept(&self) -> Vec<Fix> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it was told of its fixes: their ids, and whether they helped.
    #[must_use]
    pub fn judged(&self) -> Vec<(String, bool)> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn at_once<'a, T: Send + 'a>(value: T) -> MemoryReply<'a, T> {
    let reply: Ready<Result<T, ServeError>> = ready(Ok(value));
    Box::pin(reply)
}

impl Memory for FakeMemory {
    fn similar(&self, symptom: Symptom, limit: usize) -> MemoryReply<'_, Vec<Fix>> {
        let same = self.fixes.iter().filter(|fix| fix.code == symptom.code);
        at_once(same.take(limit).cloned().collect())
    }

    fn remember(&self, fix: Fix) -> MemoryReply<'_, ()> {
        assert_ne!(fix.before, fix.after, "a fix that changes nothing");
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(fix);
        at_once(())
    }

    fn judge(&self, id: &str, helped: bool) -> MemoryReply<'_, ()> {
        assert!(self.fixes.iter().any(|fix| fix.id == id), "a fix that was never given");
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        judged.push((id.to_owned(), helped));
        at_once(())
    }
}

/// A clock whose time passes only when somebody waits for it.
#[derive(Default)]
pub struct FakeClock {
    now: Mutex<Duration>,
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until(&self, moment: Duration) -> Moment<'_> {
        Box::pin(async move {
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = moment.max(*now);
        })
    }
}
