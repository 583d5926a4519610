//! `/v1/knowledge/collections/{name}/documents`: bringing documents in, listing and removing them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::knowledge::{Scan, remove_source};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::query::Query;
use crate::http::routes::Shared;
use crate::http::{State, json};
use crate::ingest::{IngestError, Ingester, Upload};

/// Points of a page while documents are listed.
const PAGE: usize = 1000;

/// Documents that are listed at most.
const LISTED_MAX: usize = 10_000;

/// A document that stands in a collection.
#[derive(Debug, Default, Serialize)]
struct Listed {
    name: String,
    hash: String,
    chunks: usize,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
}

/// Brings a document in: its bytes are the body, `?name=` its name, `?attributes=` a JSON object. A
/// document of that name is replaced; one that is there as it is stays.
pub async fn put(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let name = query.take("name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| must_be("name", "the document's name, with its ending"))?;
    let attributes = attributes(query.take("attributes"))?;
    query.finish()?;
    let bytes = read(&state, request.into_body()).await?;
    let upload = Upload { name: name.clone(), bytes, attributes, ..Upload::default() };
    let done = add(&state, &collection, upload).await?;
    Ok(json::ok(&json!({
        "name": name,
        "collection": collection,
        "written": done.written,
        "kept": done.kept,
        "removed": done.removed,
    })))
}

/// Brings a document in within a request's time.
pub async fn add(
    state: &State,
    collection: &str,
    upload: Upload,
) -> Result<gaia_core::knowledge::Ingested, ApiError> {
    let work = ingester(state)?.run(&state.node, collection, upload);
    match timeout(state.request_timeout, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(IngestError::Serve(error))) => Err(error.into()),
        Ok(Err(IngestError::Read(error))) => {
            let error = ApiError::invalid("document", error.to_string());
            let error = error.with_code("document_unreadable");
            Err(ApiError { status: StatusCode::UNPROCESSABLE_ENTITY, ..error })
        }
        Err(_) => Err(ServeError::TimeLimit.into()),
    }
}

fn ingester(state: &State) -> Result<&Ingester, ApiError> {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "this node has no knowledge base");
    state.ingester.as_ref().ok_or_else(missing)
}

/// The documents of a collection, by name.
pub async fn list(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
) -> Result<Response, ApiError> {
    let knowledge = state.node.knowledge()?;
    let mut documents: BTreeMap<String, Listed> = BTreeMap::new();
    let mut scan = Scan { collection, limit: PAGE, ..Scan::default() };
    loop {
        let page = knowledge.scan(scan.clone()).await?;
        for point in page.points {
            let text = |name| point.payload.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = text("document").to_owned();
            if documents.len() >= LISTED_MAX && !documents.contains_key(&name) {
                continue;
            }
            let listed = documents.entry(name.clone()).or_default();
            listed.chunks += 1;
            (listed.name, listed.hash) = (name, text("document_hash").to_owned());
            if let Some(Value::Object(attributes)) = point.payload.get("attributes") {
                listed.attributes.clone_from(attributes);
            }
        }
        match page.next {
            Some(next) => scan.after = Some(next),
            None => break,
        }
    }
    let documents: Vec<_> = documents.into_values().collect();
    Ok(json::ok(&json!({"documents": documents})))
}

/// Removes a document, `?name=`.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::parse(request.uri())?;
    let name = query.take("name").ok_or_else(|| must_be("name", "the document's name"))?;
    query.finish()?;
    let removed = remove_source(&state.node, &collection, &name).await?;
    if removed == 0 {
        let message = format!("the collection `{collection}` has no document {name:?}");
        let error = ApiError::invalid("name", message).with_code("document_not_found");
        return Err(ApiError { status: StatusCode::NOT_FOUND, ..error });
    }
    Ok(json::ok(&json!({"name": name, "deleted": true, "chunks": removed})))
}

fn attributes(text: Option<String>) -> Result<Map<String, Value>, ApiError> {
    let Some(text) = text else { return Ok(Map::new()) };
    serde_json::from_str(&text).map_err(|_| must_be("attributes", "a JSON object"))
}

/// The whole body, within the limit on documents.
async fn read(state: &State, mut body: Body) -> Result<Vec<u8>, ApiError> {
    let limit = state.knowledge.as_ref().map_or(0, |config| config.document_bytes_max);
    let (deadline, mut bytes) = (Instant::now() + state.request_timeout, vec![]);
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + state.body_timeout), body.frame());
        let slow = |_| {
            let message = "the document took longer than this node waits";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, message).with_code("body_timeout")
        };
        let Some(frame) = frame.await.map_err(slow)? else { return Ok(bytes) };
        let frame = frame.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
        })?;
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
        if bytes.len() as u64 > limit {
            let message = format!("the document is larger than this node's limit of {limit} bytes");
            let error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message);
            return Err(error.with_code("document_too_large"));
        }
    }
}
