//! `POST /v1/create/rag`, as gaianet's rag server has it: a text goes into a collection, which is made
//! if it is not there. What was there before stays; a file of the same name is replaced.

use axum::extract::multipart::Field;
use axum::extract::{Multipart, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Change, CollectionSpec, Filter, Ingested, Point, Scan, check_name};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Shared;
use super::files::{Patience, open, too_slow};
use super::knowledge::collections::{embedder, find};
use super::knowledge::documents::add;
use crate::http::error::ApiError;
use crate::http::fields::{missing, must_be, unknown};
use crate::http::openapi::{Operation, Schema, Tag};
use crate::http::{State, json};
use crate::ingest::Upload;

/// Vectors of an answer at most; what is above is counted and stands in the collection.
const VECTORS_MAX: usize = 1000;

const NAME_BYTES_MAX: usize = 255;

/// The route.
pub fn operation() -> Operation {
    let form = Schema::object()
        .needs("file", Schema::bytes().says("A .txt or .md file."))
        .needs("vdb_collection_name", Schema::text().says("Made if it is not there."));
    Operation::post("/v1/create/rag", "create_rag")
        .tag(Tag::Knowledge)
        .says("Brings a text into a collection, as gaianet's rag server does.")
        .takes_upload("multipart/form-data", form)
        .answers(Schema::open().needs("embeddings", Schema::open()))
}

/// Takes a text in.
pub async fn post(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let form = open(request, state.body_timeout).await?;
    let received = timeout(state.request_timeout, receive(&state, form)).await;
    let (collection, upload) = received.unwrap_or_else(|_| Err(too_slow()))?;
    provide(&state, &collection).await?;
    let name = upload.name.clone();
    let done = add(&state, &collection, upload).await?;
    Ok(json::ok(&json!({"embeddings": answer(&state, (&collection, &name), done).await?})))
}

async fn receive(
    state: &State,
    (mut form, patience): (Multipart, Patience),
) -> Result<(String, Upload), ApiError> {
    let (mut collection, mut upload) = (None, None);
    while let Some(field) = patience.within(form.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" if upload.is_none() => {
                let limit = state.knowledge.as_ref().map_or(0, |config| config.document_bytes_max);
                upload = Some(receive_file(field, (&patience, limit)).await?);
            }
            "vdb_collection_name" if collection.is_none() => {
                let bytes = receive_bytes(field, (&patience, NAME_BYTES_MAX as u64)).await?;
                let text = String::from_utf8(bytes).map_err(|_| must_be(&name, "UTF-8"))?;
                collection = Some(text);
            }
            "file" | "vdb_collection_name" => {
                return Err(ApiError::invalid(&name, format!("`{name}` is given twice")));
            }
            "vdb_server_url" | "vdb_api_key" | "kw_search_url" => return Err(elsewhere(&name)),
            _ => return Err(unknown(&name)),
        }
    }
    let upload = upload.ok_or_else(|| missing("file"))?;
    let collection = collection.ok_or_else(|| missing("vdb_collection_name"))?;
    check_name(&collection)
        .map_err(|error| ApiError::invalid("vdb_collection_name", error.to_string()))?;
    Ok((collection, upload))
}

fn elsewhere(name: &str) -> ApiError {
    let message = format!(
        "`{name}`: this node writes to its own knowledge bases, which its config names; leave the \
         field out"
    );
    ApiError::invalid(name, message).with_code("unsupported_parameter")
}

async fn receive_file(field: Field<'_>, limits: (&Patience, u64)) -> Result<Upload, ApiError> {
    let name = field.file_name().unwrap_or_default().to_owned();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let is_text = matches!(ending.as_deref(), Some("txt" | "md"));
    if !is_text || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let what = format!("a .txt or .md file with a name of at most {NAME_BYTES_MAX} bytes");
        return Err(must_be("file", &what));
    }
    let bytes = receive_bytes(field, limits).await?;
    Ok(Upload { name, bytes, ..Upload::default() })
}

async fn receive_bytes(
    mut field: Field<'_>,
    (patience, limit): (&Patience, u64),
) -> Result<Vec<u8>, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = vec![];
    while let Some(more) = patience.within(field.chunk()).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > limit {
            let error = must_be(&name, &format!("at most {limit} bytes"));
            let error = error.with_code("document_too_large");
            return Err(ApiError { status: StatusCode::PAYLOAD_TOO_LARGE, ..error });
        }
    }
    Ok(bytes)
}

/// Makes the collection if it is not there.
async fn provide(state: &State, name: &str) -> Result<(), ApiError> {
    let knowledge = state.node.knowledge()?;
    if knowledge.collections().await?.iter().any(|collection| collection.name == name) {
        return Ok(());
    }
    let (embedder, dimension) = embedder(state, None).await?;
    let spec = CollectionSpec { dimension, embedder, ..CollectionSpec::default() };
    match knowledge.change(name, Change::Create(spec)).await {
        Ok(()) | Err(KnowledgeError::CollectionExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The vectors of the file as `/v1/embeddings` words them.
async fn answer(
    state: &State,
    (collection, document): (&str, &str),
    done: Ingested,
) -> Result<Value, ApiError> {
    let scan = Scan {
        collection: collection.to_owned(),
        filter: Some(Filter::text("document", document)),
        limit: VECTORS_MAX,
        with_vectors: true,
        after: None,
    };
    let mut points = state.node.knowledge()?.scan(scan).await?.points;
    let ordinal = |point: &Point| point.payload.get("ordinal").and_then(Value::as_u64);
    points.sort_by_key(ordinal);
    let row = |(index, point): (usize, &Point)| json!({"object": "embedding", "index": index, "embedding": point.vector});
    Ok(json!({
        "object": "list",
        "data": points.iter().enumerate().map(row).collect::<Vec<_>>(),
        "model": find(state, collection).await?.spec.embedder.unwrap_or_default(),
        "usage": {"prompt_tokens": done.tokens, "completion_tokens": 0, "total_tokens": done.tokens},
    }))
}
