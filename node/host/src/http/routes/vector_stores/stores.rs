//! `/v1/vector_stores` and `/v1/vector_stores/{id}`.

use axum::extract::{Path, Request};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::files::NewFile;
use super::parse::{take_chunker, take_expiry, take_ids, take_metadata, take_text};
use super::{PAGE, find, find_live, keeper, not_made, refused, use_now, wire};
use crate::http::error::ApiError;
use crate::http::ids::{new_id, now_s};
use crate::http::query::{Page, Query};
use crate::http::routes::Shared;
use crate::http::{State, auth, body, json};
use crate::ingest::CHUNKER;
use crate::store::{Owner, Stage, VectorStore};

/// Makes a store, and brings files in.
pub async fn create(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let fields = body::read_fields(&state, request).await?;
    let store = parse(&state, owner, fields)?;
    let made = timeout(state.request_timeout, keeper(&state)?.create(store)).await;
    let late = |_| ApiError::from(gaia_core::ServeError::TimeLimit);
    let store = made.map_err(late)?.map_err(not_made)?;
    Ok(json::ok(&wire::store(&store)))
}

/// The stores of whoever asks.
pub async fn list(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let page = Page::take(&mut query, PAGE)?.before(&mut query);
    query.finish()?;
    let stores = keeper(&state)?.stores().list(&auth::owner(&request));
    let (stores, has_more) = page.cut(stores, |store| &store.id)?;
    let data: Vec<Value> = stores.iter().map(|store| wire::store(store)).collect();
    Ok(json::ok(&wire::page(&data, has_more)))
}

/// What one store is.
pub async fn one(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    Ok(json::ok(&wire::store(&*find(&state, &auth::owner(&request), &id)?)))
}

/// Changes what is noted of a store.
pub async fn modify(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find_live(&state, &auth::owner(&request), &id)?;
    let mut fields = body::read_fields(&state, request).await?;
    let name = take_text(&mut fields, "name")?;
    let metadata = take_metadata(&mut fields)?;
    let expiry = take_expiry(&mut fields)?;
    fields.finish(&[])?;
    let change = move |store: &mut VectorStore| {
        use_now(store)?;
        store.name = name.unwrap_or_else(|| std::mem::take(&mut store.name));
        store.metadata = metadata.unwrap_or_else(|| std::mem::take(&mut store.metadata));
        store.expires_after_days = expiry.or(store.expires_after_days);
        Ok(())
    };
    let store = keeper(&state)?.change(&store.id, change).await.map_err(refused)?;
    Ok(json::ok(&wire::store(&store)))
}

/// Removes a store; its files stay where they are.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find(&state, &auth::owner(&request), &id)?;
    let delete = |store: &mut VectorStore| {
        store.stage = Stage::Deleted;
        Ok(())
    };
    keeper(&state)?.change(&store.id, delete).await.map_err(refused)?;
    Ok(json::ok(&json!({"id": id, "object": "vector_store.deleted", "deleted": true})))
}

fn parse(
    state: &State,
    owner: Owner,
    mut fields: crate::http::fields::Fields,
) -> Result<VectorStore, ApiError> {
    let now = now_s();
    let ids = take_ids(&mut fields, keeper(state)?.stores().files_max())?.unwrap_or_default();
    let chunker = take_chunker(&mut fields)?.unwrap_or(CHUNKER);
    let store = VectorStore {
        id: new_id("vs_"),
        name: take_text(&mut fields, "name")?.unwrap_or_default(),
        description: take_text(&mut fields, "description")?,
        metadata: take_metadata(&mut fields)?.unwrap_or_default(),
        expires_after_days: take_expiry(&mut fields)?,
        created_at: now,
        last_active_at: now,
        stage: Stage::Live,
        files: vec![],
        batches: vec![],
        owner,
    };
    fields.finish(&[])?;
    let file = |id| NewFile { id, attributes: serde_json::Map::new(), chunker };
    let files: Result<Vec<_>, _> =
        ids.into_iter().map(|id| file(id).find(state, &store.owner)).collect();
    Ok(VectorStore { files: files?, ..store })
}
