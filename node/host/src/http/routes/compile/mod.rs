//! Compiling Rust projects: `POST /v1/compile` while the client waits, `/v1/jobs` for later, and
//! `POST /compile` as Rust Coder has it. Where the sandbox is closed, all answer 503 with the reason.

pub mod answer;
pub mod describe;
pub mod download;
mod events;
pub mod jobs;
mod request;
pub mod rust_coder;
pub mod source;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::Shared;
use crate::compile::{Offer, Refusal, Service};
use crate::http::error::ApiError;
use crate::http::openapi::Routes;
use crate::http::{State, auth, body, json};

/// What who met a full line is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The routes.
pub fn router() -> Routes {
    Routes::default()
        .route(describe::compile(), compile)
        .route(describe::begin_job(), jobs::begin)
        .route(describe::get_job(), jobs::get)
        .route(describe::delete_job(), jobs::delete)
        .route(describe::job_events(), events::get)
        .route(describe::job_download(), download::archive)
        .route(describe::job_file(), download::file)
        .route(describe::rust_coder_compile(), rust_coder::post)
}

/// Does a job and answers when it has ended.
async fn compile(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let service = service(&state)?;
    let owner = auth::owner(&request);
    let fields = body::read_fields(&state, request).await?;
    let answer = match request::parse(fields, service).await? {
        Ok(job) => service.answer(&owner, *job).await.map_err(refusal)?,
        Err(refused) => *refused,
    };
    Ok(json::ok(&answer::wire(&answer)))
}

/// The sandbox.
///
/// # Errors
/// It is closed: the reason.
pub fn service(state: &State) -> Result<&Arc<Service>, ApiError> {
    match &state.compile {
        Offer::Open(service) => Ok(service),
        Offer::Closed(reason) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, reason).with_code("compile_closed"))
        }
    }
}

/// What a refusal of the sandbox is in HTTP.
pub fn refusal(refusal: Refusal) -> ApiError {
    let message = refusal.to_string();
    let (status, code) = match &refusal {
        Refusal::Full(_) | Refusal::TooManyJobs { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "overloaded")
        }
        Refusal::TooSlow(_) => (StatusCode::GATEWAY_TIMEOUT, "time_limit"),
        Refusal::Sandbox(error) => {
            tracing::error!(%error, "the sandbox failed");
            (StatusCode::SERVICE_UNAVAILABLE, "sandbox_failed")
        }
        Refusal::Ending => (StatusCode::SERVICE_UNAVAILABLE, "node_ends"),
    };
    let retry_after = (status == StatusCode::TOO_MANY_REQUESTS).then_some(RETRY_AFTER);
    ApiError { retry_after, ..ApiError::new(status, message).with_code(code) }
}
