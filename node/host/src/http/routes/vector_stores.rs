//! `/v1/vector_stores`, as OpenAI has it: collections of a user's own files that can be searched.
//! Each user sees the own stores alone.

mod batches;
mod describe;
mod files;
mod parse;
mod search;
mod stores;
mod wire;

use std::sync::Arc;

use axum::http::StatusCode;

pub use self::describe::ranking;
pub use self::search::{of_attributes, take_ranking};
use crate::http::State;
use crate::http::error::ApiError;
use crate::http::ids::now_s;
use crate::http::openapi::Routes;
use crate::http::query::Limit;
use crate::http::routes::files::refusal;
use crate::store::{Owner, Stage, StoreError, VectorStore, VectorStoreError};
use crate::vector_stores::{KeepError, VectorStoreKeeper};

/// Stores or files of one page.
const PAGE: Limit = Limit { default: 20, max: 100 };

/// The routes; none on a node without vector stores.
pub fn router(state: &Arc<State>) -> Routes {
    let Some(keeper) = &state.vector_stores else { return Routes::default() };
    Routes::default()
        .route(describe::create_store(keeper.stores().files_max()), stores::create)
        .route(describe::list_stores(), stores::list)
        .route(describe::get_store(), stores::one)
        .route(describe::modify_store(), stores::modify)
        .route(describe::delete_store(), stores::delete)
        .route(describe::search(), search::post)
        .route(describe::add_file(), files::create)
        .route(describe::list_files(), files::list)
        .route(describe::get_file(), files::one)
        .route(describe::modify_file(), files::modify)
        .route(describe::remove_file(), files::delete)
        .route(describe::file_content(), files::content)
        .route(describe::add_batch(), batches::create)
        .route(describe::get_batch(), batches::one)
        .route(describe::cancel_batch(), batches::cancel)
        .route(describe::batch_files(), batches::files)
}

fn keeper(state: &State) -> Result<&VectorStoreKeeper, ApiError> {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "this node has no vector stores");
    state.vector_stores.as_ref().ok_or_else(missing)
}

/// The store of that id, if it is the owner's.
fn find(state: &State, owner: &Owner, id: &str) -> Result<Arc<VectorStore>, ApiError> {
    let found = keeper(state)?.stores().get(owner, id);
    found.ok_or_else(|| not_found("vector_store_id", format!("No such vector store: {id}")))
}

/// The same, if its time is not over.
fn find_live(state: &State, owner: &Owner, id: &str) -> Result<Arc<VectorStore>, ApiError> {
    let store = find(state, owner, id)?;
    store.check_live(now_s()).map_err(refused)?;
    Ok(store)
}

/// The same, which counts as used now.
pub async fn store_in_use(
    state: &State,
    owner: &Owner,
    id: &str,
) -> Result<Arc<VectorStore>, ApiError> {
    let store = find_live(state, owner, id)?;
    if let Err(error) = keeper(state)?.stores().touch(id, now_s()).await {
        tracing::warn!(%error, "a vector store's use could not be noted");
    }
    Ok(store)
}

/// Notes that a store is used now.
fn use_now(store: &mut VectorStore) -> Result<(), VectorStoreError> {
    let now = now_s();
    store.check_live(now)?;
    store.last_active_at = now;
    Ok(())
}

fn not_found(param: &str, message: String) -> ApiError {
    ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid(param, message) }
}

/// What the sender hears when a store is not changed.
pub fn refused(error: VectorStoreError) -> ApiError {
    let message = error.to_string();
    match error {
        VectorStoreError::Gone => not_found("vector_store_id", message),
        VectorStoreError::Expired => {
            ApiError::invalid("vector_store_id", message).with_code("vector_store_expired")
        }
        VectorStoreError::Full(_) => {
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, message).with_code("storage_full")
        }
        VectorStoreError::Busy(_) => {
            let retry_after = Some(std::time::Duration::from_secs(10));
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, message);
            ApiError { retry_after, ..error.with_code("overloaded") }
        }
        VectorStoreError::Disk(error) => refusal(StoreError::Disk(error)),
    }
}

fn not_made(error: KeepError) -> ApiError {
    match error {
        KeepError::Store(error) => refused(error),
        KeepError::Serve(error) => error.into(),
    }
}

/// What a store's stage is called.
fn status(store: &VectorStore) -> &'static str {
    match store.stage {
        Stage::Live if store.check_live(now_s()).is_err() => "expired",
        Stage::Live if store.waiting() > 0 => "in_progress",
        Stage::Live => "completed",
        Stage::Expiring | Stage::Expired | Stage::Deleted => "expired",
    }
}
