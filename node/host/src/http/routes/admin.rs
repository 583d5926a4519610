//! `/admin/models`: what is loaded, and changing it. What is changed here is not written to the
//! config file.
//!
//! An operation that may take long is answered 202 as soon as it has begun, or with `?wait=true`
//! when it has ended.

mod describe;
mod entry;
pub mod guard;
mod keys;

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use gaia_core::Model;
use serde_json::{Value, json};

use super::Shared;
use crate::http::error::ApiError;
use crate::http::openapi::Routes;
use crate::http::{State, body, json};
use crate::workers::{Failure, IfItFails, Manager, Operation, Refusal, Slot};

/// The routes, behind their own guard; none where nothing can be changed.
pub fn router(state: &Arc<State>) -> Routes {
    if state.manager.is_none() {
        return Routes::default();
    }
    Routes::default()
        .route(describe::list(), list)
        .route(describe::create(), create)
        .route(describe::swap(), swap)
        .route(describe::remove(), remove)
        .route(describe::load(), load)
        .route(describe::unload(), unload)
        .guarded(state)
}

async fn list(axum::extract::State(state): Shared) -> Response {
    let slots = manager(&state).slots();
    let mut models = futures_util::future::join_all(slots.iter().map(entry::of)).await;
    let served = state.node.models.served();
    let is_here = |name: &str| slots.iter().any(|slot| slot.name() == name);
    for served in served.iter().filter(|served| !is_here(served.model.name())) {
        models.push(entry::of_upstream(served).await);
    }
    json::ok(&json!({"models": models}))
}

async fn create(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let wait = Wait::parse(request.uri())?;
    let changes = keys::changes(body::read_fields(&state, request).await?)?;
    let name = changes.set.get("name").and_then(toml::Value::as_str).unwrap_or_default();
    let name = name.to_owned();
    let if_it_fails = match wait {
        Wait::Yes => IfItFails::Remove,
        Wait::No => IfItFails::Keep,
    };
    let begin = move |manager: &Arc<Manager>| manager.create(&changes, if_it_fails);
    Asked { state, name, wait }.answer(begin).await
}

async fn swap(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let wait = Wait::parse(request.uri())?;
    let changes = keys::changes(body::read_fields(&state, request).await?)?;
    let asked = Asked { state, name: name.clone(), wait };
    asked.answer(move |manager| manager.swap(&name, &changes)).await
}

async fn load(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let asked = Asked { state, name: name.clone(), wait: Wait::parse(&uri)? };
    asked.answer(move |manager| manager.load(&name)).await
}

async fn unload(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let asked = Asked { state, name: name.clone(), wait: Wait::parse(&uri)? };
    asked.answer(move |manager| manager.unload(&name)).await
}

async fn remove(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let asked = Asked { state, name: name.clone(), wait: Wait::parse(&uri)? };
    asked.answer(move |manager| manager.remove(&name)).await
}

fn manager(state: &State) -> &Arc<Manager> {
    state.manager.as_ref().expect("the routes are there only if it is")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Yes,
    No,
}

impl Wait {
    fn parse(uri: &Uri) -> Result<Self, ApiError> {
        match uri.query().unwrap_or_default() {
            "" | "wait=false" => Ok(Self::No),
            "wait=true" => Ok(Self::Yes),
            _ => Err(ApiError::invalid("wait", "the query may be `wait=true` or `wait=false`")),
        }
    }
}

/// One operation's request.
struct Asked {
    state: Arc<State>,
    name: String,
    wait: Wait,
}

impl Asked {
    /// Begins off the threads that serve: files are looked at.
    async fn answer(
        self,
        begin: impl FnOnce(&Arc<Manager>) -> Result<Operation, Refusal> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let manager = Arc::clone(manager(&self.state));
        let begun = tokio::task::spawn_blocking(move || begin(&manager)).await;
        let operation = begun.expect("it does not panic")?;
        if self.wait == Wait::No {
            return Ok(json::response(StatusCode::ACCEPTED, &self.outcome().await));
        }
        match operation.await {
            Ok(Ok(())) => Ok(json::ok(&self.outcome().await)),
            Ok(Err(failure)) => Err(failed(&self.name, &failure)),
            Err(_) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the node is ending")),
        }
    }

    /// The model as it is now.
    async fn outcome(&self) -> Value {
        let slots = manager(&self.state).slots();
        let is_it = |slot: &&Slot| slot.name() == self.name;
        match slots.iter().find(is_it) {
            Some(slot) => entry::of(slot).await,
            None => json!({"name": self.name, "state": "removed"}),
        }
    }
}

fn failed(name: &str, failure: &Failure) -> ApiError {
    let (status, code) = match failure {
        Failure::Load(_) => (StatusCode::UNPROCESSABLE_ENTITY, "load_failed"),
        Failure::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "load_timeout"),
    };
    ApiError::new(status, format!("{name}: {failure}")).with_code(code)
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Unknown { .. } => {
                let error = Self::new(StatusCode::NOT_FOUND, message).with_code("model_not_found");
                Self { param: Some("name".into()), ..error }
            }
            Refusal::Elsewhere { .. } => {
                let error = Self::new(StatusCode::CONFLICT, message).with_code("upstream_model");
                Self { param: Some("name".into()), ..error }
            }
            Refusal::Busy { .. } => {
                Self::new(StatusCode::CONFLICT, message).with_code("model_busy")
            }
            Refusal::Taken(_) => {
                let error = Self::new(StatusCode::CONFLICT, message).with_code("name_taken");
                Self { param: Some("name".into()), ..error }
            }
            Refusal::Full => Self::new(StatusCode::CONFLICT, message).with_code("models_limit"),
            Refusal::Problems(problems) => {
                let error = Self::new(StatusCode::BAD_REQUEST, message).with_code("invalid_model");
                Self { param: problems.into_iter().next().map(|problem| problem.key), ..error }
            }
            Refusal::Ending(error) => error.into(),
        }
    }
}
