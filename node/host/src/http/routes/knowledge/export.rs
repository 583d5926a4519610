//! `…/export`: a collection as one file that outlives engines and embedding models. `GET` answers with
//! the file, `POST` writes it into one of `knowledge.snapshot_dirs`.

use std::path::Path as FilePath;

use axum::extract::{Path, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use gaia_core::KnowledgeError;
use gaia_knowledge::portable;
use serde_json::{Value, json};

use super::snapshots::{config, named_file, writable};
use crate::http::error::ApiError;
use crate::http::ids::new_id;
use crate::http::query::Query;
use crate::http::routes::Shared;
use crate::http::routes::files::{attachment, body_of};
use crate::http::{State, json};
use crate::knowledge::Scratch;

/// Answers with the file. It is made first: whoever hears 200 gets all of it or a broken connection.
pub async fn get(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    Query::parse(request.uri())?.finish()?;
    let _turn = state.transfers.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
    let scratch =
        Scratch::new(config(&state)?, &new_id("")).map_err(KnowledgeError::unavailable)?;
    write(&state, &collection, &scratch.file).await?;
    let unread = |error| ApiError::from(KnowledgeError::unavailable(error));
    let file = tokio::fs::File::open(&scratch.file).await.map_err(unread)?;
    let bytes = file.metadata().await.map_err(unread)?.len();
    // The open file outlives its name.
    drop(scratch);
    let mut response = Response::new(body_of(file));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zstd"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    let name = attachment(&format!("{collection}.jsonl.zst"));
    let name = HeaderValue::from_str(&name).expect("letters, digits and percent signs alone");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Writes the file to `file`.
pub async fn post(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let file = named_file(&state, request).await?;
    let _turn = state.transfers.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
    let file = writable(config(&state)?, FilePath::new(&file))?;
    let taken = file.symlink_metadata().is_ok();
    if taken {
        return Err(ApiError::invalid("file", "`file` is there already: choose another name"));
    }
    Ok(json::ok(&write(&state, &collection, &file).await?))
}

async fn write(state: &State, collection: &str, file: &FilePath) -> Result<Value, ApiError> {
    let bytes_max = config(state)?.unpacked_bytes_max;
    let knowledge = state.node.knowledge()?;
    let summary = portable::export(knowledge, collection, (file, bytes_max), &silent()).await?;
    let bytes = tokio::fs::metadata(file).await.map_or(0, |metadata| metadata.len());
    Ok(json!({
        "collection": collection,
        "file": file,
        "bytes": bytes,
        "points": summary.records,
        "records_sha256": summary.sha256,
    }))
}

fn silent() -> portable::Watch {
    Box::new(|_| {})
}
