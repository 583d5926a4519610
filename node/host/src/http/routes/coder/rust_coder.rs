//! Rust Coder's own API over repairing and generating, with its shapes and status codes: what becomes of
//! a project is told in the body of a 200, and errors have FastAPI's shape.
//!
//! Unlike there, `combined_text` is a project and nothing else, so that it can be sent back as it is.

pub mod describe;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::coder::{Budget, CoderError, Generate, Repair};
use gaia_sandbox::project::{Edition, Project};
use gaia_sandbox::report::Detail;
use serde_json::{Value, json};

use super::super::Shared;
use super::deliver::How;
use super::{deliver, desk, generate as making, repair as mending};
use crate::coder::{Made, Work};
use crate::compile::{Done, JobState};
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::routes::compile::rust_coder::worded;
use crate::http::routes::compile::source::Source;
use crate::http::routes::compile::{download as giving, jobs, service};
use crate::http::{State, auth, body, json};
use crate::store::Owner;

/// What Rust Coder tries unless it is told otherwise, as far as this node's config lets it.
const ATTEMPTS: u32 = 10;

/// `POST /compile-and-fix`: `{code, description, max_attempts?}`.
pub async fn compile_and_fix(axum::extract::State(state): Shared, request: Request) -> Response {
    answered(fix(&state, request).await)
}

/// `POST /generate`: `{description, requirements?}`; the answer comes at `/project/{id}`.
pub async fn generate(axum::extract::State(state): Shared, request: Request) -> Response {
    answered(begin(&state, request).await)
}

/// `POST /generate-sync`: the same, answered when it is there.
pub async fn generate_sync(axum::extract::State(state): Shared, request: Request) -> Response {
    answered(make(&state, request).await)
}

/// `GET /project/{id}`: how far it is.
pub async fn project(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let found = jobs::find(&state, &auth::owner(&request), &id).map_err(not_found);
    answered(found.map(|watched| status(&id, &watched.borrow())))
}

/// `GET /project/{id}/files/{path}`: one file, as text.
pub async fn file(
    axum::extract::State(state): Shared,
    Path((id, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    let one = |project: &Project| project.file(&path).map(<[u8]>::to_vec);
    let found = giving::with_project(&state, (&auth::owner(&request), &id), one);
    match found.map_err(not_found) {
        Ok(Some(bytes)) => giving::text(bytes),
        Ok(None) => worded(ApiError::new(StatusCode::NOT_FOUND, "File not found")),
        Err(error) => worded(error),
    }
}

/// `GET /project/{id}/download`: all files, as a zip archive.
pub async fn download(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let found = giving::with_project(&state, (&auth::owner(&request), &id), Project::to_zip);
    match found.map_err(not_found) {
        Ok(bytes) => giving::zip(&id, bytes),
        Err(error) => worded(error),
    }
}

fn answered(answer: Result<Value, ApiError>) -> Response {
    match answer {
        Ok(answer) => json::ok(&answer),
        Err(error) => worded(error),
    }
}

fn not_found(error: ApiError) -> ApiError {
    match error.code {
        Some("job_not_found" | "no_project") => {
            ApiError { message: "Project not found".into(), ..error }
        }
        _ => error,
    }
}

async fn fix(state: &State, request: Request) -> Result<Value, ApiError> {
    service(state)?;
    let owner = auth::owner(&request);
    let fields = body::read_fields(state, request).await?;
    let (code, repair) = order(fields, desk::budget(state, How::Whole))?;
    let project = match Source::Code(code.clone(), Edition::default()).read().await? {
        Ok(project) => project,
        Err(error) => {
            let reason = format!("The project is refused: {error}");
            return Ok(unfixed(&reason, code, &error.to_string()));
        }
    };
    let work = mending::work((state, &owner), &project, repair)?;
    let made = Work { run: true, ..work }.run(&|_| ()).await?;
    Ok(fixed(&made))
}

fn order(mut fields: Fields, most: Budget) -> Result<(String, Repair), ApiError> {
    let (code, description) = (fields.string("code")?, fields.string("description")?);
    let (Some(code), Some(description)) = (code, description) else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "Missing required fields"));
    };
    let attempts = fields.count("max_attempts")?.unwrap_or(ATTEMPTS).min(most.attempts);
    let budget = Budget { attempts, ..most };
    Ok((code, Repair { description: Some(description), budget, learn: true, ..Repair::default() }))
}

