//! Snapshots of collections: `POST …/snapshot` writes one, `POST …/restore` takes one over.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Restore, check_name};
use gaia_net::Progress;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::collections::embedder;
use super::watched;
use crate::config::KnowledgeConfig;
use crate::http::error::ApiError;
use crate::http::fields::missing;
use crate::http::routes::Shared;
use crate::http::{State, body, json};
use crate::knowledge::{Snapshot, Trust};

/// Writes a snapshot to `file`, in one of `knowledge.snapshot_dirs`.
pub async fn write(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let file = named_file(&state, request).await?;
    let file = writable(config(&state)?, FilePath::new(&file))?;
    state.node.knowledge()?.snapshot(&collection, file.clone()).await?;
    let bytes = tokio::fs::metadata(&file).await.map_or(0, |metadata| metadata.len());
    Ok(json::ok(&json!({"collection": collection, "file": file, "bytes": bytes})))
}

/// The `file` that a request to write one names, and nothing else.
pub async fn named_file(state: &State, request: Request) -> Result<String, ApiError> {
    let mut fields = body::read_fields(state, request).await?;
    let file = fields.string("file")?.ok_or_else(|| missing("file"))?;
    fields.finish(&[])?;
    Ok(file)
}

/// What a request to restore asks for.
struct Asked {
    collection: String,
    source: String,
    sha256: Option<String>,
    model: Option<String>,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, Serialize)]
struct Step {
    phase: &'static str,
    /// Of a download, and all of them if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
}

const FETCHING: Step = Step { phase: "fetching", bytes: None, of: None };
const RESTORING: Step = Step { phase: "restoring", bytes: None, of: None };

/// Replaces a collection by a snapshot: a path in one of `knowledge.snapshot_dirs`, or an `https`
/// address.
pub async fn restore(
    axum::extract::State(state): Shared,
    Path(collection): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    check_name(&collection)?;
    let mut fields = body::read_fields(&state, request).await?;
    let source = fields.string("snapshot")?.ok_or_else(|| missing("snapshot"))?;
    let sha256 = fields.string("sha256")?;
    let model = fields.string("embedder")?;
    let streams = fields.flag("stream")?;
    fields.finish(&[])?;
    let asked = Asked { collection, source, sha256, model };
    let (tell, told) = watch::channel(FETCHING);
    watched::answer(Box::pin(work(state, asked, tell)), streams.then_some(told)).await
}

async fn work(
    state: Arc<State>,
    asked: Asked,
    tell: watch::Sender<Step>,
) -> Result<Value, ApiError> {
    let (embedder, dimension) = embedder(&state, asked.model.as_deref()).await?;
    let (source, sha256) = (&*asked.source, asked.sha256.as_deref());
    let snapshot = Snapshot { source, sha256, trust: Trust::Request };
    let tell = Arc::new(tell);
    let telling = Arc::clone(&tell);
    let watch = move |progress: Progress| {
        let bytes = Some(progress.bytes);
        telling.send_replace(Step { bytes, of: progress.bytes_total, ..FETCHING });
    };
    let fetched = snapshot.fetch_watched(config(&state)?, watch).await;
    let fetched = fetched.map_err(|error| ApiError::invalid("snapshot", format!("{error:#}")))?;
    tell.send_replace(RESTORING);
    let restore = Restore {
        collection: asked.collection,
        file: fetched.file.clone(),
        embedder,
        dimension: Some(dimension),
    };
    let restored = state.node.knowledge()?.restore(restore).await?;
    serde_json::to_value(&restored).map_err(|error| KnowledgeError::unavailable(error).into())
}

/// How the node keeps knowledge bases.
pub fn config(state: &State) -> Result<&KnowledgeConfig, ApiError> {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "this node has no knowledge base");
    state.knowledge.as_ref().ok_or_else(missing)
}

/// A new file in one of the folders that requests may name.
pub fn writable(config: &KnowledgeConfig, file: &FilePath) -> Result<PathBuf, ApiError> {
    let refused = || {
        let message = "`file` must be a new file in a folder that knowledge.snapshot_dirs of the \
                       node's config names";
        ApiError::invalid("file", message)
    };
    let name = file.file_name().ok_or_else(refused)?;
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok()).ok_or_else(refused)?;
    let mut allowed = config.snapshot_dirs.iter().filter_map(|dir| dir.canonicalize().ok());
    let is_allowed = allowed.any(|dir| folder.starts_with(dir));
    is_allowed.then(|| folder.join(name)).ok_or_else(refused)
}
