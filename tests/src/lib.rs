//! What the end-to-end tests share: a running node, a plain HTTP client, a reader of event streams.
//!
//! The client is written on a bare socket on purpose: the tests must be able to send half a
//! request, to stop reading, and to hang up at a chosen moment.
#![forbid(unsafe_code)]

mod events;
mod gguf;
mod http;
mod node;
mod parts;
mod picture;
mod process;
mod projector;
mod reranker;

pub use events::EventStream;
pub use http::{Client, Request, Response};
pub use node::{Node, NodeOptions};
pub use parts::{app, binary, chat_model, embedding_model, home};
pub use picture::{base64, data_url, png};
pub use process::{children, is_alive, kill, wait_until};
pub use projector::{Kind as ProjectorKind, LINES_WIDTH, MODEL_WIDTH, lines_model, projector};
pub use reranker::{Head, POOL_FIRST, POOL_SCORE, RANK_WIDTH, random_weights, reranker};
