//! `GET /v1/jobs/{id}/events`: each step of a job as it begins, then its answer.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::Shared;
use super::{answer, jobs};
use crate::compile::JobState;
use crate::http::auth;
use crate::http::error::ApiError;
use crate::http::sse::{self, Frame};

/// Streams a job. Who goes away leaves the job alone.
pub async fn get(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let watched = jobs::find(&state, &auth::owner(&request), &id)?;
    let progress = Progress { id, watched, told: Told::Nothing };
    Ok(sse::of_body(Body::from_stream(stream::unfold(progress, Progress::next))))
}

struct Progress {
    id: String,
    watched: watch::Receiver<JobState>,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Something,
    Everything,
}

impl Progress {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        match self.told {
            Told::Nothing => {}
            Told::Something => match timeout(sse::KEEP_ALIVE, self.watched.changed()).await {
                Ok(Ok(())) => {}
                // The job was deleted.
                Ok(Err(_)) => return None,
                Err(_) => return Some((Ok(Bytes::from_static(b":\n\n")), self)),
            },
            Told::Everything => return None,
        }
        let state = self.watched.borrow_and_update().clone();
        self.told = if state.has_ended() { Told::Everything } else { Told::Something };
        let name = if state.has_ended() { "result" } else { "state" };
        let text = sse::wire(Frame::named(name, &answer::job(&self.id, &state)));
        Some((Ok(Bytes::from(text)), self))
    }
}
