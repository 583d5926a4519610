//! A compiler's report as an answer: few lines first, the rest on demand.

use std::fmt::Write;
use std::sync::Arc;

use gaia_core::build::{BuildReport, Diagnostic, Level, TestResult, TestStatus, Verdict};
use gaia_sandbox::report::compact_lines;
use rmcp::model::CallToolResult;
use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::Detail;
use crate::mcp::Shared;
use crate::mcp::answer::{Answer, TEXT_BYTES_MAX, fit};
use crate::store::Owner;

/// Messages told in full, and the bytes of each.
const RENDERED_MAX: usize = 5;
const RENDERED_BYTES_MAX: usize = 1200;
/// Messages told as data; of a raw answer, and of others.
const RAW_MESSAGES_MAX: usize = 100;
const MESSAGES_MAX: usize = 20;
/// Bytes of what a program or a test printed.
const OUTPUT_BYTES_MAX: usize = 3000;
const TEST_OUTPUT_BYTES_MAX: usize = 800;
/// Failed tests told with their output.
const FAILED_TESTS_MAX: usize = 5;
/// Bytes of a log at most: the jail keeps a megabyte of each output.
const LOG_BYTES_MAX: usize = 4 << 20;

/// For whom, and how much.
pub struct Shape {
    /// Whose the answer is.
    pub owner: Owner,
    /// How much is told.
    pub detail: Detail,
}

/// What came of code.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Built {
    /// Whether all that was asked for was done.
    success: bool,
    /// ok, compile_error, test_failure, runtime_failure, timeout, out_of_memory, output_limit or refused.
    verdict: String,
    errors: usize,
    warnings: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<Tests>,
    #[serde(skip_serializing_if = "String::is_empty")]
    stdout: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    stderr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    total_ms: u64,
}

/// One message of the compiler.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Finding {
    level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Tests {
    passed: usize,
    failed: Vec<String>,
    ignored: usize,
}

/// A report as a client reads it.
pub fn answer(shared: &Arc<Shared>, report: &BuildReport, shape: Shape) -> CallToolResult {
    let Shape { owner, detail } = shape;
    let text = text(report, detail);
    let mut answer = Answer::new(text, &built(report, detail));
    answer.is_error = report.verdict == Verdict::Refused;
    answer.log = keep_log(shared, &owner, report, answer.text.len());
    answer.into_result()
}

/// A report as data.
pub fn built(report: &BuildReport, detail: Detail) -> Built {
    let count = |level| messages(report).filter(|found| found.level == level).count();
    Built {
        success: report.verdict == Verdict::Ok,
        verdict: word(report.verdict),
        errors: report.errors().count(),
        warnings: count(Level::Warning),
        diagnostics: findings(report, detail),
        tests: tests(&report.tests),
        stdout: shown_stdout(report),
        stderr: shown_stderr(report),
        notes: report.notes.clone(),
        total_ms: report.total_ms,
    }
}

/// The messages as data, the most important first.
pub fn findings(report: &BuildReport, detail: Detail) -> Vec<Finding> {
    let (count, rendered) = match detail {
        Detail::Summary => (MESSAGES_MAX, 0),
        Detail::Evidence => (MESSAGES_MAX, RENDERED_MAX),
        Detail::Raw => (RAW_MESSAGES_MAX, RAW_MESSAGES_MAX),
    };
    let finding = |(place, found): (usize, &Diagnostic)| {
        let primary = found.primary();
        Finding {
            level: found.level.as_str().to_owned(),
            code: found.code.clone(),
            message: fit(&found.message, RENDERED_BYTES_MAX),
            file: primary.map(|span| span.file.clone()),
            line: primary.map(|span| span.line_start),
            column: primary.map(|span| span.column_start),
            rendered: (place < rendered).then(|| fit(&found.rendered, RENDERED_BYTES_MAX)),
        }
    };
    messages(report).take(count).enumerate().map(finding).collect()
}

