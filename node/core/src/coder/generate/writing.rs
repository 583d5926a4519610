//! The model's part: rounds of drafts, and tests.

use std::pin::Pin;
use std::time::Duration;

use gaia_protocol::ChatTask;

use super::ask::{Answer, Question, ask};
use super::draft::{Draft, draft};
use super::judge::unfinished;
use super::plan::Plan;
use super::prompt;
use super::read::read;
use super::spec::Generate;
use crate::build::{BuildError, BuildJob, BuildReport, Command, Files, TestStatus, Verdict};
use crate::coder::clock::all_before;
use crate::coder::{Budget, Coder, CoderError, Progress, Repaired, Spent, Stage, Tell};
use crate::knowledge::Citation;
use crate::{ModelStatus, ServeError};

/// Rounds of drafts at most: a model that writes nothing of use twice does not a third time.
const ROUNDS_MAX: u32 = 3;

/// The share of the time after which no draft is written any more, and no tests; the rest is for mending.
const DRAFT_SHARE: f64 = 0.6;
const TESTS_SHARE: f64 = 0.85;

/// Bytes of a prompt that are a token at least, for a guess at what is left of a context.
const BYTES_PER_TOKEN: usize = 3;

/// One project on its way.
pub(super) struct Writing<'a> {
    pub coder: &'a Coder,
    pub tell: Tell<'a>,
    pub request: &'a Generate,
    pub model: String,
    /// Whether the model was shown what the knowledge base has.
    pub shown_examples: bool,
    plan: &'a Plan,
    begun: Duration,
    spent: Spent,
    rounds: u32,
    /// The draft that was gone on with is not all that the model had to say.
    is_cut: bool,
    /// What was wrong with the last answers, for the model and the reader.
    told: Vec<String>,
    /// A draft with open ends, which is better than none.
    spare: Option<Draft>,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(
        (coder, tell): (&'a Coder, Tell<'a>),
        (request, plan): (&'a Generate, &'a Plan),
        model: String,
    ) -> Self {
        let (begun, spent) = (coder.clock.now(), Spent::default());
        let (shown_examples, rounds, is_cut, told, spare) = (false, 0, false, vec![], None);
        Self {
            coder,
            tell,
            request,
            model,
            shown_examples,
            plan,
            begun,
            spent,
            rounds,
            is_cut,
            told,
            spare,
        }
    }

    /// The best project that the model drafts; none if it writes nothing of use.
    pub(super) async fn draft(
        &mut self,
        examples: &[Citation],
    ) -> Result<Option<Files>, CoderError> {
        let rounds = self.rounds_max();
        while self.rounds < rounds && !self.is_over() {
            let last = self.rounds + 1 == rounds;
            let drafts = match self.round(examples).await {
                Ok(drafts) => drafts,
                // Nothing was said in time, or there is no room beside what was asked first.
                Err(_) if self.rounds > 1 => break,
                Err(ServeError::TimeLimit) => break,
                Err(error) => return Err(error.into()),
            };
            if let Some(files) = self.best(drafts, last).await? {
                return Ok(Some(files));
            }
        }
        let spare = self.spare.take();
        self.is_cut |= spare.as_ref().is_some_and(|draft| draft.is_cut);
        Ok(spare.map(|draft| draft.project(self.plan)))
    }

    async fn round(&mut self, examples: &[Citation]) -> Result<Vec<Draft>, ServeError> {
        self.rounds += 1;
        (self.tell)(Progress::Writing { round: self.rounds });
        let told = self.told.last().cloned();
        // An answer that was no good with examples may have been misled by them.
        let examples = if self.rounds == 1 { examples } else { &[] };
        self.shown_examples |= !examples.is_empty();
        let task = prompt::project((self.request, self.plan), examples, told.as_deref());
        let count = self.request.budget.candidates.max(1);
        let answers = self.ask(task, (count, DRAFT_SHARE)).await?;
        if answers.is_empty() {
            self.told.push("There was nothing in your answer.".to_owned());
        }
        let mut drafts: Vec<Draft> = vec![];
        for Answer { text, is_cut } in answers {
            match draft(self.plan, &text).map(|draft| Draft { is_cut, ..draft }) {
                Ok(draft) if !drafts.contains(&draft) => drafts.push(draft),
                Ok(_) => {}
                Err(reason) => self.told.push(reason),
            }
        }
        Ok(self.finished(drafts))
    }

    /// Drafts without placeholders, if there are any. If there is none, the model hears what is missing,
    /// as long as it may be asked again.
    fn finished(&mut self, drafts: Vec<Draft>) -> Vec<Draft> {
        let plan = self.plan;
        let lacks = |draft: &Draft| unfinished(plan, &draft.code);
        let (whole, open): (Vec<_>, Vec<_>) =
            drafts.into_iter().partition(|draft| lacks(draft).is_empty());
        let Some(first) = open.first().filter(|_| whole.is_empty()) else { return whole };
        if self.rounds >= self.rounds_max() {
            return open;
        }
        self.told.push(format!("It lacks {}: write everything.", lacks(first).join("; ")));
        self.spare.get_or_insert_with(|| first.clone());
        vec![]
    }

    fn rounds_max(&self) -> u32 {
        ROUNDS_MAX.min(self.request.budget.attempts.max(1))
    }

    async fn ask(
        &mut self,
        mut task: ChatTask,
        (count, share): (u32, f64),
    ) -> Result<Vec<Answer>, ServeError> {
        let tokens = self.tokens(&task) / count;
        task.max_tokens = Some(tokens.max(1));
        let model = self.model.clone();
        let deadline = self.begun + self.request.budget.time.mul_f64(share);
        let said = ask(self.coder, Question { model, task, count, deadline }).await?;
        self.spent.prompt_tokens += said.prompt_tokens;
        self.spent.completion_tokens += said.completion_tokens;
        Ok(said.answers)
    }

    /// Tokens that all answers to a question may have: half of the budget that is left, so that
    /// something can be mended, and what the context has room for.
    fn tokens(&self, task: &ChatTask) -> u32 {
        let half = self.left().tokens / 2;
        let models = &self.coder.node.models;
        let status = models.find(&self.model).map(|model| model.status());
        let Ok(ModelStatus::Ready(card)) = status else { return half };
        let bytes: usize = task.messages.iter().map(|message| message.content.len()).sum();
        let prompt = u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
        let room = card.context_tokens.saturating_sub(prompt);
        half.min(room.max(256).saturating_mul(self.request.budget.candidates.max(1)))
    }

    /// Compiles drafts side by side. Where the sandbox refuses all for their crates, these are taken in
    /// other versions; then the model hears it, or, after the last round, they go on without.
    async fn best(&mut self, drafts: Vec<Draft>, last: bool) -> Result<Option<Files>, CoderError> {
        let projects = drafts.iter().map(|draft| draft.project(self.plan)).collect();
        let reports = self.compile(projects).await?;
        let mut known: Vec<_> = drafts.into_iter().zip(reports).collect();
        let tested = self.request.tests;
        known.sort_by_key(|(draft, report)| (badness(report.as_ref(), tested), draft.is_cut));
        let Some((draft, report)) = known.into_iter().next() else { return Ok(None) };
        self.is_cut = draft.is_cut;
        let Some(refusals) = refusals_of(report.as_ref()) else {
            return Ok(Some(draft.project(self.plan)));
        };
        let corrected = draft.clone().corrected(&refusals, &self.coder.builder.crates());
        let project = corrected.project(self.plan);
        if corrected != draft {
            let again = self.compile(vec![project.clone()]).await?.pop().flatten();
            if again.is_some() && refusals_of(again.as_ref()).is_none() {
                return Ok(Some(project));
            }
        }
        self.told.push(format!("It was refused: {}", refusals.join("; ")));
        let without = corrected.without_refused(&refusals).project(self.plan);
        Ok(last.then_some(without))
    }

    async fn compile(
        &mut self,
        projects: Vec<Files>,
    ) -> Result<Vec<Option<BuildReport>>, CoderError> {
        if projects.is_empty() {
            return Ok(vec![]);
        }
        (self.tell)(Progress::Compiling { stage: Stage::Model });
        self.spent.builds += u32::try_from(projects.len()).unwrap_or(u32::MAX);
        let coder = self.coder;
        let command = if self.request.tests { Command::Test } else { Command::Check };
        let build = |files: Files| -> Pin<Box<dyn Future<Output = _> + Send + '_>> {
            coder.builder.run(BuildJob { files, command, stdin: String::new(), explain: false })
        };
        let works = projects.into_iter().map(build).collect();
        let deadline = self.begun + self.request.budget.time;
        let done = all_before(coder.clock.until(deadline), works).await;
        let mut reports = vec![];
        for report in done {
            reports.push(match report {
                // Nobody will compile anything here.
                Some(Err(error @ BuildError::Unavailable(_))) => return Err(error.into()),
                Some(Ok(report)) => Some(report),
                Some(Err(_)) | None => None,
            });
        }
        Ok(reports)
    }

    /// The project with tests by the model, the best of several.
    pub(super) async fn tests(&mut self, files: &Files) -> Option<Files> {
        if self.is_over() {
            return None;
        }
        self.rounds += 1;
        (self.tell)(Progress::Writing { round: self.rounds });
        let place = match self.plan.needed() {
            [_, library] => library,
            _ => self.plan.main(),
        };
        let task = prompt::tests((self.plan, files), place);
        let count = self.request.budget.candidates.max(1);
        let answers = self.ask(task, (count, TESTS_SHARE)).await.ok()?;
        let mut tested: Vec<Files> = vec![];
        for answer in answers {
            let with = with_tests(files, place, &answer.text);
            tested.extend(with.filter(|project| !tested.contains(project)));
        }
        let reports = self.compile(tested.clone()).await.ok()?;
        let known = tested.into_iter().zip(reports);
        known.min_by_key(|(_, report)| badness(report.as_ref(), true)).map(|(project, _)| project)
    }

    pub(super) fn left(&self) -> Budget {
        let budget = self.request.budget;
        let gone = self.coder.clock.now().saturating_sub(self.begun);
        let written = u32::try_from(self.spent.completion_tokens).unwrap_or(u32::MAX);
        Budget {
            attempts: budget.attempts.saturating_sub(self.rounds),
            tokens: budget.tokens.saturating_sub(written),
            time: budget.time.saturating_sub(gone),
            ..budget
        }
    }

    fn is_over(&self) -> bool {
        let left = self.left();
        left.time.is_zero() || left.tokens == 0
    }

    /// The answer where nothing of use was written.
    pub(super) fn nothing(&self) -> Repaired {
        let reason = self.told.last().map_or("it said nothing in time", String::as_str);
        let message = format!("The model wrote no project in {} rounds: {reason}", self.rounds);
        self.ended(message, Files::new(), Verdict::Refused)
    }

    /// The answer where there was no time to compile what was written.
    pub(super) fn unfinished(&self, files: Files) -> Repaired {
        let message = "The time was over before what the model wrote could be compiled.".to_owned();
        self.ended(message, files, Verdict::Timeout)
    }

    fn ended(&self, message: String, files: Files, verdict: Verdict) -> Repaired {
        let report = BuildReport {
            verdict,
            diagnostics: vec![],
            tests: vec![],
            stdout: String::new(),
            stderr: String::new(),
            notes: self.told.clone(),
            explanations: [].into(),
            total_ms: 0,
        };
        Repaired {
            success: false,
            message,
            files,
            diff: String::new(),
            attempts: vec![],
            report,
            spent: Spent::default(),
            by: None,
            model: Some(self.model.clone()),
        }
    }

    /// Adds what writing took, and takes off what there is no change against.
    pub(super) fn account(&self, outcome: &mut Repaired) {
        let gone = self.coder.clock.now().saturating_sub(self.begun);
        let spent = &mut outcome.spent;
        spent.builds = spent.builds.saturating_add(self.spent.builds);
        spent.prompt_tokens += self.spent.prompt_tokens;
        spent.completion_tokens += self.spent.completion_tokens;
        spent.total_ms = u64::try_from(gone.as_millis()).unwrap_or(u64::MAX);
        outcome.diff = String::new();
        outcome.model = Some(self.model.clone());
        if self.is_cut {
            outcome.message += " The model had not finished writing when its time or its tokens were \
                                over: parts may be missing.";
        }
        if outcome.success {
            outcome.by = Some(Stage::Model);
        }
    }
}

