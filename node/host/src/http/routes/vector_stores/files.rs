//! `/v1/vector_stores/{id}/files`: a store's files.

use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::response::Response;
use gaia_core::knowledge::{Chunker, Filter, Scan, remove_source, set_attributes};
use serde_json::{Map, Value, json};

use super::parse::{take_attributes, take_chunker};
use super::{PAGE, find, find_live, keeper, not_found, refused, use_now, wire};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be};
use crate::http::ids::now_s;
use crate::http::query::{Page, Query};
use crate::http::routes::{Shared, files as uploads};
use crate::http::{State, auth, body, json};
use crate::ingest::CHUNKER;
use crate::store::{FileStatus, Owner, StoreFile, VectorStore};

/// Chunks that are read at once.
const CHUNKS: usize = 1000;

/// A file that is to come into a store.
pub struct NewFile {
    /// The file's id.
    pub id: String,
    /// What is noted of it.
    pub attributes: Map<String, Value>,
    /// How it is cut.
    pub chunker: Chunker,
}

impl NewFile {
    /// Takes the fields of one.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let id = fields.string("file_id")?.ok_or_else(|| missing(&fields.at("file_id")))?;
        let attributes = take_attributes(&mut fields)?.unwrap_or_default();
        let chunker = take_chunker(&mut fields)?.unwrap_or(CHUNKER);
        fields.finish(&[])?;
        Ok(Self { id, attributes, chunker })
    }

    /// The file, if it is the owner's.
    pub fn find(self, state: &State, owner: &Owner) -> Result<StoreFile, ApiError> {
        let info = uploads::find(state, owner, &self.id);
        let info = info.map_err(|error| ApiError { param: Some("file_id".into()), ..error })?;
        Ok(StoreFile {
            id: self.id,
            filename: info.filename.clone(),
            bytes: info.bytes,
            created_at: now_s(),
            status: FileStatus::InProgress,
            error: None,
            attributes: self.attributes,
            chunker: self.chunker,
            batch: None,
            stale: false,
        })
    }
}

/// Brings a file in: it is answered before that is done.
pub async fn create(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let owner = auth::owner(&request);
    find_live(&state, &owner, &id)?;
    let new = NewFile::parse(body::read_fields(&state, request).await?)?;
    let (file, name) = (new.find(&state, &owner)?, id.clone());
    let file_id = file.id.clone();
    let attach = move |store: &mut VectorStore| {
        use_now(store)?;
        store.attach(file);
        Ok(())
    };
    let store = keeper(&state)?.change(&name, attach).await.map_err(refused)?;
    answer(&store, &file_id)
}

/// The files of a store.
pub async fn list(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find(&state, &auth::owner(&request), &id)?;
    page(&store, &request, |_| true)
}

/// A page of those files of a store that count.
pub fn page(
    store: &VectorStore,
    request: &Request,
    counts: impl Fn(&StoreFile) -> bool,
) -> Result<Response, ApiError> {
    const WORDS: [&str; 4] = ["in_progress", "completed", "failed", "cancelled"];
    let mut query = Query::parse(request.uri())?;
    let status = query.take("filter");
    let page = Page::take(&mut query, PAGE)?.before(&mut query);
    query.finish()?;
    if status.as_ref().is_some_and(|status| !WORDS.contains(&status.as_str())) {
        return Err(must_be("filter", &format!("one of {}", WORDS.join(", "))));
    }
    let is_asked =
        |file: &&StoreFile| status.as_ref().is_none_or(|status| file.status.word() == status);
    let files = store.visible().filter(is_asked).filter(|file| counts(file)).collect();
    let (files, has_more) = page.cut(files, |file: &&StoreFile| &file.id)?;
    let data: Vec<Value> = files.into_iter().map(|file| wire::file(store, file)).collect();
    Ok(json::ok(&wire::page(&data, has_more)))
}

/// How far a file is.
pub async fn one(
    axum::extract::State(state): Shared,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&*find(&state, &auth::owner(&request), &id)?, &file)
}

