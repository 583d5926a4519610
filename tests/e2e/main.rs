//! End-to-end tests by behaviour: the real node, the real wasm apps in WasmEdge, the real models.
//!
//! Each test starts a node of its own on a port of its own. `scripts/test` builds and fetches what
//! they need; a missing part fails the test that needs it.
#![forbid(unsafe_code)]

mod auth;
mod browser;
mod chat;
mod clients;
mod coder;
mod compile;
mod completions;
mod concurrency;
mod embeddings;
mod failures;
mod fixes;
mod gpu;
mod hostile;
mod hostile_projects;
mod knowledge;
mod knowledge_life;
mod management;
mod pictures;
mod rerank;
mod run_app;
mod status;
mod structured;
mod upstream;
mod wasm;
