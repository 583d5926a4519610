//! `POST /v1/explain`: an error's number, what the compiler said, a project or a question, explained
//! from what is known for sure, by a model if there is one.

mod request;
mod wire;

use std::future::ready;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use gaia_core::build::{BuildError, BuildJob, BuildReply, ExplainReply};
use gaia_core::coder::{Coder, Explained};
use gaia_core::{Builder, ServeError};
use tokio::time::timeout;

use self::request::Parsed;
pub use self::wire::Whole;
use self::wire::{Chunks, Head};
use super::super::Shared;
use crate::compile::{Offer, OwnersBuilder};
use crate::http::error::ApiError;
use crate::http::running::Running;
use crate::http::{State, auth, body, json, sse};
use crate::store::Owner;

/// Explains, whole or streamed.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let coder = coder(&state, &auth::owner(&request));
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

/// Where the sandbox is closed, explanations do without.
fn coder(state: &State, owner: &Owner) -> Coder {
    let builder: Arc<dyn Builder> = match &state.compile {
        Offer::Open(service) => Arc::new(OwnersBuilder::new(Arc::clone(service), owner.clone())),
        Offer::Closed(reason) => Arc::new(NoBuilder(reason.clone())),
    };
    state.coder_with(owner, builder)
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

/// Stands where nothing is compiled: explanations do without.
struct NoBuilder(String);

impl Builder for NoBuilder {
    fn run(&self, _: BuildJob) -> BuildReply<'_> {
        Box::pin(ready(Err(BuildError::Unavailable(self.0.clone()))))
    }

    fn explain<'a>(&'a self, _: &'a str) -> ExplainReply<'a> {
        Box::pin(ready(Err(BuildError::Unavailable(self.0.clone()))))
    }
}
