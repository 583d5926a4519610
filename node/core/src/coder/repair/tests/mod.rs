//! Repairs as a whole, over fakes.

mod forms;
mod lost;
mod model;

use std::sync::{Arc, Mutex};

use gaia_protocol::ModelKind;

use super::*;
use crate::build::{
    Applicability, BuildError, BuildReport, Diagnostic, Files, Replacement, Suggestion, TestResult,
    TestStatus, Verdict,
};
use crate::coder::{Attempt, Edits, Progress, Stage};
use crate::fakes::{FakeBuilder, FakeClock, FakeModel, block_on, error_at, node_of, report_of};

fn coder(builder: FakeBuilder) -> (Coder, Arc<FakeBuilder>) {
    let builder = Arc::new(builder);
    let (node, _) = node_of(FakeModel::new("m", ModelKind::Chat));
    let port = Arc::clone(&builder) as Arc<dyn crate::Builder>;
    let clock = Arc::new(FakeClock::default());
    (Coder { node, builder: port, memory: None, clock, model: None, edits: Edits::Auto }, builder)
}

fn request(text: &str) -> Repair {
    let files = Files::from([("src/main.rs".to_owned(), text.to_owned())]);
    Repair { files, without_model: true, ..Repair::default() }
}

fn run(coder: &Coder, request: Repair) -> Repaired {
    block_on(repair(coder, request, &|_| {})).expect("an answer")
}

/// An error in the first line, with a suggestion: bytes, text, how sure.
fn suggesting(code: &str, change: (u32, u32, &str), applicability: Applicability) -> Diagnostic {
    let (byte_start, byte_end, text) = change;
    let replacement = Replacement {
        file: "src/main.rs".into(),
        byte_start,
        byte_end,
        line_start: 1,
        column_start: 1,
        replacement: text.into(),
    };
    let suggestion =
        Suggestion { message: "try this".into(), applicability, replacements: vec![replacement] };
    let error = error_at(code, "wrong", ("src/main.rs", 1));
    Diagnostic { suggestions: vec![suggestion], ..error }
}

/// A report of these tests.
fn tested(tests: &[(&str, TestStatus)]) -> BuildReport {
    let failed = tests.iter().any(|(_, status)| *status == TestStatus::Failed);
    let tests = tests.iter().map(|(name, status)| TestResult {
        suite: 0,
        name: (*name).to_owned(),
        status: *status,
        reason: None,
        output: None,
    });
    let verdict = if failed { Verdict::TestFailure } else { Verdict::Ok };
    BuildReport { verdict, tests: tests.collect(), ..report_of(vec![]) }
}

/// One test fails with these words as long as the program says what is `wrong`.
fn failing(wrong: &'static str, name: &'static str, output: &'static str) -> FakeBuilder {
    FakeBuilder::new(move |job| {
        let is_wrong = job.files["src/main.rs"].contains(wrong);
        let status = if is_wrong { TestStatus::Failed } else { TestStatus::Passed };
        let mut report = tested(&[(name, status)]);
        report.tests[0].output = is_wrong.then(|| output.into());
        Some(Ok(report))
    })
}

fn stages(repaired: &Repaired) -> Vec<(Stage, bool)> {
    repaired.attempts.iter().map(|attempt| (attempt.stage, attempt.kept)).collect()
}

#[test]
fn nothing_too_much_and_no_time_are_refused() {
    let (coder, builder) = coder(FakeBuilder::finding(vec![]));
    let mut requests = vec![(Repair::default(), "files")];
    let mut late = request("a");
    late.budget.time = std::time::Duration::ZERO;
    requests.push((late, "budget.time"));
    let mut many = request("a");
    many.budget.candidates = 17;
    requests.push((many, "budget.candidates"));
    requests.push((request(&"a".repeat(PROJECT_BYTES_MAX + 1)), "files"));
    for (request, field) in requests {
        let error = block_on(repair(&coder, request, &|_| {})).expect_err("refused");
        let named =
            matches!(&error, CoderError::Invalid { param: Some(param), .. } if param == field);
        assert!(named, "{error}");
    }
    let unknown = Repair { model: Some("x".into()), without_model: false, ..request("a") };
    let error = block_on(repair(&coder, unknown, &|_| {})).expect_err("refused");
    assert!(matches!(error, CoderError::Serve(crate::ServeError::UnknownModel { .. })));
    assert_eq!(builder.jobs().len(), 0);
}

#[test]
fn what_is_right_stays_as_it_is() {
    let (coder, _) = coder(FakeBuilder::finding(vec![]));
    let repaired = run(&coder, request("fn main() {}"));
    assert!(repaired.success && repaired.diff.is_empty());
    assert_eq!((repaired.by, repaired.spent.builds), (Some(Stage::Given), 1));
}

