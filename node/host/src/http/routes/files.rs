//! `/v1/files`: what users upload, in OpenAI's shapes, and LlamaEdge's `/v1/files/download/{id}`.

mod content;
mod describe;
mod form;
mod upload;

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

pub use self::content::{attachment, body as body_of, content, download};
pub use self::describe::routes;
pub use self::form::{Patience, open, too_slow};
pub use self::upload::post;
use super::Shared;
use super::vector_stores::refused;
use crate::http::error::ApiError;
use crate::http::query::{Limit, Page, Query};
use crate::http::{State, auth, json};
use crate::store::{FileInfo, Owner, StoreError};

const PAGE: Limit = Limit { default: 10_000, max: 10_000 };

/// A file, as OpenAI's clients read it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "File")]
struct FileObject<'a> {
    id: &'a str,
    object: &'static str,
    bytes: u64,
    created_at: u64,
    expires_at: (),
    filename: &'a str,
    purpose: &'a str,
    status: &'static str,
    status_details: (),
}

impl<'a> From<&'a FileInfo> for FileObject<'a> {
    fn from(file: &'a FileInfo) -> Self {
        let FileInfo { id, filename, purpose, bytes, created_at, .. } = file;
        Self {
            id,
            object: "file",
            bytes: *bytes,
            created_at: *created_at,
            expires_at: (),
            filename,
            purpose,
            status: "processed",
            status_details: (),
        }
    }
}

/// The files of whoever asks.
pub async fn list(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let purpose = query.take("purpose");
    let page = Page::take(&mut query, PAGE)?;
    query.finish()?;
    let mut files = state.files.list(&auth::owner(&request));
    files.retain(|file| purpose.as_ref().is_none_or(|purpose| file.purpose == *purpose));
    let (files, has_more) = page.cut(files, |file| &file.id)?;
    let data: Vec<_> = files.iter().map(|file| FileObject::from(&**file)).collect();
    Ok(json::ok(&json!({
        "object": "list",
        "data": data,
        "first_id": files.first().map(|file| &file.id),
        "last_id": files.last().map(|file| &file.id),
        "has_more": has_more,
    })))
}

/// What one file is.
pub async fn one(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let file = find(&state, &auth::owner(&request), &id)?;
    Ok(json::ok(&FileObject::from(&*file)))
}

/// Removes a file, from vector stores first.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    let keeper = state.vector_stores.as_ref();
    let let_go = keeper.map(|keeper| keeper.letting_go(&owner, &id));
    let let_go = move || let_go.as_ref().map_or(Ok(()), |let_go| let_go());
    if !state.files.remove(&owner, &id, let_go).await.map_err(refused)? {
        return Err(unknown(&id));
    }
    Ok(json::ok(&json!({"id": id, "object": "file", "deleted": true})))
}

/// The file of that id, if it is the owner's.
pub fn find(state: &State, owner: &Owner, id: &str) -> Result<Arc<FileInfo>, ApiError> {
    state.files.get(owner, id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    let message = format!("No such File object: {id}");
    ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid("id", message) }
}

/// What the sender hears when a file can't be kept, read or removed.
pub fn refusal(error: StoreError) -> ApiError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        StoreError::TooLarge { .. } => {
            let error = ApiError::invalid("file", error.to_string()).with_code("file_too_large");
            ApiError { status: StatusCode::PAYLOAD_TOO_LARGE, ..error }
        }
        StoreError::Full { .. } => {
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string())
                .with_code("storage_full")
        }
        StoreError::Disk(error) if matches!(error.kind(), QuotaExceeded | StorageFull) => {
            tracing::error!(%error, "the disk for files is full");
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "this node's disk is full")
                .with_code("storage_full")
        }
        StoreError::Disk(error) => {
            tracing::error!(%error, "the disk for files failed");
            let message = "this node's disk failed; its log tells more";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message).with_code("storage_failed")
        }
    }
}
