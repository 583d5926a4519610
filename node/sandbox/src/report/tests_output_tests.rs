//! Texts as test programs of stable print them, and others.

use proptest::prelude::*;

use super::*;

const RUN: &str = "
running 5 tests
test tests::a ... ok
test tests::b ... FAILED
test tests::c ... ignored
test tests::d ... ignored, too slow
test tests::e - should panic ... ok

failures:

---- tests::b stdout ----

thread 'tests::b' (12) panicked at src/lib.rs:10:5:
assertion `left == right` failed
  left: 1
 right: 2


failures:
    tests::b

test result: FAILED. 2 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.25s


running 1 test
test src/lib.rs - add (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s
";

fn parse(output: &str) -> TestRun {
    TestRun::parse(output, &mut Cut::default())
}

fn statuses(output: &str) -> Vec<(String, TestStatus)> {
    parse(output).tests.into_iter().map(|test| (test.name, test.status)).collect()
}

#[test]
fn a_run_is_read() {
    let run = parse(RUN);
    assert_eq!(run.tests.len(), 6);
    assert_eq!(run.count(TestStatus::Passed), 3);
    assert_eq!(run.count(TestStatus::Ignored), 2);
    assert!(run.failed());
    assert_eq!(
        run.suites,
        [
            Suite { announced: 5, passed: Some(false), duration_ms: Some(1250) },
            Suite { announced: 1, passed: Some(true), duration_ms: Some(200) },
        ]
    );
    assert_eq!(run.tests[4].name, "tests::e");
    assert_eq!(run.tests[3].reason.as_deref(), Some("too slow"));
    assert_eq!((run.tests[5].suite, run.tests[5].name.as_str()), (1, "src/lib.rs - add (line 3)"));
}

#[test]
fn failed_tests_keep_what_they_printed() {
    let run = parse(RUN);
    let output = run.tests[1].output.as_deref().expect("an output");
    assert!(output.contains("panicked at src/lib.rs:10:5") && output.contains(" right: 2"));
    assert!(run.tests[0].output.is_none());
}

#[test]
fn a_test_that_prints_before_its_result_is_followed() {
    let text = "running 2 tests\ntest a ... hello\nworld\nok\ntest b ... FAILED\n";
    assert_eq!(
        statuses(text),
        [("a".to_owned(), TestStatus::Passed), ("b".to_owned(), TestStatus::Failed)]
    );
    let crashed = statuses("running 1 test\ntest a ... boom\n");
    assert_eq!(crashed, [("a".to_owned(), TestStatus::Unfinished)]);
}

#[test]
fn times_and_benchmarks_are_known() {
    let text = "running 2 tests\ntest a ... ok <0.001s>\ntest b ... bench:  1 ns/iter (+/- 0)\n";
    let statuses: Vec<_> = statuses(text).into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [TestStatus::Passed, TestStatus::Measured]);
}

#[test]
fn what_stands_outside_of_runs_is_no_test() {
    assert!(parse("test a ... ok\ntest result: ok.\n").tests.is_empty());
    assert!(parse("running on empty\ntest a ... ok\n").tests.is_empty());
    assert!(parse("running 1 test\ntest result: ok. 0\ntest a ... ok\n").tests.is_empty());
}

#[test]
fn limits_are_counted() {
    let many: String = (0..6000).map(|index| format!("test t{index} ... ok\n")).collect();
    let mut cut = Cut::default();
    let run = TestRun::parse(&format!("running 6000 tests\n{many}"), &mut cut);
    assert_eq!((run.tests.len(), cut.tests), (5000, 1000));
    let long = format!(
        "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\n{}\n",
        "x\n".repeat(100_000)
    );
    let run = TestRun::parse(&long, &mut cut);
    assert!(run.tests[0].output.as_ref().expect("an output").len() <= OUTPUT_BYTES_MAX + 1);
    assert!(cut.output_bytes > 0);
}

#[test]
fn hostile_numbers_are_no_numbers() {
    assert_eq!(duration_ms("finished in 99999999999999999999s"), None);
    assert_eq!(duration_ms("finished in 18446744073709551615.9s"), None);
    assert_eq!(duration_ms("finished in 0.é5s"), None);
    assert_eq!(announcement("running 99999999999999999999 tests"), None);
}

proptest! {
    #[test]
    fn foreign_text_never_panics(text in "(running 2 tests\n|test |a| \\.\\.\\. |ok|FAILED|\nfailures:\n|---- a stdout ----\n|test result: ok|finished in |0\\.|s|\n|\\PC){0,60}") {
        let run = parse(&text);
        prop_assert!(run.tests.iter().all(|test| test.suite < run.suites.len()));
    }

    #[test]
    fn what_a_harness_prints_is_counted(outcomes in prop::collection::vec(0..3_usize, 0..30)) {
        let words = ["ok", "FAILED", "ignored"];
        let lines: String = outcomes.iter().enumerate().map(|(index, word)| format!("test m::t{index} ... {}\n", words[*word])).collect();
        let run = parse(&format!("\nrunning {} tests\n{lines}\n", outcomes.len()));
        let of = |word| outcomes.iter().filter(|own| **own == word).count();
        prop_assert_eq!(run.count(TestStatus::Passed), of(0));
        prop_assert_eq!(run.count(TestStatus::Failed), of(1));
        prop_assert_eq!(run.count(TestStatus::Ignored), of(2));
    }
}
