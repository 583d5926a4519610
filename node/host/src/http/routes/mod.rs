//! One route per file.

pub mod admin;
pub mod chat;
pub mod chunks;
pub mod coder;
pub mod compile;
pub mod completions;
pub mod create_rag;
pub mod detokenize;
pub mod embeddings;
pub mod files;
pub mod fixes;
pub mod health;
pub mod info;
pub mod knowledge;
pub mod messages;
pub mod metrics;
pub mod models;
pub mod openapi;
pub mod page;
pub mod rerank;
pub mod responses;
pub mod retrieve;
pub mod tokenize;
pub mod vector_stores;
mod wire;

use std::sync::Arc;

use axum::Router;

use super::State;
use super::openapi::Routes;

/// The state as the routes take it.
pub type Shared = axum::extract::State<Arc<State>>;

/// All routes, and the document that describes them.
pub fn all(state: &Arc<State>) -> Router<Arc<State>> {
    let described = texts()
        .merge(responses::routes())
        .merge(messages::routes())
        .merge(files::routes())
        .merge(knowledge::router(state))
        .merge(vector_stores::router(state))
        .merge(compile::router())
        .merge(coder::router())
        .merge(fixes::routes())
        .merge(node())
        .merge(page::routes())
        .merge(admin::router(state));
    openapi::described(described, state)
}

/// What turns texts into texts and numbers.
fn texts() -> Routes {
    let (tokenize, detokenize) = (tokenize::operation(), detokenize::operation());
    Routes::default()
        .route(chat::operation(), chat::post)
        .route(completions::operation(), completions::post)
        .route(embeddings::operation(), embeddings::post)
        .route(rerank::operation(), rerank::post)
        .route(rerank::operation().also("/rerank", "rerank_unversioned"), rerank::post)
        .route(tokenize.clone(), tokenize::post)
        .route(tokenize.also("/tokenize", "tokenize_unversioned"), tokenize::post)
        .route(detokenize.clone(), detokenize::post)
        .route(detokenize.also("/detokenize", "detokenize_unversioned"), detokenize::post)
        .route(chunks::operation(), chunks::post)
        .route(retrieve::operation(), retrieve::post)
}

/// What the node tells of itself.
fn node() -> Routes {
    let (list_models, get_model) = models::operations();
    let (health, ready) = health::operations();
    Routes::default()
        .route(list_models, models::list)
        .route(get_model, models::one)
        .route(info::operation(), info::get)
        .route(health, health::health)
        .route(ready, health::ready)
        .route(metrics::operation(), metrics::get)
}
