//! `POST /v1/explain`: an error's number, what the compiler said, a project or a question, explained
//! from what is known for sure, by a model if there is one.

mod request;
mod wire;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::coder::Explained;
use tokio::time::timeout;

use self::request::Parsed;
pub use self::wire::Whole;
use self::wire::{Chunks, Head};
use super::super::Shared;
use crate::http::error::ApiError;
use crate::http::running::Running;
use crate::http::{auth, body, json, sse};

/// Explains, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let coder = super::coder(&state, &auth::owner(&request));
    let Parsed { explain, stream } =
        request::parse(body::read_fields(&state, request).await?).await?;
    let work = gaia_core::coder::explain(&coder, explain);
    let done = timeout(state.request_timeout, work).await;
    let mut explained = done.map_err(|_| ServeError::TimeLimit)??;
    let running = explained.answers.take().map(|answers| Running::new(&state, answers));
    let head = Head::new(&running, &mut explained);
    match running {
        Some(running) if stream => spoken(running, head).await,
        Some(running) => {
            let (all, usage) = running.collect_all().await?;
            let text = all.first().map(|completion| completion.text.as_str()).unwrap_or_default();
            Ok(json::ok(&Whole::new(&head, text, Some(usage))))
        }
        None => Ok(known(&explained, (head, stream))),
    }
}

async fn spoken(mut running: Running, head: Head) -> Result<Response, ApiError> {
    running.open().await?;
    Ok(sse::response(running, Chunks::new(head)))
}

/// What needs no model is there at once.
fn known(explained: &Explained, (head, stream): (Head, bool)) -> Response {
    if !stream {
        return json::ok(&Whole::new(&head, &explained.text, None));
    }
    let text: String = Chunks::new(head).all(&explained.text).into_iter().map(sse::wire).collect();
    sse::of_body(text.into())
}