/// A report as lines.
pub fn text(report: &BuildReport, detail: Detail) -> String {
    if detail == Detail::Raw {
        return log(report);
    }
    let mut text = head(report);
    let in_full = if detail == Detail::Evidence { RENDERED_MAX } else { 0 };
    let all: Vec<Diagnostic> = messages(report).cloned().collect();
    let (first, rest) = all.split_at(in_full.min(all.len()));
    for found in first {
        line(&mut text, fit(&found.rendered, RENDERED_BYTES_MAX).trim_end());
    }
    compact_lines(rest).iter().for_each(|compact| line(&mut text, compact));
    report.notes.iter().for_each(|note| line(&mut text, note));
    let failed = report.tests.iter().filter(|test| has_failed(test));
    for test in failed.take(FAILED_TESTS_MAX) {
        let output = test.output.as_deref().unwrap_or_default();
        let output = if in_full == 0 { "" } else { &fit(output, TEST_OUTPUT_BYTES_MAX) };
        line(&mut text, format!("test {} failed\n{output}", test.name).trim_end());
    }
    outputs(&mut text, report);
    text
}

fn head(report: &BuildReport) -> String {
    let errors = report.errors().count();
    let warnings = messages(report).filter(|found| found.level == Level::Warning).count();
    let mut head = format!("{}: {errors} errors, {warnings} warnings", word(report.verdict));
    if let Some(Tests { passed, failed, ignored }) = tests(&report.tests) {
        let failed = failed.len();
        write!(head, "; tests: {passed} passed, {failed} failed, {ignored} ignored")
            .expect("a string takes any text");
    }
    head
}

fn outputs(text: &mut String, report: &BuildReport) {
    for (name, output) in [("stdout", shown_stdout(report)), ("stderr", shown_stderr(report))] {
        if !output.trim().is_empty() {
            line(text, &format!("--- {name}\n{}", output.trim_end()));
        }
    }
}

/// What tests print stands with those that failed.
fn shown_stdout(report: &BuildReport) -> String {
    if report.tests.is_empty() { fit(&report.stdout, OUTPUT_BYTES_MAX) } else { String::new() }
}

/// What cargo prints beside messages and tests is of interest only if there are none.
fn shown_stderr(report: &BuildReport) -> String {
    let is_programs = report.verdict == Verdict::RuntimeFailure;
    let is_cargos = messages(report).next().is_some() || !report.tests.is_empty();
    match is_cargos && !is_programs {
        true => String::new(),
        false => fit(&without_steps(&report.stderr), OUTPUT_BYTES_MAX),
    }
}

/// Without the lines by which cargo tells that it works; the whole output has them.
fn without_steps(stderr: &str) -> String {
    let steps = ["Compiling ", "Checking ", "Finished "];
    let is_step = |line: &&str| steps.iter().any(|step| line.trim_start().starts_with(step));
    stderr.lines().filter(|line| !is_step(line)).collect::<Vec<_>>().join("\n")
}

/// Everything that was said.
fn log(report: &BuildReport) -> String {
    let mut log = head(report);
    messages(report).for_each(|found| line(&mut log, found.rendered.trim_end()));
    report.notes.iter().for_each(|note| line(&mut log, note));
    for test in &report.tests {
        let output = test.output.as_deref().unwrap_or_default();
        let status = format!("test {} … {:?}\n{output}", test.name, test.status);
        line(&mut log, status.trim_end());
    }
    line(&mut log, &format!("--- stdout\n{}\n--- stderr\n{}", report.stdout, report.stderr));
    fit(&log, LOG_BYTES_MAX)
}

/// Keeps the whole output if less than that was told: where it can be read, and its bytes.
fn keep_log(
    shared: &Shared,
    owner: &Owner,
    report: &BuildReport,
    told_bytes: usize,
) -> Option<(String, usize)> {
    let value = log(report);
    let bytes = value.len();
    if bytes <= TEXT_BYTES_MAX && told_bytes >= bytes / 2 {
        return None;
    }
    Some(shared.keep_log(owner, value))
}

fn messages(report: &BuildReport) -> impl Iterator<Item = &Diagnostic> {
    report.diagnostics.iter().filter(|found| !found.is_trailer())
}

fn tests(results: &[TestResult]) -> Option<Tests> {
    if results.is_empty() {
        return None;
    }
    let count = |status| results.iter().filter(|test| test.status == status).count();
    let failed = results.iter().filter(|test| has_failed(test));
    Some(Tests {
        passed: count(TestStatus::Passed),
        failed: failed.take(MESSAGES_MAX).map(|test| test.name.clone()).collect(),
        ignored: count(TestStatus::Ignored),
    })
}

fn has_failed(test: &TestResult) -> bool {
    matches!(test.status, TestStatus::Failed | TestStatus::Unfinished)
}

fn line(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

/// As it stands in JSON.
fn word(verdict: Verdict) -> String {
    let word = serde_json::to_value(verdict).expect("a word");
    word.as_str().unwrap_or_default().to_owned()
}
