//! A state of the project and how far it is from what is wanted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::build::{BuildReport, Diagnostic, Files, TestStatus, Verdict};
use crate::coder::Stage;

/// A later phase of the compiler may tell so many errors more than the earlier one did: rustc does
/// not look for errors of types while names are missing.
const SURPLUS_MAX: usize = 12;

/// What the compiler was doing when it gave up. It does the next only when this one is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// cargo read manifests, or the sandbox refused the project.
    Manifest,
    /// It read texts.
    Syntax,
    /// It looked for what names mean.
    Names,
    /// It looked at types.
    Types,
    /// It looked at moves and borrows.
    Borrows,
    /// Lints, constants, linking.
    Late,
    /// It compiles, and tests fail.
    Tests,
    /// Everything is as it should be.
    Done,
}

/// How far a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) phase: Phase,
    /// Errors of the compiler.
    pub(super) errors: usize,
    pub(super) tests_failed: usize,
    tests_passed: usize,
    /// The compiler was ended before it had said all: less was said than there is to say.
    is_partial: bool,
}

/// A state that was compiled and kept.
pub(super) struct State {
    pub(super) files: Files,
    pub(super) report: BuildReport,
    pub(super) measure: Measure,
    /// Whose change led here.
    pub(super) stage: Stage,
    /// The state that was changed; none for the given one.
    pub(super) parent: Option<usize>,
    /// What was changed, in a sentence.
    pub(super) reason: String,
    /// Whether its proposals were tried.
    pub(super) looked_at: bool,
    /// How many steps in a row were no gain.
    pub(super) sideways: u32,
}

/// What a step from one state to another is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Worse,
    /// As many errors as before, but others.
    Sideways,
    /// The compiler got further, or has less to say.
    Forward,
}

impl Measure {
    pub(super) fn of(report: &BuildReport) -> Self {
        let count = |wanted: &[TestStatus]| {
            report.tests.iter().filter(|test| wanted.contains(&test.status)).count()
        };
        let tests_failed = count(&[TestStatus::Failed, TestStatus::Unfinished]);
        let tests_passed = count(&[TestStatus::Passed]);
        let errors = report.errors().count();
        let first = report.errors().map(phase_of).min();
        let (phase, errors, tests_failed) = match (report.verdict, first) {
            (Verdict::Ok, _) => (Phase::Done, 0, 0),
            (Verdict::TestFailure | Verdict::RuntimeFailure, _) => {
                (Phase::Tests, 0, tests_failed.max(1))
            }
            (Verdict::Refused, _) => (Phase::Manifest, report.notes.len().max(1), 0),
            (_, Some(phase)) => (phase, errors, 0),
            (Verdict::CompileError, None) => (Phase::Manifest, 1, 0),
            (_, None) if was_running(report) => (Phase::Tests, 0, tests_failed.max(1)),
            (_, None) => (Phase::Late, 1, 0),
        };
        let is_partial = was_cut_off(report);
        Self { phase, errors, tests_failed, tests_passed, is_partial }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn compiles(&self) -> bool {
        self.phase >= Phase::Tests
    }

    /// Which of two answers a user would rather have; the smaller one. Nobody wants more errors,
    /// however far the compiler got, or a project of which it is not known how many there are.
    pub(super) fn worth(&self) -> (bool, u8, usize, Reverse<Phase>) {
        let (kind, count) = match self.phase {
            Phase::Done => (0, 0),
            Phase::Tests => (1, self.tests_failed),
            Phase::Manifest => (3, self.errors),
            _ => (2, self.errors),
        };
        (self.is_partial, kind, count, Reverse(self.phase))
    }

    /// Which state to go on from; the smaller one.
    pub(super) fn distance(&self) -> (bool, Reverse<Phase>, usize, usize) {
        (self.is_partial, Reverse(self.phase), self.errors, self.tests_failed)
    }
}

/// A job that was ended for its time or memory while tests ran did compile.
fn was_running(report: &BuildReport) -> bool {
    !report.tests.is_empty() || report.stdout.contains("running ")
}

/// A compiler that was ended for its time, memory or output has told as many errors as it happened to.
fn was_cut_off(report: &BuildReport) -> bool {
    let was_ended = matches!(
        report.verdict,
        Verdict::Timeout | Verdict::OutOfMemory | Verdict::OutputLimit | Verdict::Cancelled
    );
    was_ended && !was_running(report)
}

/// What the step from one report to the next is worth.
pub(super) fn step(old: &BuildReport, new: &BuildReport) -> Step {
    let (was, is) = (Measure::of(old), Measure::of(new));
    if is.is_partial {
        return Step::Worse;
    }
    if is.compiles() || was.compiles() {
        return tests_step(&was, &is);
    }
    let change = Change::between(old, new);
    let further = is.phase > was.phase || (change.kept == 0 && change.is_elsewhere(old, new));
    match () {
        () if is.phase < was.phase => Step::Worse,
        () if is.errors < was.errors => Step::Forward,
        () if further && is.errors <= was.errors + SURPLUS_MAX => Step::Forward,
        () if change.gone > 0 && is.errors == was.errors => Step::Sideways,
        () => Step::Worse,
    }
}

fn tests_step(was: &Measure, is: &Measure) -> Step {
    match (was.compiles(), is.compiles()) {
        (false, true) => Step::Forward,
        (true, false) => Step::Worse,
        _ if is.is_done() => Step::Forward,
        _ if is.tests_failed < was.tests_failed && is.tests_passed >= was.tests_passed => {
            Step::Forward
        }
        _ => Step::Worse,
    }
}

/// What became of the errors of a report in the next one.
struct Change {
    gone: usize,
    kept: usize,
}

impl Change {
    fn between(old: &BuildReport, new: &BuildReport) -> Self {
        let mut left = counted(new);
        let mut change = Self { gone: 0, kept: 0 };
        for error in old.errors() {
            match left.get_mut(&identity(error)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    change.kept += 1;
                }
                _ => change.gone += 1,
            }
        }
        change
    }