/// Drafts in the order of what is to be mended; what was not compiled comes last but for refusals.
/// `tested`: a draft without tests is not done.
fn badness(report: Option<&BuildReport>, tested: bool) -> (u8, usize, usize) {
    let Some(report) = report else { return (4, 0, 0) };
    let count = |status| report.tests.iter().filter(|test| test.status == status).count();
    let class = match report.verdict {
        Verdict::Ok if !tested || count(TestStatus::Passed) > 0 => 0,
        Verdict::TestFailure => 1,
        Verdict::Ok => 2,
        Verdict::Refused => 5,
        _ => 3,
    };
    (class, report.errors().count(), count(TestStatus::Failed))
}

/// Why a project was refused, if it was.
fn refusals_of(report: Option<&BuildReport>) -> Option<Vec<String>> {
    let refused = report.filter(|report| report.verdict == Verdict::Refused);
    refused.map(|report| report.notes.clone())
}

/// A project with the first module of tests of an answer, or with its program anew.
fn with_tests(files: &Files, place: &str, answer: &str) -> Option<Files> {
    let mut written = read(answer).into_iter().map(|file| file.text);
    let text = written.find(|text| text.contains("#[test]"))?;
    let mut tested = files.clone();
    let code = tested.get_mut(place)?;
    if text.contains("fn main(") && place.ends_with("main.rs") {
        *code = text;
    } else {
        code.push('\n');
        code.push_str(&module(&text));
    }
    Some(tested)
}

/// A module of tests as it can stand at the end of a file.
fn module(text: &str) -> String {
    match text.find("#[cfg(test)]") {
        Some(start) => text[start..].to_owned(),
        None if text.contains("mod tests") => format!("#[cfg(test)]\n{text}"),
        None => format!("#[cfg(test)]\nmod tests {{\n    use super::*;\n\n{text}\n}}\n"),
    }
}