/// Changes a file's attributes; nothing is embedded again.
pub async fn modify(
    axum::extract::State(state): Shared,
    Path((id, file_id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find_live(&state, &auth::owner(&request), &id)?;
    find_file(&store, &file_id)?;
    let mut fields = body::read_fields(&state, request).await?;
    let attributes = take_attributes(&mut fields)?.unwrap_or_default();
    fields.finish(&[])?;
    let (wanted, name) = (attributes.clone(), file_id.clone());
    let change = move |store: &mut VectorStore| {
        use_now(store)?;
        if let Some(file) = store.file_mut(&name) {
            file.attributes = wanted;
            // Chunks that are being written have the old ones.
            file.stale |= file.status == FileStatus::InProgress;
        }
        Ok(())
    };
    let store = keeper(&state)?.change(&id, change).await.map_err(refused)?;
    write_attributes(&state, &store, (&file_id, &attributes)).await?;
    answer(&store, &file_id)
}

/// Lets a file go; the file itself stays.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find(&state, &auth::owner(&request), &id)?;
    find_file(&store, &file)?;
    let name = file.clone();
    let detach = move |store: &mut VectorStore| {
        store.detach(&name);
        Ok(())
    };
    keeper(&state)?.change(&id, detach).await.map_err(refused)?;
    Ok(json::ok(&json!({"id": file, "object": "vector_store.file.deleted", "deleted": true})))
}

/// The texts of a file's chunks, in their order.
pub async fn content(
    axum::extract::State(state): Shared,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = find_live(&state, &auth::owner(&request), &id)?;
    let found = find_file(&store, &file)?;
    if found.status != FileStatus::Completed {
        let message = format!("the file is {}: its content is not there", found.status.word());
        return Err(ApiError::invalid("file_id", message).with_code("file_not_ready"));
    }
    let texts = texts(&state, &store, &file).await?;
    let data: Vec<_> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
    Ok(json::ok(&json!({
        "object": "vector_store.file_content.page",
        "file_id": file,
        "filename": found.filename,
        "attributes": found.attributes,
        "data": data,
        "has_more": false,
        "next_page": null,
    })))
}

async fn texts(state: &State, store: &VectorStore, file: &str) -> Result<Vec<String>, ApiError> {
    let knowledge = keeper(state)?.node().knowledge()?;
    let mut scan = Scan {
        collection: store.id.clone(),
        filter: Some(Filter::text("document", file)),
        limit: CHUNKS,
        ..Scan::default()
    };
    let mut texts = vec![];
    // A document has a limit on its chunks, and this ends there.
    loop {
        let page = knowledge.scan(scan.clone()).await?;
        let ordinal = |point: &gaia_core::knowledge::Point| {
            point.payload.get("ordinal").and_then(Value::as_u64).unwrap_or(0)
        };
        texts.extend(page.points.iter().map(|point| (ordinal(point), point.text().to_owned())));
        match page.next {
            Some(next) => scan.after = Some(next),
            None => break,
        }
    }
    texts.sort_unstable();
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

/// Writes attributes to the chunks that are there.
async fn write_attributes(
    state: &State,
    store: &Arc<VectorStore>,
    (file, attributes): (&str, &Map<String, Value>),
) -> Result<(), ApiError> {
    if store.file(file).is_none_or(|file| file.status != FileStatus::Completed) {
        return Ok(());
    }
    let keeper = keeper(state)?;
    set_attributes(keeper.node(), &store.id, (file, attributes)).await?;
    // It was let go meanwhile: what was just written must go too.
    let is_there = keeper.stores().find(&store.id).is_some_and(|now| now.file(file).is_some());
    if !is_there {
        remove_source(keeper.node(), &store.id, file).await?;
    }
    Ok(())
}

fn find_file<'a>(store: &'a VectorStore, id: &str) -> Result<&'a StoreFile, ApiError> {
    let unknown = || not_found("file_id", format!("No file {id} in vector store {}", store.id));
    store.file(id).ok_or_else(unknown)
}

fn answer(store: &VectorStore, file: &str) -> Result<Response, ApiError> {
    Ok(json::ok(&wire::file(store, find_file(store, file)?)))
}
