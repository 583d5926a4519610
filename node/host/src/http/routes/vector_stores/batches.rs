//! `/v1/vector_stores/{id}/file_batches`: files that come together.

use axum::extract::{Path, Request};
use axum::response::Response;
use serde_json::Map;

use super::files::{NewFile, page};
use super::parse::{take_attributes, take_chunker, take_ids};
use super::{find, find_live, keeper, not_found, refused, use_now, wire};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::ids::{new_id, now_s};
use crate::http::routes::Shared;
use crate::http::{auth, body, json};
use crate::ingest::CHUNKER;
use crate::store::{Batch, StoreFile, VectorStore};

/// As many as OpenAI takes; a store's own limit is told when they are there.
pub const FILES_MAX: usize = 2000;

/// Brings files in: it is answered before that is done.
pub async fn create(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    find_live(&state, &owner, &id)?;
    let new = parse(body::read_fields(&state, request).await?)?;
    let batch = Batch { id: new_id("vsfb_"), created_at: now_s(), cancelled: false };
    let mut files = vec![];
    for file in new {
        files.push(StoreFile { batch: Some(batch.id.clone()), ..file.find(&state, &owner)? });
    }
    let name = batch.id.clone();
    let attach = move |store: &mut VectorStore| {
        use_now(store)?;
        store.add_batch(batch);
        files.into_iter().for_each(|file| store.attach(file));
        Ok(())
    };
    let store = keeper(&state)?.change(&id, attach).await.map_err(refused)?;
    answer(&store, &name)
}

/// How far a batch is.
pub async fn one(
    axum::extract::State(state): Shared,
    Path((id, batch)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&*find(&state, &auth::owner(&request), &id)?, &batch)
}

/// Gives a batch up: what waits stays out, what is there stays.
pub async fn cancel(
    axum::extract::State(state): Shared,
    Path((id, batch)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find_live(&state, &auth::owner(&request), &id)?;
    find_batch(&store, &batch)?;
    let name = batch.clone();
    let cancel = move |store: &mut VectorStore| {
        store.cancel(&name);
        Ok(())
    };
    let store = keeper(&state)?.change(&id, cancel).await.map_err(refused)?;
    answer(&store, &batch)
}

/// The files of a batch.
pub async fn files(
    axum::extract::State(state): Shared,
    Path((id, batch)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find(&state, &auth::owner(&request), &id)?;
    find_batch(&store, &batch)?;
    page(&store, &request, |file| file.batch.as_ref() == Some(&batch))
}

fn find_batch<'a>(store: &'a VectorStore, id: &str) -> Result<&'a Batch, ApiError> {
    let found = store.batches.iter().find(|batch| batch.id == id);
    found
        .ok_or_else(|| not_found("batch_id", format!("No batch {id} in vector store {}", store.id)))
}

fn answer(store: &VectorStore, batch: &str) -> Result<Response, ApiError> {
    Ok(json::ok(&wire::batch(store, find_batch(store, batch)?)))
}

/// `file_ids` with what holds for all, or `files` with what holds for each.
fn parse(mut fields: Fields) -> Result<Vec<NewFile>, ApiError> {
    let ids = take_ids(&mut fields, FILES_MAX)?;
    let files = fields.list("files")?;
    let attributes = take_attributes(&mut fields)?;
    let chunker = take_chunker(&mut fields)?;
    let new: Vec<_> = match (ids, files) {
        (Some(ids), None) => {
            let (attributes, chunker) =
                (attributes.unwrap_or_default(), chunker.unwrap_or(CHUNKER));
            let file = |id| NewFile { id, attributes: Map::clone(&attributes), chunker };
            ids.into_iter().map(file).collect()
        }
        (None, Some(list)) if list.len() <= FILES_MAX => {
            let one =
                |(index, value)| NewFile::parse(fields.nested(&format!("files[{index}]"), value)?);
            list.into_iter().enumerate().map(one).collect::<Result<_, ApiError>>()?
        }
        (None, Some(_)) => return Err(must_be("files", &format!("at most {FILES_MAX}"))),
        (None, None) => return Err(missing("file_ids")),
        (Some(_), Some(_)) => return Err(must_be("files", "left out beside `file_ids`")),
    };
    fields.finish(&[])?;
    if new.is_empty() { Err(must_be("file_ids", "at least one file")) } else { Ok(new) }
}
