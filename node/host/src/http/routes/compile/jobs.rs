//! `/v1/jobs`: jobs that are begun now and asked for later.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::sync::watch;

use super::super::Shared;
use super::{answer, refusal, request, service};
use crate::compile::JobState;
use crate::http::error::ApiError;
use crate::http::{State, auth, body, json};
use crate::store::Owner;

/// Begins a job: 202 with its id. A project that is refused as it is gets its answer at once.
pub async fn begin(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let service = service(&state)?;
    let owner = auth::owner(&request);
    let fields = body::read_fields(&state, request).await?;
    match request::parse(fields, service).await? {
        Ok(job) => {
            let id = service.begin(&owner, *job).map_err(refusal)?;
            Ok(json::response(StatusCode::ACCEPTED, &answer::job(&id, &JobState::Queued)))
        }
        Err(refused) => Ok(json::ok(&answer::wire(&refused))),
    }
}

/// How far a job is, and its answer once it has one.
pub async fn get(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let watched = find(&state, &auth::owner(&request), &id)?;
    let now = watched.borrow().clone();
    Ok(json::ok(&answer::job(&id, &now)))
}

/// Ends a job, if it has not ended, and forgets it.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    if !service(&state)?.jobs().remove(&auth::owner(&request), &id) {
        return Err(unknown(&id));
    }
    Ok(json::ok(&json!({"id": id, "object": "job", "deleted": true})))
}

/// A job of this key.
pub fn find(state: &State, owner: &Owner, id: &str) -> Result<watch::Receiver<JobState>, ApiError> {
    service(state)?.jobs().look(owner, id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    let shown: String = id.chars().take(64).collect();
    let message = format!("there is no job {shown:?}: it was deleted, or has ended too long ago");
    ApiError::new(StatusCode::NOT_FOUND, message).with_code("job_not_found")
}