fn fixed(made: &Made) -> Value {
    let outcome = &made.outcome;
    let output = build_output(made);
    let attempts: Vec<_> = outcome
        .attempts
        .iter()
        .map(|one| json!({"attempt": one.attempt, "success": one.success, "output": one.output}))
        .collect();
    let message = match outcome.success {
        true => "Code fixed and compiled successfully".to_owned(),
        false => {
            format!("Failed to fix code after {} attempts: {}", attempts.len(), outcome.message)
        }
    };
    json!({
        "success": outcome.success,
        "message": message,
        "attempts": attempts,
        "combined_text": made.flat(),
        "files": outcome.files,
        "build_output": output,
        "run_output": made.run_output,
        "build_success": outcome.success,
    })
}

fn unfixed(message: &str, code: String, output: &str) -> Value {
    json!({
        "success": false, "message": message, "attempts": [], "combined_text": code, "files": {},
        "build_output": output, "run_output": null, "build_success": false,
    })
}

fn description(mut fields: Fields, most: Budget) -> Result<Generate, ApiError> {
    let description = fields.string("description")?;
    let description = description
        .ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, "Missing required fields"))?;
    let requirements = fields.string("requirements")?;
    Ok(Generate {
        description,
        requirements,
        tests: true,
        budget: most,
        learn: true,
        ..Generate::default()
    })
}

async fn wanted(state: &State, request: Request, how: How) -> Result<(Owner, Work), ApiError> {
    service(state)?;
    let owner = auth::owner(&request);
    let fields = body::read_fields(state, request).await?;
    let generate = description(fields, desk::budget(state, how))?;
    let work = making::work((state, &owner), generate)?;
    Ok((owner, Work { run: true, ..work }))
}

async fn make(state: &State, request: Request) -> Result<Value, ApiError> {
    let (_, work) = wanted(state, request, How::Whole).await?;
    let made = work.run(&|_| ()).await.map_err(|error: CoderError| ApiError::from(error))?;
    Ok(json!({
        "success": made.outcome.success,
        "message": made.outcome.message,
        "combined_text": made.flat().unwrap_or_default(),
        "files": made.outcome.files,
        "build_output": build_output(&made),
        "build_success": made.outcome.success,
    }))
}

async fn begin(state: &State, request: Request) -> Result<Value, ApiError> {
    let (owner, work) = wanted(state, request, How::Later).await?;
    let id = deliver::begin(service(state)?, &owner, (work, Detail::Raw))?;
    Ok(told(&id, ("processing", "Project generation started"), None))
}

/// Rust Coder's words for how far a project is.
fn status(id: &str, state: &JobState) -> Value {
    use gaia_core::coder::Progress;
    let done = match state {
        JobState::Queued => return told(id, ("generating", "It waits for its turn"), None),
        JobState::Telling(Progress::Writing { .. }) => {
            return told(id, ("generating", "The model writes"), None);
        }
        JobState::Telling(_) | JobState::Working(_) => {
            return told(id, ("compiling", "It is compiled and mended"), None);
        }
        JobState::Failed(reason) => return told(id, ("error", reason), None),
        JobState::Done(done, _) => done,
    };
    match done.as_ref() {
        Done::Made(made) => {
            let word = if made.outcome.success { "completed" } else { "failed" };
            told(id, (word, &made.outcome.message), Some(made))
        }
        Done::Compiled(answer) => {
            let message = format!("a compile job, verdict {}", json!(answer.report.verdict));
            told(id, ("completed", &message), None)
        }
    }
}

fn told(id: &str, (status, message): (&str, &str), made: Option<&Made>) -> Value {
    let files: Option<Vec<_>> = made.map(|made| made.outcome.files.keys().collect());
    json!({
        "project_id": id,
        "status": status,
        "message": message,
        "files": files,
        "build_output": made.map(build_output),
        "run_output": made.and_then(|made| made.run_output.clone()),
    })
}

/// What a person would see in a terminal.
fn build_output(made: &Made) -> String {
    if made.outcome.success {
        return "Build successful".to_owned();
    }
    let report = &made.outcome.report;
    let mut text: String = report.errors().map(|error| error.rendered.as_str()).collect();
    let failed = report.tests.iter().filter_map(|test| test.output.as_deref());
    failed.for_each(|output| text.push_str(output));
    if text.is_empty() {
        text.push_str(&report.stderr);
    }
    for note in &report.notes {
        text.push_str(note);
        text.push('\n');
    }
    text
}
