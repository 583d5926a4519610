//! What the tools that make or repair a project share: its place in the line, and its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaia_core::build::Files;
use gaia_core::coder::{Attempt, Coder, Progress, Repaired, Stage};
use gaia_sandbox::project::{FileMap, Limits, Project};
use gaia_sandbox::report::compact_lines;
use rmcp::model::{CallToolResult, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::Detail;
use super::report::{Finding, findings};
use crate::coder::{Order, Work};
use crate::mcp::answer::{Answer, fit};
use crate::mcp::{Shared, jobs};
use crate::store::Owner;

/// Bytes of a diff as data, and of all files.
const DIFF_BYTES_MAX: usize = 6000;
const FILES_BYTES_MAX: usize = 64 << 10;
/// Bytes of what became of one attempt.
const OUTPUT_BYTES_MAX: usize = 300;

/// What came of it.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    success: bool,
    message: String,
    /// A unified diff against the code that was given.
    diff: String,
    /// All files by path, with detail=raw.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, String>,
    /// What is left to repair.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Finding>,
    attempts: Vec<Tried>,
    /// suggestions, memory or model.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    builds: u32,
    total_ms: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Tried {
    attempt: u32,
    stage: String,
    success: bool,
    output: String,
}

/// What is said of a tool that remembers what helped, and changes nothing of the client's.
pub fn remembers(title: &str) -> ToolAnnotations {
    let annotations = ToolAnnotations::with_title(title).read_only(false);
    annotations.destructive(false).idempotent(false).open_world(false)
}

/// Does a work when it is its turn.
///
/// # Errors
/// The reason, for the client.
pub async fn work(
    shared: &Arc<Shared>,
    owner: &Owner,
    (coder, order, tell): (Coder, Order, jobs::Tell),
) -> Result<Repaired, String> {
    let turn = shared.parts.works.enter(owner).map_err(|full| full.to_string())?;
    let work = Work { order, coder, turn, run: false };
    let told = move |progress: Progress| tell.step(step(&progress));
    let made = work.run(&told).await.map_err(|error| error.to_string())?;
    Ok(made.outcome)
}

fn step(progress: &Progress) -> String {
    match progress {
        Progress::Writing { round } => format!("the model writes, round {round}"),
        Progress::Compiling { stage: Stage::Given } => "compiling".to_owned(),
        Progress::Compiling { stage } => format!("compiling what came from {}", word(*stage)),
        Progress::Tried(Attempt { attempt, success: true, .. }) => {
            format!("attempt {attempt} succeeded")
        }
        Progress::Tried(Attempt { attempt, errors, tests_failed, .. }) => {
            format!("attempt {attempt}: {errors} errors, {tests_failed} failed tests")
        }
    }
}

/// What was made, as a client reads it.
pub fn answer(
    shared: &Shared,
    owner: &Owner,
    (repaired, detail): (Repaired, Detail),
) -> CallToolResult {
    let whole = flat(&repaired.files);
    let mut answer = Answer::new(text(&repaired, (detail, &whole)), &data(&repaired, detail));
    if !repaired.diff.is_empty() {
        answer.log = Some(shared.keep_log(owner, whole));
    }
    answer.into_result()
}

fn text(repaired: &Repaired, (detail, whole): (Detail, &str)) -> String {
    let mut text = repaired.message.clone();
    if detail == Detail::Raw {
        text += &format!("\n\n{whole}");
    } else if !repaired.diff.is_empty() {
        text += &format!("\n\n{}", fit(&repaired.diff, DIFF_BYTES_MAX));
    }
    if !repaired.success {
        let left: Vec<_> = repaired.report.errors().cloned().collect();
        text += &format!("\n\nwhat is left:\n{}", compact_lines(&left).join("\n"));
    }
    text
}

fn data(repaired: &Repaired, detail: Detail) -> Output {
    let bytes: usize = repaired.files.values().map(String::len).sum();
    let shows_files = detail == Detail::Raw && bytes <= FILES_BYTES_MAX;
    let tried = |attempt: &Attempt| Tried {
        attempt: attempt.attempt,
        stage: word(attempt.stage),
        success: attempt.success,
        output: fit(&attempt.output, OUTPUT_BYTES_MAX),
    };
    Output {
        success: repaired.success,
        message: repaired.message.clone(),
        diff: fit(&repaired.diff, DIFF_BYTES_MAX),
        files: if shows_files { repaired.files.clone() } else { BTreeMap::new() },
        diagnostics: if repaired.success { vec![] } else { findings(&repaired.report, detail) },
        attempts: repaired.attempts.iter().map(tried).collect(),
        by: repaired.by.map(word),
        model: repaired.model.clone(),
        builds: repaired.spent.builds,
        total_ms: repaired.spent.total_ms,
    }
}

/// All files as one text, which every tool here takes as `code`.
fn flat(files: &Files) -> String {
    let map = FileMap(files.iter().map(|(path, text)| (path.clone(), text.clone())).collect());
    let project = Project::from_map(map, &Limits::default());
    // A file that the form can't hold is rare: the diff has it.
    project.and_then(|project| project.to_flat()).unwrap_or_default()
}

/// As it stands in JSON.
fn word(stage: Stage) -> String {
    let word = serde_json::to_value(stage).expect("a word");
    word.as_str().unwrap_or_default().to_owned()
}
