//! What became of a job.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Builder;
use super::compile::{Compiled, count};
use super::execute::Executed;
use super::job::{Job, Task};
use crate::jail::{self, Outcome};
use crate::report::{
    Detail, Diagnostic, Ending, ErrorCode, Facts, Report, Stage, Verdict, explain, judge,
};

/// Explanations at most: each is some kilobytes.
const EXPLANATIONS_MAX: usize = 5;

/// The answer to a job.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// How it went, and what the compiler, the tests and the program said.
    #[serde(flatten)]
    pub report: Report,
    /// Why it was not begun, or not ended: everything at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What it ran into on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The compiler's own explanations of its errors, by their numbers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub explanations: BTreeMap<String, String>,
    /// Sources that `fmt` has changed, as they are now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Time on cores.
    pub cpu_ms: u64,
    /// The most memory in use at once, with the job's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
    /// Programs, where they were asked for.
    #[serde(skip)]
    pub programs: Vec<Program>,
    /// rustdoc's JSON, where it was asked for.
    #[serde(skip)]
    pub documents: Vec<Program>,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path below cargo's folder of results.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The answer to a job that is not done.
    pub fn refused(detail: Detail, reasons: Vec<String>) -> Self {
        let report = Report::new(Verdict::Refused, detail, Facts::default());
        Self {
            report,
            reasons,
            notes: vec![],
            explanations: BTreeMap::new(),
            files: BTreeMap::new(),
            cpu_ms: 0,
            memory_peak_bytes: None,
            programs: vec![],
            documents: vec![],
        }
    }
}

impl Answer {
    /// What was spent outside cargo and the program was spent on the sandbox.
    pub(super) fn take_time(&mut self, total: Duration) {
        let timings = &mut self.report.timings;
        timings.total_ms = u64::try_from(total.as_millis()).unwrap_or(u64::MAX);
        timings.prepare_ms = timings.total_ms.saturating_sub(timings.cargo_ms + timings.run_ms);
    }
}

/// Puts the answer together from what cargo and the program have left.
pub fn answer(
    builder: &Builder,
    job: &Job,
    (mut compiled, executed): (Compiled, Option<Executed>),
) -> Answer {
    let mut verdict =
        judge(ending(&compiled.ending), stage(job.task), compiled.facts.messages.built);
    let mut reasons = vec![];
    if let Some(mut executed) = executed {
        verdict = judge(executed.ending, Stage::Execute, None);
        reasons = std::mem::take(&mut executed.reasons);
        take_program(&mut compiled, executed);
    }
    let explanations = match job.explain {
        true => explanations(builder, &compiled.facts.messages.diagnostics),
        false => BTreeMap::new(),
    };
    let (programs, documents) = match job.task {
        Task::Doc => (vec![], compiled.programs),
        _ if job.programs => (compiled.programs, vec![]),
        _ => (vec![], vec![]),
    };
    Answer {
        report: Report::new(verdict, job.detail, compiled.facts),
        reasons,
        notes: compiled.notes,
        explanations,
        files: compiled.formatted,
        cpu_ms: compiled.cpu_ms,
        memory_peak_bytes: compiled.memory_peak_bytes,
        programs,
        documents,
    }
}

/// What the program printed takes the place of what cargo did.
fn take_program(compiled: &mut Compiled, Executed { outcome, ending, notes, .. }: Executed) {
    compiled.notes.extend(notes);
    let facts = &mut compiled.facts;
    facts.messages.cut.output_bytes += count(outcome.stdout.cut_bytes + outcome.stderr.cut_bytes);
    facts.stdout = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    facts.stderr = String::from_utf8_lossy(&outcome.stderr.bytes).into_owned();
    facts.timings.run_ms = outcome.wall_ms;
    if let Ending::Exited(code) = ending {
        facts.exit_code = Some(code);
    }
    compiled.cpu_ms += outcome.cpu_ms;
    compiled.memory_peak_bytes = compiled.memory_peak_bytes.max(outcome.memory_peak_bytes);
}

fn stage(task: Task) -> Stage {
    match task {
        Task::Test => Stage::Test,
        _ => Stage::Compile,
    }
}

/// As the verdict wants it.
pub fn ending(ending: &jail::Ending) -> Ending {
    match ending {
        jail::Ending::Exited(code) => Ending::Exited(*code),
        jail::Ending::Signalled(signal) => Ending::Signalled(*signal),
        jail::Ending::TimedOut | jail::Ending::Silent => Ending::Timeout,
        jail::Ending::OutOfMemory => Ending::OutOfMemory,
        jail::Ending::OutputLimit => Ending::OutputLimit,
        jail::Ending::Cancelled => Ending::Cancelled,
        jail::Ending::NotStarted(_) => Ending::Refused,
    }
}

/// What a job ran into, in words.
pub fn notes(outcome: &Outcome, who: &str) -> Vec<String> {
    let mut notes = vec![];
    match &outcome.ending {
        jail::Ending::Silent => notes.push(format!(
            "{who} was ended because it printed nothing and did nothing for too long"
        )),
        jail::Ending::Signalled(signal) => {
            notes.push(format!("{who} was ended by signal {signal}"))
        }
        jail::Ending::NotStarted(why) => notes.push(format!("{who} could not be started: {why}")),
        _ => {}
    }
    if outcome.notes.process_limit_hits > 0 {
        notes.push(format!("{who} wanted more processes or threads than a job may have"));
    }
    if outcome.notes.disk_full {
        notes.push(format!("{who} has filled the job's disk"));
    }
    if outcome.notes.oom_kills > 0 && outcome.ending != jail::Ending::OutOfMemory {
        notes.push(format!("{who} lost a process for lack of memory"));
    }
    notes
}

fn explanations(builder: &Builder, diagnostics: &[Diagnostic]) -> BTreeMap<String, String> {
    let rustc = builder.toolchain.rustc();
    let mut found = BTreeMap::new();
    for code in diagnostics.iter().filter_map(|diagnostic| diagnostic.code.as_deref()) {
        if found.len() >= EXPLANATIONS_MAX {
            break;
        }
        // Lints have no number, and no explanation.
        let Ok(code) = ErrorCode::parse(code) else { continue };
        if let Ok(text) = explain(&rustc, &code) {
            found.insert(code.as_str().to_owned(), text);
        }
    }
    found
}
