//! Three ways to hear of a work: its answer at the end, its steps as they happen, or later, as a job.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use gaia_core::coder::{CoderError, Progress};
use gaia_sandbox::report::Detail;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::wire;
use crate::coder::{Made, Work};
use crate::compile::{Done, JobState, Service};
use crate::http::error::ApiError;
use crate::http::fields::Fields;
use crate::http::json;
use crate::http::routes::compile::{answer, refusal};
use crate::http::sse::{self, Frame, KEEP_ALIVE};
use crate::store::Owner;

/// Steps that a slow reader may leave unread; the next ones are left out for it, the answer never.
const UNREAD_MAX: usize = 64;

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// When it is there.
    Whole,
    /// With each step before it.
    Streamed,
    /// As a job of `/v1/jobs`.
    Later,
}

impl How {
    /// Takes `stream` and `background`.
    ///
    /// # Errors
    /// Both are wanted.
    pub fn take(fields: &mut Fields) -> Result<Self, ApiError> {
        match (fields.flag("stream")?, fields.flag("background")?) {
            (false, false) => Ok(Self::Whole),
            (true, false) => Ok(Self::Streamed),
            (false, true) => Ok(Self::Later),
            (true, true) => {
                let message = "`background` and `stream` exclude each other: a job's steps are at \
                               /v1/jobs/{id}/events";
                Err(ApiError::invalid("background", message))
            }
        }
    }
}

/// Does a work and answers as it is wanted. Who hangs up takes it along, unless it is a job.
///
/// # Errors
/// What is known before anything was said.
pub async fn deliver(
    (service, owner): (&Service, &Owner),
    (work, detail): (Work, Detail),
    how: How,
) -> Result<Response, ApiError> {
    match how {
        How::Whole => {
            let made = work.run(&|_| ()).await?;
            Ok(json::ok(&wire::made(&Made { detail, ..made })))
        }
        How::Streamed => Ok(streamed(work, detail)),
        How::Later => {
            let id = begin(service, owner, (work, detail))?;
            Ok(json::response(StatusCode::ACCEPTED, &answer::job(&id, &JobState::Queued)))
        }
    }
}

/// Makes a work a job; its id.
///
/// # Errors
/// There is no room for one more.
pub fn begin(
    service: &Service,
    owner: &Owner,
    (work, detail): (Work, Detail),
) -> Result<String, ApiError> {
    let (told, state) = watch::channel(JobState::Queued);
    let task = async move {
        let tell = |progress: Progress| {
            told.send_replace(JobState::Telling(progress));
        };
        let ended = match work.run(&tell).await {
            Ok(made) => {
                let bytes = made.bytes();
                let made = Box::new(Made { detail, ..made });
                JobState::Done(Arc::new(Done::Made(made)), bytes)
            }
            Err(error) => JobState::Failed(error.to_string()),
        };
        told.send_replace(ended);
    };
    service.jobs().begin(owner, (None, state), task).map_err(refusal)
}

type Running = Pin<Box<dyn Future<Output = Result<Made, CoderError>> + Send>>;

/// A work whose steps are told as it is polled.
struct Telling {
    /// None after its end.
    work: Option<Running>,
    heard: mpsc::Receiver<Progress>,
    detail: Detail,
}

fn streamed(work: Work, detail: Detail) -> Response {
    let (told, heard) = mpsc::channel(UNREAD_MAX);
    let running = async move {
        // A step that nobody reads is left out.
        let tell = move |progress: Progress| drop(told.try_send(progress));
        work.run(&tell).await
    };
    let telling = Telling { work: Some(Box::pin(running)), heard, detail };
    sse::of_body(Body::from_stream(stream::unfold(telling, Telling::next)))
}

impl Telling {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let work = self.work.as_mut()?;
        let text = tokio::select! {
            biased;
            Some(progress) = self.heard.recv() => step(&progress),
            ended = work => {
                self.work = None;
                self.end(ended)
            }
            () = sleep(KEEP_ALIVE) => ":\n\n".to_owned(),
        };
        Some((Ok(Bytes::from(text)), self))
    }

    /// The steps that were told with the end, and the answer.
    fn end(&mut self, ended: Result<Made, CoderError>) -> String {
        let mut text = String::new();
        while let Ok(progress) = self.heard.try_recv() {
            text.push_str(&step(&progress));
        }
        let last = match ended {
            Ok(made) => Frame::named("result", &wire::made(&Made { detail: self.detail, ..made })),
            Err(error) => Frame::named("error", &ApiError::from(error).body()),
        };
        text.push_str(&sse::wire(last));
        text
    }
}

fn step(progress: &Progress) -> String {
    sse::wire(Frame::named("progress", progress))
}
