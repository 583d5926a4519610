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
pub mod health;
pub mod info;
pub mod knowledge;
pub mod messages;
pub mod metrics;
pub mod models;
pub mod rerank;
pub mod responses;
pub mod retrieve;
pub mod tokenize;
pub mod vector_stores;
mod wire;

use std::sync::Arc;

/// The state as the routes take it.
pub type Shared = axum::extract::State<Arc<super::State>>;
