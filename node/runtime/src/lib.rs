//! WasmEdge: apps, their instances, and the host functions that they import.
//!
//! The sole owner of WasmEdge. An app is a wasm command that imports WASI, `wasi_ephemeral_nn` and
//! `gaia_app` (`next_request` and `emit`), and nothing else.
//!
//! - [`app`]: a wasm file, checked, compiled once ahead of time, parsed once;
//! - [`pool`]: warm single-use instances, requests, limits;
//! - [`command`]: one unmodified WASI-NN command in the foreground;
//! - [`program`]: one program from a stranger in the foreground, for the compile sandbox's jail;
//! - [`nn`] and [`app_abi`]: the host functions, over a [`port`] and checked guest [`memory`];
//! - [`ffi`]: WasmEdge's C interface, and all `unsafe` code there is.
//!
//! Invariants:
//! - An instance serves one request and is then gone; nothing of a request reaches another one.
//! - A guest sees its arguments, the clock, random numbers and a standard output that goes to the
//!   log. There is no folder, no environment, no network and no standard input. Commands and programs
//!   have their process's streams, and a program one folder, which it can't change.
//! - Whatever a guest does, its own request ends with an [`Outcome`](gaia_protocol::Outcome),
//!   exactly once, and no other request notices.

mod app;
mod app_abi;
mod command;
mod error;
mod ffi;
mod memory;
mod nn;
mod pool;
mod port;
mod program;
#[cfg(test)]
mod tests;

pub use command::{CommandApp, CommandError, ModelLoader, run_app};
pub use error::AppError;
pub use pool::{AppPool, Emit, EventSink, Input, PoolStats, RequestHandle};
pub use port::PictureReader;
pub use program::{Program, ProgramEnd, run_program};

/// WasmEdge's version, such as `0.17.1`.
#[must_use]
pub fn wasmedge_version() -> String {
    ffi::version()
}