    /// Whether all new errors are in other parts of the project than the old ones: these could not be
    /// looked at before.
    fn is_elsewhere(&self, old: &BuildReport, new: &BuildReport) -> bool {
        let part = |error: &Diagnostic| (error.package.clone(), error.target.clone());
        let old_parts: Vec<_> = old.errors().map(part).collect();
        new.errors().all(|error| !old_parts.contains(&part(error)))
    }
}

/// What an error is known by when lines have moved.
pub(super) fn identity(error: &Diagnostic) -> (Option<&str>, &str, &str) {
    let file = error.primary().map_or("", |span| span.file.as_str());
    (error.code.as_deref(), &error.message, file)
}

fn counted(report: &BuildReport) -> BTreeMap<(Option<&str>, &str, &str), usize> {
    let mut counts = BTreeMap::new();
    for error in report.errors() {
        *counts.entry(identity(error)).or_insert(0) += 1;
    }
    counts
}

/// Errors about names, beside those between E0401 and E0440.
const NAMES: &[u16] = &[
    106, 252, 254, 255, 259, 260, 261, 262, 263, 364, 365, 463, 530, 531, 532, 573, 574, 575, 576,
    583, 584, 603, 670,
];
/// Errors that are found when types are right.
const BORROWS: &[u16] = &[
    4, 5, 133, 373, 381, 382, 384, 499, 500, 501, 502, 503, 505, 506, 507, 508, 509, 510, 515, 521,
    594, 596, 597, 621, 623, 626, 700, 712, 713, 716,
];
const SYNTAX: &[u16] = &[585, 586, 748, 753, 758, 762, 763, 765, 766, 768];

/// The phase that finds an error.
pub(super) fn phase_of(error: &Diagnostic) -> Phase {
    let Some(code) = error.code.as_deref() else { return phase_without_number(&error.message) };
    let number = code.strip_prefix('E').and_then(|digits| digits.parse::<u16>().ok());
    match number {
        None => Phase::Late,
        Some(80) => Phase::Late,
        Some(number) if SYNTAX.contains(&number) => Phase::Syntax,
        Some(401..=440) => Phase::Names,
        Some(number) if NAMES.contains(&number) => Phase::Names,
        Some(number) if BORROWS.contains(&number) => Phase::Borrows,
        Some(_) => Phase::Types,
    }
}

fn phase_without_number(message: &str) -> Phase {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["lifetime may not live long enough", "borrowed data escapes"]) {
        Phase::Borrows
    } else if message.starts_with("cannot find ") || message.starts_with("cannot determine ") {
        Phase::Names
    } else if message.starts_with("linking with ") {
        Phase::Late
    } else {
        Phase::Syntax
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::TestResult;
    use crate::fakes::{error_at, report_of};

    fn errors(count: u32) -> BuildReport {
        report_of(
            (1..=count).map(|line| error_at("E0308", "wrong", ("src/lib.rs", line))).collect(),
        )
    }

    #[test]
    fn a_compiler_that_was_ended_is_no_gain() {
        for verdict in [Verdict::Timeout, Verdict::OutOfMemory, Verdict::OutputLimit] {
            for told in [0, 1] {
                let ended = BuildReport { verdict, ..errors(told) };
                for before in [errors(9), ended.clone()] {
                    assert_eq!(step(&before, &ended), Step::Worse, "{verdict:?}");
                }
                let (ended, known) = (Measure::of(&ended), Measure::of(&errors(9)));
                assert!(known.worth() < ended.worth() && known.distance() < ended.distance());
            }
        }
    }

    #[test]
    fn tests_that_were_ended_had_been_compiled() {
        let (name, status) = ("a".to_owned(), TestStatus::Unfinished);
        let test = TestResult { suite: 0, name, status, reason: None, output: None };
        let report =
            BuildReport { verdict: Verdict::Timeout, tests: vec![test], ..report_of(vec![]) };
        assert_eq!(step(&errors(9), &report), Step::Forward);
        assert!(Measure::of(&report).worth() < Measure::of(&errors(1)).worth());
    }
}