#[test]
fn a_suggestion_that_helps_is_taken_and_shown_as_a_diff() {
    let error = suggesting("E0384", (4, 4, "mut "), Applicability::MachineApplicable);
    let (coder, _) = coder(FakeBuilder::finding(vec![("let x", error)]));
    let told: Mutex<Vec<Progress>> = Mutex::default();
    let tell = |step| told.lock().expect("one thread").push(step);
    let repaired = block_on(repair(&coder, request("let x = 1;\n"), &tell)).expect("an answer");
    assert_eq!(repaired.files["src/main.rs"], "let mut x = 1;\n");
    assert_eq!(repaired.by, Some(Stage::Suggestions));
    assert!(repaired.diff.contains("\n-let x = 1;\n+let mut x = 1;\n"), "{}", repaired.diff);
    let told = told.into_inner().expect("one thread");
    let compiling = |stage| Progress::Compiling { stage };
    assert_eq!(told[0], compiling(Stage::Given));
    assert_eq!(told[2], compiling(Stage::Suggestions));
    let last = told.last().expect("some");
    assert!(matches!(last, Progress::Tried(Attempt { success: true, attempt: 2, .. })), "{last:?}");
}

#[test]
fn a_suggestion_that_makes_it_worse_is_not_taken() {
    let error = suggesting("E0308", (0, 3, "new"), Applicability::MaybeIncorrect);
    let worse = vec![error_at("E0308", "a", ("b", 1)), error_at("E0308", "b", ("b", 1))];
    let (coder, _) = coder(FakeBuilder::new(move |job| {
        let is_old = job.files["src/main.rs"].starts_with("old");
        Some(Ok(report_of(if is_old { vec![error.clone()] } else { worse.clone() })))
    }));
    let repaired = run(&coder, request("old text"));
    assert!(!repaired.success && repaired.diff.is_empty());
    assert_eq!(repaired.report.errors().count(), 1);
    assert_eq!(stages(&repaired), [(Stage::Given, true), (Stage::Suggestions, false)]);
}

#[test]
fn a_later_phase_is_gone_on_from_but_more_errors_are_never_the_answer() {
    let syntax = suggesting("", (0, 1, "b"), Applicability::MachineApplicable);
    let types = ["x", "y", "z"].map(|name| error_at("E0308", name, ("src/main.rs", 1)));
    let (coder, _) = coder(FakeBuilder::new(move |job| {
        let is_new = job.files["src/main.rs"].starts_with('b');
        Some(Ok(report_of(if is_new { types.to_vec() } else { vec![syntax.clone()] })))
    }));
    let repaired = run(&coder, request("a"));
    assert_eq!(stages(&repaired), [(Stage::Given, true), (Stage::Suggestions, true)]);
    assert_eq!(
        (repaired.files["src/main.rs"].as_str(), repaired.report.errors().count()),
        ("a", 1)
    );
}

#[test]
fn placeholders_are_never_filled_in() {
    let error = suggesting("E0061", (0, 0, "/* i32 */"), Applicability::HasPlaceholders);
    let maybe = suggesting("E0046", (0, 0, concat!("to", "do!()")), Applicability::MaybeIncorrect);
    let (coder, builder) = coder(FakeBuilder::finding(vec![("a", error), ("a", maybe)]));
    assert!(!run(&coder, request("a")).success);
    assert_eq!(builder.jobs().len(), 1);
}

#[test]
fn a_compiler_that_hangs_ends_with_the_best_state() {
    let error = suggesting("E0384", (0, 1, "b"), Applicability::MachineApplicable);
    let (coder, _) = coder(FakeBuilder::new(move |job| {
        let is_given = job.files["src/main.rs"] == "a";
        is_given.then(|| Ok(report_of(vec![error.clone()])))
    }));
    let repaired = run(&coder, request("a"));
    assert!(
        !repaired.success && repaired.message.contains("time was over"),
        "{}",
        repaired.message
    );
    assert_eq!(repaired.spent.total_ms, 300_000);
}

#[test]
fn a_compiler_that_never_answers_or_cannot_is_an_error() {
    let (silent, _) = coder(FakeBuilder::new(|_| None));
    let error = block_on(repair(&silent, request("a"), &|_| {})).expect_err("no answer");
    assert_eq!(error, CoderError::Serve(crate::ServeError::TimeLimit));
    let closed = BuildError::Unavailable("no toolchain".into());
    let same = closed.clone();
    let (closed_coder, _) = coder(FakeBuilder::new(move |_| Some(Err(closed.clone()))));
    let error = block_on(repair(&closed_coder, request("a"), &|_| {})).expect_err("no answer");
    assert_eq!(error, CoderError::Build(same));
}

#[test]
fn a_full_line_is_asked_again_in_the_middle_of_a_repair() {
    let error = suggesting("E0384", (0, 1, "b"), Applicability::MachineApplicable);
    let refusals = Mutex::new(2);
    let (coder, builder) = coder(FakeBuilder::new(move |job| {
        if job.files["src/main.rs"] == "a" {
            return Some(Ok(report_of(vec![error.clone()])));
        }
        let mut left = refusals.lock().expect("one thread");
        let retry_after = std::time::Duration::from_secs(1);
        if *left == 0 {
            return Some(Ok(report_of(vec![])));
        }
        *left -= 1;
        Some(Err(BuildError::Overloaded { message: "full".into(), retry_after }))
    }));
    let repaired = run(&coder, request("a"));
    assert!(repaired.success);
    assert_eq!((builder.jobs().len(), repaired.spent.total_ms), (4, 2000));
}
