//! The REST interface, for snapshots alone.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;

use super::{KEY, Qdrant, snapshots};

/// Serves until it is dropped.
pub async fn serve(qdrant: Qdrant, listener: TcpListener) {
    let router = Router::new()
        .route("/collections/{collection}/snapshots/upload", post(upload))
        .route("/collections/{collection}/snapshots/{snapshot}", get(download))
        .layer(DefaultBodyLimit::disable())
        .with_state(qdrant);
    axum::serve(listener, router).await.expect("it serves");
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"status": {"error": error}, "time": 0.0}))).into_response()
}

fn has_key(headers: &HeaderMap) -> bool {
    headers.get("api-key").is_some_and(|key| key == KEY)
}

fn denied() -> Response {
    refuse(StatusCode::UNAUTHORIZED, "Invalid API key or JWT")
}

async fn download(
    State(qdrant): State<Qdrant>,
    Path((collection, snapshot)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Vec<u8>, Response> {
    if !has_key(&headers) {
        return Err(denied());
    }
    let state = &mut *qdrant.state();
    let found = state.snapshots.get(&(collection, snapshot)).cloned();
    let mut found = found.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Not found: snapshot"))?;
    if std::mem::take(&mut state.spoil_download) {
        found[600] ^= 1;
    }
    Ok(found)
}

async fn upload(
    State(qdrant): State<Qdrant>,
    Path(collection): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    (headers, mut form): (HeaderMap, Multipart),
) -> Result<Response, Response> {
    if !has_key(&headers) {
        return Err(denied());
    }
    let asked = |key: &str| query.get(key).map(String::as_str);
    if asked("priority") != Some("snapshot") || asked("wait") != Some("true") {
        return Err(refuse(StatusCode::BAD_REQUEST, "it must be priority=snapshot&wait=true"));
    }
    let broken = |_| refuse(StatusCode::BAD_REQUEST, "Failed to read multipart");
    let field = form.next_field().await.map_err(broken)?;
    let field =
        field.filter(|field| field.name() == Some("snapshot") && field.file_name().is_some());
    let field = field.ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "no field `snapshot`"))?;
    let name = field.file_name().unwrap_or_default().to_owned();
    let archive = field.bytes().await.map_err(broken)?;
    let shelf = snapshots::untar(&archive)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, &format!("Wrong input: {error}")))?;
    let state = &mut *qdrant.state();
    if state.collections.contains_key(&collection) || state.aliases.contains_key(&collection) {
        return Err(refuse(StatusCode::CONFLICT, "a snapshot must go into a new collection"));
    }
    // As in Qdrant, the file stays beside the collection.
    state.snapshots.insert((collection.clone(), name), archive.to_vec());
    state.collections.insert(collection, shelf);
    Ok(Json(json!({"result": true, "status": "ok", "time": 0.0})).into_response())
}
