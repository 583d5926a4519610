//! Answers of all sizes.

use super::*;
use crate::report::{MessageReader, Places};

const CHECK: &[u8] = include_bytes!("testdata/check.jsonl");

fn facts(output: &[u8]) -> Facts {
    Facts { messages: MessageReader::read(Places::default(), output), ..Facts::default() }
}

fn report(detail: Detail) -> Report {
    Report::new(Verdict::CompileError, detail, facts(CHECK))
}

#[test]
fn a_summary_has_lines_and_numbers() {
    let report = report(Detail::Summary);
    assert_eq!((report.tally.errors, report.tally.warnings), (2, 1));
    assert_eq!(
        report.lines,
        [
            "src/lib.rs:6: error[E0425]: cannot find value `undefined` in this scope",
            "src/lib.rs:4: error[E0277]: cannot add `&str` to `i32`",
            "src/lib.rs:1: warning[unused_imports]: unused import: `std::collections::HashMap`",
        ]
    );
    assert!(report.diagnostics.is_empty());
}

#[test]
fn evidence_has_messages_and_no_trailers() {
    let report = report(Detail::Evidence);
    assert_eq!(report.diagnostics.len(), 3);
    assert!(report.diagnostics.iter().all(|diagnostic| !diagnostic.message.contains("aborting")));
}

fn many(count: usize) -> Vec<u8> {
    let line = |index| {
        format!(
            r#"{{"reason":"compiler-message","package_id":"path+file:///job/project#a@0.1.0","target":{{"name":"a"}},"message":{{"message":"e{index}","code":null,"level":"error","rendered":"{}"}}}}"#,
            "r".repeat(10_000)
        ) + "\n"
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

#[test]
fn what_is_left_out_is_said() {
    let summary = Report::new(Verdict::CompileError, Detail::Summary, facts(&many(60)));
    assert_eq!(summary.lines.len(), 51);
    assert_eq!(summary.lines[50], "… 10 more messages were left out");
    assert_eq!(summary.lines[0], "a: error: e0");
    let evidence = Report::new(Verdict::CompileError, Detail::Evidence, facts(&many(60)));
    assert_eq!((evidence.diagnostics.len(), evidence.cut.diagnostics), (50, 10));
    assert!(evidence.diagnostics[0].rendered.len() < 5000);
    let raw = Report::new(Verdict::CompileError, Detail::Raw, facts(&many(60)));
    assert_eq!((raw.diagnostics.len(), raw.cut.diagnostics), (60, 0));
}

#[test]
fn outputs_are_cut_by_detail() {
    let with = |detail| {
        let facts =
            Facts { stdout: "x".repeat(100_000), stderr: "é".repeat(50_000), ..Facts::default() };
        Report::new(Verdict::Ok, detail, facts)
    };
    assert_eq!(with(Detail::Raw).stdout.len(), 100_000);
    let summary = with(Detail::Summary);
    assert!(summary.stdout.len() < 3000 && summary.stderr.len() < 3000);
    assert!(summary.cut.output_bytes > 190_000);
}

#[test]
fn failed_tests_are_named_and_good_ones_counted() {
    let output = b"running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nwhy\n\ntest result: FAILED. 1 passed; 1 failed; finished in 0.00s\n";
    let of = |detail| Report::new(Verdict::TestFailure, detail, facts(output));
    let summary = of(Detail::Summary);
    assert_eq!((summary.tally.tests_passed, summary.tally.tests_failed), (1, 1));
    assert_eq!((summary.tests[0].name.as_str(), &summary.tests[0].output), ("b", &None));
    assert_eq!(of(Detail::Evidence).tests[0].output.as_deref(), Some("why\n\n"));
    assert_eq!(of(Detail::Raw).tests.len(), 2);
}

#[test]
fn a_whole_run_of_tests_as_cargo_wrote_it() {
    let report = Report::new(
        Verdict::TestFailure,
        Detail::Evidence,
        facts(include_bytes!("testdata/test.jsonl")),
    );
    let Tally { tests_passed, tests_failed, tests_ignored, errors, .. } = report.tally;
    assert_eq!((tests_passed, tests_failed, tests_ignored, errors), (4, 1, 1, 0));
    let failed = &report.tests[0];
    assert_eq!(failed.name, "tests::bad");
    let output = failed.output.as_deref().expect("an output");
    assert!(output.starts_with("seen\n") && !output.contains("failures:"), "{output}");
    assert!(report.artifacts.iter().any(|artifact| artifact.test && artifact.executable.is_some()));
}

#[test]
fn no_field_is_named_as_tools_forbid() {
    fn names(value: &serde_json::Value, found: &mut Vec<String>) {
        if let serde_json::Value::Object(object) = value {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| names(value, found));
        } else if let serde_json::Value::Array(items) = value {
            items.iter().for_each(|value| names(value, found));
        }
    }
    let mut found = vec![];
    names(&serde_json::to_value(report(Detail::Raw)).expect("JSON"), &mut found);
    let snake = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!(found.iter().all(|name| snake(name) && name != "key"), "{found:?}");
}
