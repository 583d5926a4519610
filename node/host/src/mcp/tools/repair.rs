//! `compile_and_fix`: broken code in, the change that repairs it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use gaia_core::build::Files;
use gaia_core::coder::{self, Attempt, Budget, Progress, Repair, Repaired, Stage};
use gaia_sandbox::project::{FileMap, Limits, Project};
use gaia_sandbox::report::compact_lines;
use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{self, Detail};
use super::report::{Finding, findings};
use super::{Entry, Work, build};
use crate::mcp::answer::{self, Answer, failure, fit};
use crate::mcp::{Shared, jobs};
use crate::store::Owner;

const DESCRIPTION: &str = "Repairs a Rust project that does not compile or whose tests fail: tries the \
    compiler's own suggestions, remembered fixes and a coding model, and compiles every try. Answers \
    with the diff, and with what is left if it could not; the code is never worse than it came, and \
    tests are never removed. `code` is as for compile; `description` says what the code is meant to do; \
    max_attempts is rounds of the model. detail=raw adds all files. Takes minutes at times: then it \
    answers with a job for wait_for_job.";

/// Rounds of the model at most.
const ATTEMPTS_MAX: u32 = 10;
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;
/// Bytes of a diff as data, and of all files.
const DIFF_BYTES_MAX: usize = 6000;
const FILES_BYTES_MAX: usize = 64 << 10;
/// Bytes of what became of one attempt.
const OUTPUT_BYTES_MAX: usize = 300;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    code: String,
    #[serde(default = "description")]
    description: String,
    #[serde(default = "max_attempts")]
    max_attempts: u32,
    #[serde(default)]
    detail: Detail,
}

fn description() -> String {
    "A Rust project".to_owned()
}

fn max_attempts() -> u32 {
    3
}

#[derive(Serialize, JsonSchema)]
struct Output {
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

/// The tool.
pub fn entry() -> Entry {
    let annotations = ToolAnnotations::with_title("Repair Rust").read_only(false);
    let tool = Tool::new("compile_and_fix", DESCRIPTION, arguments::schema::<Arguments>())
        .with_raw_output_schema(answer::schema::<Output>())
        // What helped is remembered; nothing of the client's is changed.
        .with_annotations(annotations.destructive(false).idempotent(false).open_world(false));
    Entry { tool, begin }
}

fn begin(shared: &Arc<Shared>, owner: &Owner, given: JsonObject) -> Result<Work, String> {
    let Arguments { code, description, max_attempts, detail } = arguments::parse(given)?;
    arguments::text("code", &code, shared.body_bytes_max)?;
    arguments::text("description", &description, DESCRIPTION_BYTES_MAX)?;
    let budget = shared.parts.budget;
    if !(1..=ATTEMPTS_MAX).contains(&max_attempts) {
        return Err(format!(
            "argument `max_attempts`: {max_attempts} is not from 1 to {ATTEMPTS_MAX}"
        ));
    }
    let (shared, owner) = (Arc::clone(shared), owner.clone());
    Ok(Box::new(move |tell| {
        Box::pin(async move {
            tell.step("compiling");
            // As with Rust Coder, more than the node gives is no error.
            let budget = Budget { attempts: max_attempts.min(budget.attempts), ..budget };
            let request =
                Repair { description: Some(description), budget, learn: true, ..Repair::default() };
            match repair(&shared, &owner, (code, request, tell)).await {
                Ok(repaired) => answer(&shared, &owner, (repaired, detail)),
                Err(reason) => failure(&reason),
            }
        })
    }))
}

async fn repair(
    shared: &Arc<Shared>,
    owner: &Owner,
    (code, request, tell): (String, Repair, jobs::Tell),
) -> Result<Repaired, String> {
    let (coder, files) = build::coder_of(shared, owner, code).await?;
    let request = Repair { files, ..request };
    let told = move |progress: Progress| tell.step(step(&progress));
    let repaired = coder::repair(&coder, request, &told).await;
    repaired.map_err(|error| error.to_string())
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

fn answer(
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
