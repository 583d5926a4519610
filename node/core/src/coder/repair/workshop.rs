//! Where candidates are compiled and compared, within the budget.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::time::Duration;

use super::guard::{Complaints, objection};
use super::state::{Measure, State, Step, step};
use crate::ServeError;
use crate::build::{BuildError, BuildJob, BuildReport, Command, Files, Verdict};
use crate::coder::clock::{all_before, before, breathe};
use crate::coder::{Attempt, Coder, CoderError, Goal, Progress, Repair, Spent, Stage, Tell};

/// Candidates that are compiled at once; more would keep other users' jobs waiting.
const SIDE_BY_SIDE_MAX: usize = 4;
/// Builds of one repair at most, whatever its other limits.
const BUILDS_MAX: u32 = 96;
/// A report of so many tests may not list them all.
const TESTS_LISTED_MAX: usize = 5000;
/// Bytes of an attempt's output.
const OUTPUT_BYTES_MAX: usize = 400;

/// A changed project that may be better.
pub(super) struct Candidate {
    pub(super) files: Files,
    pub(super) stage: Stage,
    /// What was changed, in a sentence.
    pub(super) reason: String,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is the state of this number now.
    Kept(usize),
    /// It is no better; how many errors it had.
    Worse(usize),
    /// It was not compiled, for this reason.
    Refused(String),
    /// It is what was compiled before.
    Known,
    /// The time or the builds were over.
    Late,
}

/// One repair under way.
pub(super) struct Workshop<'a> {
    pub(super) coder: &'a Coder,
    pub(super) request: &'a Repair,
    pub(super) tell: Tell<'a>,
    /// All that was kept, the given one first.
    pub(super) states: Vec<State>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) spent: Spent,
    /// The model that was asked.
    pub(super) model: Option<String>,
    /// What there is to say at the end, beside whether it worked.
    pub(super) remarks: Vec<String>,
    started: Duration,
    deadline: Duration,
    seen: HashSet<u64>,
    /// What was said of the given state, and of it and the one that was gone on from last.
    complaints: BTreeMap<usize, Complaints>,
}

impl<'a> Workshop<'a> {
    /// Compiles the project as it came.
    pub(super) async fn open(
        coder: &'a Coder,
        request: &'a Repair,
        tell: Tell<'a>,
    ) -> Result<Self, CoderError> {
        let started = coder.clock.now();
        let mut shop = Self {
            coder,
            request,
            tell,
            states: vec![],
            attempts: vec![],
            spent: Spent::default(),
            model: None,
            remarks: vec![],
            started,
            deadline: started.saturating_add(request.budget.time),
            seen: HashSet::new(),
            complaints: BTreeMap::new(),
        };
        shop.compile_given().await?;
        Ok(shop)
    }

    async fn compile_given(&mut self) -> Result<(), CoderError> {
        (self.tell)(Progress::Compiling { stage: Stage::Given });
        let files = self.request.files.clone();
        self.seen.insert(hash(&files));
        self.spent.builds += 1;
        let build = self.coder.builder.run(self.job(files.clone()));
        let built = before(self.coder.clock.until(self.deadline), build).await;
        let report = built.ok_or(ServeError::TimeLimit)??;
        if report.verdict == Verdict::Cancelled {
            return Err(BuildError::Unavailable("the job was cancelled".into()).into());
        }
        let measure = Measure::of(&report);
        let stage = Stage::Given;
        let (parent, reason, looked_at, sideways) = (None, String::new(), false, 0);
        let state = State { files, report, measure, stage, parent, reason, looked_at, sideways };
        self.note(Stage::Given, &state.measure, (true, first_words(&state.report)));
        self.states.push(state);
        Ok(())
    }

    fn job(&self, files: Files) -> BuildJob {
        let command = match self.request.goal {
            Goal::Check => Command::Check,
            Goal::Test => Command::Test,
        };
        BuildJob { files, command, stdin: String::new(), explain: true }
    }

