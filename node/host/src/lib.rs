//! The host: config, command line, HTTP and the supervision of workers.
//!
//! Invariants:
//! - Neither llama.cpp nor WasmEdge is linked here: a model can end its worker, never the host.
//! - The environment is read in `config::Places` alone.
//! - What a worker says is foreign until parsed.
#![forbid(unsafe_code)]

mod asked;
pub mod cli;
pub mod clock;
pub mod coder;
pub mod compile;
pub mod config;
pub mod http;
mod ids;
pub mod ingest;
mod jobs;
pub mod knowledge;
pub mod log;
pub mod mcp;
pub mod store;
pub mod upstream;
pub mod vector_stores;
pub mod workers;
