//! `/v1/knowledge`: the node's knowledge bases. Whoever may ask the node may list and search them;
//! changing them takes what `/admin` takes.

pub mod collections;
pub mod documents;
mod search;
mod snapshots;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use super::admin::guard;
use super::create_rag;
use crate::http::State;

/// The routes; none on a node without knowledge bases.
pub fn router(state: &Arc<State>) -> Router<Arc<State>> {
    if state.node.knowledge.is_none() {
        return Router::new();
    }
    let open = Router::new()
        .route("/v1/knowledge/collections", get(collections::list))
        .route("/v1/knowledge/collections/{name}", get(collections::one))
        .route("/v1/knowledge/collections/{name}/documents", get(documents::list))
        .route("/v1/knowledge/search", post(search::post));
    // A document has a limit of its own.
    let documents = put(documents::put).delete(documents::delete);
    let guarded = Router::new()
        .route("/v1/knowledge/collections", post(collections::create))
        .route("/v1/knowledge/collections/{name}", axum::routing::delete(collections::delete))
        .route(
            "/v1/knowledge/collections/{name}/documents",
            documents.layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/knowledge/collections/{name}/snapshot", post(snapshots::write))
        .route("/v1/knowledge/collections/{name}/restore", post(snapshots::restore))
        .route("/v1/create/rag", post(create_rag::post).layer(DefaultBodyLimit::disable()))
        .route("/v1/knowledge/collections/{name}/optimize", post(collections::optimize))
        .route_layer(from_fn_with_state(Arc::clone(state), guard::check));
    open.merge(guarded)
}