    /// Whether there is neither time nor are there builds left.
    pub(super) fn is_over(&self) -> bool {
        self.coder.clock.now() >= self.deadline || self.spent.builds >= BUILDS_MAX
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Something to say at the end, once.
    pub(super) fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Notes what was proposed and not even compiled.
    pub(super) fn refuse(&mut self, from: usize, reason: &str) {
        let measure = self.states[from].measure;
        self.note(Stage::Model, &measure, (false, format!("refused: {reason}")));
    }

    /// The state to go on from: where the compiler gets furthest.
    pub(super) fn furthest(&self) -> usize {
        let distance = |place: &usize| self.states[*place].measure.distance();
        (0..self.states.len()).min_by_key(distance).expect("the given state is there")
    }

    /// The state that reached the goal, if one did.
    pub(super) fn done(&self) -> Option<usize> {
        self.states.iter().position(|state| state.measure.is_done())
    }

    /// The state to answer with: never worse than the given one; among equals the first.
    pub(super) fn best(&self) -> usize {
        let worth = |place: &usize| self.states[*place].measure.worth();
        (0..self.states.len()).min_by_key(worth).expect("the given state is there")
    }

    /// What was changed on the way to a state, the first change first.
    pub(super) fn way(&self, to: usize) -> Vec<usize> {
        let mut way = vec![];
        let mut place = Some(to);
        while let Some(own) = place {
            way.push(own);
            place = self.states[own].parent;
        }
        way.reverse();
        way
    }

    pub(super) fn total_ms(&self) -> u64 {
        let gone = self.coder.clock.now().saturating_sub(self.started);
        u64::try_from(gone.as_millis()).unwrap_or(u64::MAX)
    }

    /// Compiles candidates that change one state, and keeps those that are better than it. Stops
    /// behind the first few among which one reaches the goal.
    pub(super) async fn try_all(&mut self, from: usize, candidates: Vec<Candidate>) -> Vec<Tried> {
        let mut all = vec![];
        let mut rest = candidates.into_iter().peekable();
        while rest.peek().is_some() && self.done().is_none() {
            let some: Vec<_> = rest.by_ref().take(SIDE_BY_SIDE_MAX).collect();
            all.extend(self.try_some(from, some).await);
        }
        all.extend(rest.map(|_| Tried::Late));
        all
    }

    async fn try_some(&mut self, from: usize, candidates: Vec<Candidate>) -> Vec<Tried> {
        let mut tried = vec![];
        for candidate in &candidates {
            // To compare a large project takes a while, in which others wait.
            breathe().await;
            tried.push(self.admit(from, candidate));
        }
        let admitted = tried.iter().filter(|tried| tried.is_none()).count();
        if admitted > 0 {
            let stage = candidates[0].stage;
            (self.tell)(Progress::Compiling { stage });
        }
        let open = candidates.iter().zip(&tried).filter(|(_, tried)| tried.is_none());
        let files: Vec<_> = open.map(|(one, _)| one.files.clone()).collect();
        let mut reports = self.build_all(files).await.into_iter();
        for (tried, candidate) in tried.iter_mut().zip(candidates) {
            if tried.is_none() {
                let report = reports.next().flatten();
                *tried = Some(match report {
                    Some(report) => self.judge(from, candidate, report),
                    None => Tried::Late,
                });
            }
        }
        tried.into_iter().map(|tried| tried.unwrap_or(Tried::Late)).collect()
    }

    /// Whether a candidate is not even compiled.
    fn admit(&mut self, from: usize, candidate: &Candidate) -> Option<Tried> {
        self.hear_complaints(from);
        let complaints = &self.complaints[&from];
        if let Some(reason) = objection(&self.states[0].files, &candidate.files, complaints) {
            if candidate.stage == Stage::Model {
                self.refuse(from, &reason);
            }
            return Some(Tried::Refused(reason));
        }
        (!self.seen.insert(hash(&candidate.files))).then_some(Tried::Known)
    }

    /// Complaints are read once for all candidates of a state.
    fn hear_complaints(&mut self, from: usize) {
        if self.complaints.contains_key(&from) {
            return;
        }
        let given = match self.complaints.remove(&0) {
            Some(given) => given,
            None => Complaints::of(&self.states[0], self.request.drafted),
        };
        self.complaints.clear();
        if from != 0 {
            self.complaints.insert(from, given.clone().and(&self.states[from]));
        }
        self.complaints.insert(0, given);
    }

    async fn build_all(&mut self, files: Vec<Files>) -> Vec<Option<BuildReport>> {
        let left = BUILDS_MAX.saturating_sub(self.spent.builds) as usize;
        let jobs: Vec<_> = files.into_iter().take(left).map(|files| self.job(files)).collect();
        self.spent.builds += u32::try_from(jobs.len()).expect("a few");
        let coder = self.coder;
        let build = |job| -> Pin<Box<dyn Future<Output = _> + Send + '_>> {
            Box::pin(build_patiently(coder, job))
        };
        let works = jobs.into_iter().map(build).collect();
        let done = all_before(coder.clock.until(self.deadline), works).await;
        done.into_iter().map(|report| report.and_then(|report| self.heard(report))).collect()
    }

