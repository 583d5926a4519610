//! `/v1/knowledge`: the node's knowledge bases. Whoever may ask the node may list and search them;
//! changing them takes what `/admin` takes.

pub mod collections;
mod describe;
pub mod documents;
mod export;
mod handed;
mod import;
mod search;
mod snapshots;
mod watched;

use std::sync::Arc;

use super::create_rag;
use crate::http::State;
use crate::http::openapi::Routes;

/// The routes; none on a node without knowledge bases.
pub fn router(state: &Arc<State>) -> Routes {
    if state.node.knowledge.is_none() {
        return Routes::default();
    }
    let open = Routes::default()
        .route(describe::list_collections(), collections::list)
        .route(describe::get_collection(), collections::one)
        .route(describe::list_documents(), documents::list)
        .route(search::operation(), search::post);
    let guarded = Routes::default()
        .route(describe::create_collection(), collections::create)
        .route(describe::delete_collection(), collections::delete)
        .route(describe::put_document(), documents::put)
        .route(describe::delete_document(), documents::delete)
        .route(describe::write_snapshot(), snapshots::write)
        .route(describe::restore_snapshot(), snapshots::restore)
        .route(describe::export(), export::get)
        .route(describe::write_export(), export::post)
        .route(describe::import(), import::post)
        .route(describe::import_upload(), import::put)
        .route(create_rag::operation(), create_rag::post)
        .route(describe::optimize(), collections::optimize);
    open.merge(guarded.guarded(state))
}
