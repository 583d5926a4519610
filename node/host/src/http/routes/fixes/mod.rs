//! `/v1/fixes`: what the coder remembers. Whoever may ask sees the fixes that may help him and forgets
//! his own; whoever may manage the node sees and forgets all. Importing takes that, or a trusted key.

mod describe;
mod export;
mod import;

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::coder::fixes::Asker;
use serde_json::json;

use super::Shared;
use super::admin::guard;
use crate::coder::FixKeeper;
use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::openapi::Routes;
use crate::http::query::Query;
use crate::http::{State, auth, json};

/// Fixes of a page, where nothing is asked, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .route(describe::list(), list)
        .route(describe::export(), export::get)
        .route(describe::import(), import::post)
        .route(describe::forget(), forget)
}

/// Some fixes, in the order of their ids.
async fn list(axum::extract::State(state): Shared, request: Request) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let from = query.take("from");
    let limit = match query.take("limit").map(|text| text.parse()) {
        None => PAGE,
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => limit,
        Some(_) => return Err(must_be("limit", &format!("from 1 to {PAGE_MAX}"))),
    };
    query.finish()?;
    let store = keeper(&state)?.store().await?;
    let reader = reader(&state, &request);
    let page = store.list(reader.as_ref(), from.as_deref(), limit).await?;
    Ok(json::ok(&json!({
        "fixes": page.fixes,
        "next": page.next,
        "embedder": store.embedder(),
    })))
}

/// Forgets a fix.
async fn forget(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let forgotten = keeper(&state)?.forget(reader(&state, &request), &id).await?;
    if !forgotten {
        let message = format!("there is no fix {id} that is yours to forget");
        let error = ApiError::invalid("id", message).with_code("fix_not_found");
        return Err(ApiError { status: StatusCode::NOT_FOUND, ..error });
    }
    Ok(json::ok(&json!({"id": id, "deleted": true})))
}

fn keeper(state: &State) -> Result<&Arc<FixKeeper>, ApiError> {
    state.coding.fixes.as_ref().map_err(|reason| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, *reason).with_code("memory_closed")
    })
}

/// Through whose eyes the memory is seen; nobody's: all of it.
fn reader(state: &State, request: &Request) -> Option<Asker> {
    let manages = guard::verdict(state, request.headers()).is_ok();
    (!manages).then(|| state.asker(&auth::owner(request)))
}
