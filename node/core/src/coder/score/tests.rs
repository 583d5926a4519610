//! What a score is made of.

use super::*;
use crate::build::BuildError;
use crate::coder::samples::{finding, report, test};
use crate::fakes::{FakeBuilder, block_on};

fn asking(weights: Weights) -> Score {
    let main = ("src/main.rs".to_owned(), "fn main() {}".to_owned());
    Score { files: Files::from([main]), weights }
}

fn scored(reports: Vec<BuildReport>, weights: Weights) -> (Scored, Vec<Command>) {
    let builder = FakeBuilder::saying(reports.into_iter().map(Ok).collect());
    let scored = block_on(score(&builder, asking(weights))).expect("it is known");
    (scored, builder.jobs().iter().map(|job| job.command).collect())
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[test]
fn a_sandbox_that_fails_gives_no_score() {
    let builder = FakeBuilder::saying(vec![Err(BuildError::Failed("broken".into()))]);
    let asked = block_on(score(&builder, asking(Weights::default())));
    let error = asked.expect_err("nothing is known");
    assert!(matches!(error, CoderError::Build(BuildError::Failed(_))));
}

#[test]
fn what_does_not_compile_or_is_refused_scores_nothing_and_is_not_tested() {
    for verdict in [Verdict::CompileError, Verdict::Refused, Verdict::Timeout, Verdict::OutOfMemory]
    {
        let diagnostics = vec![finding(Level::Error, "E0308")];
        let (scored, commands) =
            scored(vec![BuildReport { diagnostics, ..report(verdict) }], Weights::default());
        assert!(near(scored.score, 0.0));
        assert_eq!((scored.errors, commands), (1, vec![Command::Clippy]));
        assert_eq!(scored.lines, ["src/main.rs:2: error[E0308]: E0308 happened"]);
    }
}

#[test]
fn a_perfect_project_scores_one() {
    let tests = vec![test("a", TestStatus::Passed), test("b", TestStatus::Ignored)];
    let tested = BuildReport { tests, ..report(Verdict::Ok) };
    let (scored, commands) = scored(vec![report(Verdict::Ok), tested], Weights::default());
    assert!(near(scored.score, 1.0), "{scored:?}");
    assert_eq!(commands, [Command::Clippy, Command::Test]);
}

#[test]
fn each_part_counts_by_its_weight() {
    let diagnostics =
        vec![finding(Level::Warning, "unused"), finding(Level::Warning, "clippy::style")];
    let looked = BuildReport { diagnostics, ..report(Verdict::Ok) };
    let tests = vec![test("a", TestStatus::Passed), test("b", TestStatus::Failed)];
    let tested = BuildReport { tests, ..report(Verdict::TestFailure) };
    let (all, _) = scored(vec![looked.clone(), tested], Weights::default());
    assert!(near(all.score, 0.4 + 0.05 + 0.05 + 0.2), "{all:?}");
    assert_eq!((all.warnings, all.clippy, all.tests_passed, all.tests_total), (1, 1, 1, 2));
    assert_eq!(all.lines, ["test b failed"]);
    let only_compiles = Weights { compiles: 2.0, warnings: 0.0, clippy: 0.0, tests: 0.0 };
    let (some, commands) = scored(vec![looked], only_compiles);
    assert!(near(some.score, 1.0), "{some:?}");
    assert_eq!(commands, [Command::Check]);
}

#[test]
fn no_tests_and_tests_that_lie_are_worth_nothing() {
    let forged = vec![test("a", TestStatus::Passed)];
    let lying = BuildReport { tests: forged, ..report(Verdict::TestFailure) };
    for tested in [report(Verdict::Ok), lying, report(Verdict::CompileError)] {
        let (scored, _) = scored(vec![report(Verdict::Ok), tested], Weights::default());
        assert!(near(scored.score, 0.6), "{scored:?}");
    }
}
