//! What a repaired or generated project looks like.

use gaia_core::build::{BuildReport, Diagnostic, TestStatus};
use gaia_core::knowledge::Sources;
use gaia_sandbox::report::{Detail, compact_lines};
use serde_json::{Map, Value, json};

use crate::coder::Made;
use crate::http::knowledge::citations;

/// Messages of a report, where not everything is wanted, and bytes of one.
const DIAGNOSTICS_MAX: usize = 50;
const RENDERED_BYTES_MAX: usize = 4 << 10;
/// Bytes of what was printed.
const OUTPUT_BYTES_MAX: usize = 16 << 10;

/// A project that was worked on.
#[must_use]
pub fn made(made: &Made) -> Value {
    let outcome = &made.outcome;
    let mut value = json!({
        "object": if made.birth.is_some() { "project" } else { "repair" },
        "success": outcome.success,
        "message": outcome.message,
        "by": outcome.by,
        "model": outcome.model,
        "changed": made.changed,
        "files": files(made),
        "attempts": outcome.attempts,
        "report": report(&outcome.report, made.detail),
        "spent": outcome.spent,
    });
    if made.birth.is_none() {
        value["diff"] = json!(outcome.diff);
    }
    if made.detail != Detail::Summary {
        value["combined_text"] = json!(made.flat());
    }
    if let Some(birth) = &made.birth {
        value["name"] = json!(birth.name);
        value["kind"] = json!(birth.kind);
        value["citations"] = json!(citations(&Sources::of(birth.examples.clone())));
    }
    value
}

/// Those that changed, or all where everything is wanted.
fn files(made: &Made) -> Map<String, Value> {
    let all = made.detail == Detail::Raw || made.birth.is_some();
    let files = made.outcome.files.iter().filter(|(path, _)| all || made.changed.contains(*path));
    files.map(|(path, text)| (path.clone(), json!(text))).collect()
}

fn report(report: &BuildReport, detail: Detail) -> Value {
    let mut value = json!({
        "verdict": report.verdict,
        "lines": compact_lines(&report.diagnostics),
        "tests_passed": count(report, TestStatus::Passed),
        "tests_failed": count(report, TestStatus::Failed),
    });
    if !report.notes.is_empty() {
        value["notes"] = json!(report.notes);
    }
    match detail {
        Detail::Summary => {}
        Detail::Evidence => {
            value["diagnostics"] =
                report.diagnostics.iter().take(DIAGNOSTICS_MAX).map(short).collect();
            let failed = report.tests.iter().filter(|test| test.status != TestStatus::Passed);
            value["tests"] = json!(failed.take(DIAGNOSTICS_MAX).collect::<Vec<_>>());
            value["stderr"] = json!(cut(&report.stderr, OUTPUT_BYTES_MAX));
        }
        Detail::Raw => {
            value["diagnostics"] = json!(report.diagnostics);
            value["tests"] = json!(report.tests);
            value["stdout"] = json!(report.stdout);
            value["stderr"] = json!(report.stderr);
            value["explanations"] = json!(report.explanations);
        }
    }
    value
}

fn short(diagnostic: &Diagnostic) -> Value {
    let rendered = cut(&diagnostic.rendered, RENDERED_BYTES_MAX).to_owned();
    json!(Diagnostic { rendered, ..diagnostic.clone() })
}

fn count(report: &BuildReport, status: TestStatus) -> usize {
    report.tests.iter().filter(|test| test.status == status).count()
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
