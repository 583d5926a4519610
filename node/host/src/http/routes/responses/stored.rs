//! Answers that are kept: `GET` and `DELETE /v1/responses/{id}`, and what they were asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::input::Input;
use super::item::Item;
use crate::http::State;
use crate::http::auth;
use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::json;
use crate::http::query::{Limit, Page, Query};
use crate::http::routes::Shared;
use crate::store::Owner;

/// Items of a page.
pub const PAGE: Limit = Limit { default: 20, max: 100 };

/// An answer and what a later request needs of it.
pub struct Stored {
    /// Its JSON.
    pub body: String,
    /// The answer that it went on from.
    pub previous: Option<String>,
    /// What it was asked.
    pub input: Vec<Item>,
    /// What it consists of.
    pub output: Vec<Item>,
}

impl Stored {
    /// What it was asked and what it consists of.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.input.iter().chain(&self.output)
    }
}

/// An answer.
pub async fn get(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    if query.take("stream").is_some_and(|stream| stream != "false") {
        return Err(must_be("stream", "false: an answer is streamed once"));
    }
    // All that can be included is.
    let _ = query.take("include").or_else(|| query.take("include[]"));
    query.finish()?;
    let stored = find(&state, &auth::owner(&request), &id)?;
    let mut response = Response::new(Body::from(stored.body.clone()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// Forgets an answer.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    if !state.responses.remove(&auth::owner(&request), &id) {
        return Err(unknown(&id));
    }
    Ok(json::ok(&json!({"id": id, "object": "response", "deleted": true})))
}

/// What an answer was asked, without what its predecessors were.
pub async fn input_items(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let _ = query.take("include").or_else(|| query.take("include[]"));
    let page = Page::take(&mut query, PAGE)?;
    query.finish()?;
    let stored = find(&state, &auth::owner(&request), &id)?;
    let (data, has_more) = page.cut(stored.input.iter().collect(), |item| item.id())?;
    let id = |item: Option<&&Item>| item.map(|item| item.id().to_owned());
    Ok(json::ok(&json!({
        "object": "list",
        "data": data,
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "has_more": has_more,
    })))
}

/// What a request may take from the store: not more than it may bring along, for a few bytes can
/// name much, and all of it must fit a frame to the worker.
pub struct Budget {
    bytes_max: usize,
    left: usize,
}

impl Budget {
    /// As much as a body may have.
    pub fn new(state: &State) -> Self {
        Self { bytes_max: state.body_bytes_max, left: state.body_bytes_max }
    }

    fn take(&mut self, bytes: usize, param: &str) -> Result<(), ApiError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| {
            let limit = self.bytes_max;
            let message = format!("`{param}` adds more than this node's limit of {limit} bytes");
            ApiError::invalid(param, message)
        })?;
        Ok(())
    }
}

/// All that was said up to and including the answer `id`, oldest first; nothing of it is copied.
pub fn history(
    state: &State,
    owner: &Owner,
    id: &str,
    budget: &mut Budget,
) -> Result<Vec<Arc<Stored>>, ApiError> {
    let (mut turns, mut next) = (vec![], Some(id.to_owned()));
    while let Some(id) = next {
        let turn = state.responses.get(owner, &id).ok_or_else(|| unknown_previous(&id))?;
        for item in turn.items() {
            budget.take(item.bytes(), "previous_response_id")?;
        }
        next = turn.previous.clone();
        turns.push(turn);
    }
    turns.reverse();
    Ok(turns)
}

/// The items that `inputs` are or stand for.
pub fn resolve(
    state: &State,
    owner: &Owner,
    inputs: Vec<Input>,
    budget: &mut Budget,
) -> Result<Vec<Item>, ApiError> {
    let item = |input| match input {
        Input::Item(item) => Ok(item),
        Input::Reference { id, param } => {
            let stored = state.responses.with_part(owner, &id);
            let mut items = stored.iter().flat_map(|stored| stored.items());
            let found = items.find(|item| item.id() == id).ok_or_else(|| {
                let message = format!("`{param}`: no stored item has the id {id:?}");
                ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid(&param, message) }
            })?;
            budget.take(found.copy_bytes(), &param)?;
            Ok(found.clone())
        }
    };
    inputs.into_iter().map(item).collect()
}

fn find(state: &State, owner: &Owner, id: &str) -> Result<Arc<Stored>, ApiError> {
    state.responses.get(owner, id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    let message = format!("Response with id '{id}' not found.");
    ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid("response_id", message) }
}

fn unknown_previous(id: &str) -> ApiError {
    let message = format!("Previous response with id '{id}' not found.");
    ApiError::invalid("previous_response_id", message).with_code("previous_response_not_found")
}