    /// A builder that fails in the middle of a repair ends it no more than a bad candidate does.
    fn heard(&mut self, built: Result<BuildReport, BuildError>) -> Option<BuildReport> {
        match built {
            Ok(report) => Some(report).filter(|report| report.verdict != Verdict::Cancelled),
            Err(error) => {
                self.remark(format!("Not all was compiled: {error}."));
                None
            }
        }
    }

    fn judge(&mut self, from: usize, candidate: Candidate, report: BuildReport) -> Tried {
        let Candidate { files, stage, reason } = candidate;
        let measure = Measure::of(&report);
        if let Some(name) = self.lost_test(&report).filter(|_| measure.is_done()) {
            self.note(stage, &measure, (false, format!("the test {name} is not run any more")));
            return Tried::Worse(measure.errors);
        }
        let old = &self.states[from];
        let sideways = match step(&old.report, &report) {
            Step::Forward => Some(0),
            Step::Sideways => Some(old.sideways + 1),
            Step::Worse => None,
        };
        let words = match reason.is_empty() {
            true => first_words(&report),
            false => format!("{reason}: {}", first_words(&report)),
        };
        self.note(stage, &measure, (sideways.is_some(), words));
        let Some(sideways) = sideways else { return Tried::Worse(measure.errors) };
        let (parent, looked_at) = (Some(from), false);
        let state = State { files, report, measure, stage, parent, reason, looked_at, sideways };
        self.states.push(state);
        Tried::Kept(self.states.len() - 1)
    }

    /// A test that was run before and is not in this report: whatever the guard has overlooked, code that
    /// is not compiled any more is no repair.
    fn lost_test(&self, report: &BuildReport) -> Option<String> {
        if report.tests.len() >= TESTS_LISTED_MAX {
            return None;
        }
        let now: HashSet<_> = report.tests.iter().map(|test| lasting(&test.name)).collect();
        let mut before = self.states.iter().flat_map(|state| &state.report.tests);
        before.find(|test| !now.contains(lasting(&test.name))).map(|test| test.name.clone())
    }

    fn note(&mut self, stage: Stage, measure: &Measure, what: (bool, String)) {
        let (kept, mut output) = what;
        output.truncate(output.floor_char_boundary(OUTPUT_BYTES_MAX));
        let attempt = Attempt {
            attempt: u32::try_from(self.attempts.len() + 1).unwrap_or(u32::MAX),
            stage,
            success: kept && measure.is_done(),
            kept,
            errors: measure.errors,
            tests_failed: measure.tests_failed,
            output,
        };
        self.attempts.push(attempt.clone());
        (self.tell)(Progress::Tried(attempt));
    }
}

/// A full line of jobs is asked again; the deadline ends this.
async fn build_patiently(coder: &Coder, job: BuildJob) -> Result<BuildReport, BuildError> {
    loop {
        match coder.builder.run(job.clone()).await {
            Err(BuildError::Overloaded { retry_after, .. }) => {
                let pause = retry_after.max(Duration::from_millis(100));
                coder.clock.until(coder.clock.now().saturating_add(pause)).await;
            }
            other => return other,
        }
    }
}

/// A test's name without the line of a test in documentation, which moves.
fn lasting(name: &str) -> &str {
    name.split_once(" (line ").map_or(name, |(name, _)| name)
}

/// What a report says first.
pub(super) fn first_words(report: &BuildReport) -> String {
    if report.verdict == Verdict::Ok {
        return "it does what it should".to_owned();
    }
    if let Some(error) = report.errors().next() {
        let place = error.primary().map(|span| format!("{}:{}: ", span.file, span.line_start));
        let code = error.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
        return format!("{}error{code}: {}", place.unwrap_or_default(), error.message);
    }
    let bad = report.tests.iter().find(|test| {
        use crate::build::TestStatus::{Failed, Unfinished};
        matches!(test.status, Failed | Unfinished)
    });
    if let Some(test) = bad {
        return format!("the test {} fails", test.name);
    }
    let said = report.notes.iter().map(String::as_str).chain(report.stderr.lines());
    let first = said.map(str::trim).find(|line| !line.is_empty());
    first.unwrap_or("it fails and says nothing").to_owned()
}

fn hash(files: &Files) -> u64 {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}
