//! `wasi_ephemeral_nn`: WasmEdge's WASI-NN with the GGML encoding, over engines of ours.
//!
//! - [`abi`] turns calls into checked Rust and results into error numbers;
//! - [`world`] holds one instance's graphs and contexts;
//! - [`context`] is the state machine of one context, [`scene`] reads prompts with pictures;
//! - [`options`] reads the options JSON; [`output`] writes the metadata and embedding JSON;
//! - [`model`] is what all of that needs of an engine, and [`engine`] the engine itself.
//!
//! Where the stock plugin's behaviour is visible to a guest it is kept; what differs is said at the
//! place where it does.

mod abi;
mod context;
mod engine;
mod errno;
#[cfg(test)]
pub(crate) mod fake;
mod model;
mod options;
mod output;
mod scene;
mod world;

pub(crate) use abi::{HOST_FUNCTION_NAMES, HOST_FUNCTIONS, MODULE};
pub(crate) use engine::shared as shared_engine;
pub(crate) use errno::Errno;
pub(crate) use model::Model;
pub(crate) use world::{Resolution, Resolver, World};
