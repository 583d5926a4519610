//! Long work whose client may watch it: the answer is then events `progress`, and at the end `done` or
//! `error`. A client that goes away drops the work.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http::error::ApiError;
use crate::http::json;
use crate::http::sse::{self, Frame};

/// How often a stream tells how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// The work, and what is told at its end.
pub type Work = Pin<Box<dyn Future<Output = Result<Value, ApiError>> + Send>>;

/// Work under way.
struct Under<T> {
    /// `None` after the end.
    work: Option<Work>,
    told: watch::Receiver<T>,
}

/// Answers at the end, or, with what is told of its progress, by events.
///
/// # Errors
/// The work's own, where nobody watches.
pub async fn answer<T: Serialize + Send + Sync + 'static>(
    work: Work,
    told: Option<watch::Receiver<T>>,
) -> Result<Response, ApiError> {
    let Some(told) = told else { return Ok(json::ok(&work.await?)) };
    let under = Under { work: Some(work), told };
    Ok(sse::of_body(Body::from_stream(stream::unfold(under, next))))
}

async fn next<T: Serialize>(mut under: Under<T>) -> Option<(Result<Bytes, Infallible>, Under<T>)> {
    let frame = match timeout(TELL_EVERY, under.work.as_mut()?).await {
        Err(_) => Frame::named("progress", &*under.told.borrow_and_update()),
        Ok(done) => {
            under.work = None;
            match done {
                Ok(done) => Frame::named("done", &done),
                Err(error) => Frame::named("error", &error.body()),
            }
        }
    };
    Some((Ok(sse::wire(frame).into()), under))
}
