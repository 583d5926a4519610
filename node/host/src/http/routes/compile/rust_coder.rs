//! `POST /compile`, with the shapes and status codes of Rust Coder: whether a project is built or not,
//! the status is 200, and `success` tells.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use gaia_sandbox::builder::{Answer, Job, Task};
use gaia_sandbox::project::{Edition, Project, ProjectError};
use gaia_sandbox::report::{Detail, Level, Verdict};
use serde_json::{Value, json};

use super::super::Shared;
use super::source::Source;
use super::{refusal, service};
use crate::compile::Service;
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::{State, auth, body, json};
use crate::store::Owner;

/// Builds and runs a project.
pub async fn post(axum::extract::State(state): Shared, request: Request) -> Response {
    match answer(&state, request).await {
        Ok(answer) => json::ok(&answer),
        Err(error) => worded(error),
    }
}

/// FastAPI's shape of an error, with the status and headers of ours.
pub fn worded(error: ApiError) -> Response {
    let (status, message) = (error.status, error.message.clone());
    let mut response = json::response(status, &json!({"detail": message}));
    *response.headers_mut() = {
        let mut headers = error.into_response().headers().clone();
        headers.remove(axum::http::header::CONTENT_LENGTH);
        headers
    };
    response
}

async fn answer(state: &State, request: Request) -> Result<Value, ApiError> {
    let service = service(state)?;
    let owner = auth::owner(&request);
    let code = code(body::read_fields(state, request).await?)?;
    match Source::Code(code, Edition::default()).read().await? {
        Ok(project) => run(service, &owner, project).await,
        Err(error) => Ok(refused(&error)),
    }
}

fn code(mut fields: Fields) -> Result<String, ApiError> {
    let code = fields.string("code")?;
    code.ok_or_else(|| ApiError::invalid("code", "Missing 'code' field"))
}

fn refused(error: &ProjectError) -> Value {
    failure(&[], error.to_string(), (error.to_string(), String::new()))
}

async fn run(service: &Service, owner: &Owner, project: Project) -> Result<Value, ApiError> {
    let paths: Vec<String> = project.files().map(|(path, _)| path.as_str().to_owned()).collect();
    let mut job = Job { detail: Detail::Raw, ..Job::new(project, Task::Run) };
    job.limits = service.config().limits;
    job.limits.run_time = service.config().run_time;
    let library = job.project.contains("src/lib.rs") && !job.project.contains("src/main.rs");
    if library {
        job.task = Task::Build;
    }
    let answer = service.answer(owner, job).await.map_err(refusal)?;
    Ok(told(&paths, &answer))
}

fn told(paths: &[String], answer: &Answer) -> Value {
    let report = &answer.report;
    match report.verdict {
        Verdict::Ok => success(paths, report.stdout.clone()),
        // It was built: what it did then is its own affair.
        _ if report.exit_code.is_some() || report.timings.run_ms > 0 => {
            let notes = answer.notes.join("\n");
            success(paths, format!("{}{}{notes}", report.stdout, report.stderr))
        }
        _ => failure(paths, build_output(answer), first_error(answer)),
    }
}

fn success(paths: &[String], run_output: String) -> Value {
    json!({
        "success": true,
        "files": paths,
        "build_output": "Build successful",
        "run_output": run_output,
    })
}

fn failure(paths: &[String], output: String, (message, location): (String, String)) -> Value {
    json!({
        "success": false,
        "files": paths,
        "build_output": output,
        "error_details": {
            "full_error": output,
            "error_message": message,
            "error_location": location,
        },
    })
}

/// What a person would see in a terminal.
fn build_output(answer: &Answer) -> String {
    let rendered = answer.report.diagnostics.iter().map(|diagnostic| diagnostic.rendered.as_str());
    let mut text: String = rendered.collect();
    text.push_str(&answer.report.stderr);
    for line in answer.reasons.iter().chain(&answer.notes) {
        text.push_str(line);
        text.push('\n');
    }
    if answer.report.verdict == Verdict::Timeout {
        text.push_str("the time for building was over\n");
    }
    text
}

fn first_error(answer: &Answer) -> (String, String) {
    let mut all = answer.report.diagnostics.iter();
    let Some(error) = all.find(|diagnostic| diagnostic.level <= Level::Error) else {
        let said = answer.reasons.first().or(answer.notes.first()).cloned();
        return (said.unwrap_or_else(|| answer.report.stderr.clone()), String::new());
    };
    let place = error
        .primary()
        .map(|span| format!("{}:{}:{}", span.file, span.line_start, span.column_start));
    (error.message.clone(), place.unwrap_or_default())
}
