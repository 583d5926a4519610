//! The project of a job that repaired or made one, as an archive or file by file.

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use gaia_sandbox::project::Project;

use super::super::Shared;
use super::jobs;
use crate::compile::{Done, JobState};
use crate::http::error::ApiError;
use crate::http::{State, auth};
use crate::store::Owner;

/// The whole project as a zip file.
///
/// # Errors
/// There is no such job, or it has no project.
pub async fn archive(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let bytes = with_project(&state, (&auth::owner(&request), &id), Project::to_zip)?;
    Ok(zip(&id, bytes))
}

/// One file of it.
///
/// # Errors
/// As [`archive`]; it has no such file.
pub async fn file(
    axum::extract::State(state): Shared,
    Path((id, path)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let one = |project: &Project| project.file(&path).map(<[u8]>::to_vec);
    let bytes = with_project(&state, (&auth::owner(&request), &id), one)?;
    bytes.map(text).ok_or_else(|| {
        let shown: String = path.chars().take(200).collect();
        ApiError::new(StatusCode::NOT_FOUND, format!("the project has no file {shown:?}"))
            .with_code("file_not_found")
    })
}

/// What `look` finds in the project of a job.
///
/// # Errors
/// There is no such job, it has not ended, or it has no project.
pub fn with_project<T>(
    state: &State,
    (owner, id): (&Owner, &str),
    look: impl FnOnce(&Project) -> T,
) -> Result<T, ApiError> {
    let watched = jobs::find(state, owner, id)?;
    let now = watched.borrow().clone();
    if !now.has_ended() {
        let message = "the job has not ended: ask again when its state is \"done\"";
        return Err(ApiError::new(StatusCode::CONFLICT, message).with_code("job_not_ended"));
    }
    let JobState::Done(done, _) = &now else { return Err(no_project()) };
    let Done::Made(made) = done.as_ref() else { return Err(no_project()) };
    made.project.as_ref().map(look).ok_or_else(no_project)
}

fn no_project() -> ApiError {
    let message = "this job has no project: only one that repaired or made one has";
    ApiError::new(StatusCode::NOT_FOUND, message).with_code("no_project")
}

/// An archive, to be saved.
pub fn zip(id: &str, bytes: Vec<u8>) -> Response {
    let mut response = typed(bytes, "application/zip");
    let name = format!("attachment; filename=\"project-{id}.zip\"");
    let name = HeaderValue::from_str(&name).expect("a job that was found has a plain id");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response
}

/// A file, which no browser shall take for a page.
pub fn text(bytes: Vec<u8>) -> Response {
    typed(bytes, "text/plain; charset=utf-8")
}

fn typed(bytes: Vec<u8>, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let sniff = HeaderName::from_static("x-content-type-options");
    response.headers_mut().insert(sniff, HeaderValue::from_static("nosniff"));
    response
}
