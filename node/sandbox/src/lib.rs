//! Compiles and runs what strangers send, so that it can't hurt the machine.
//!
//! [`project`] turns foreign text and archives into files whose paths and manifests are checked.
//! [`catalog`] says which crates they may depend on, and where the fetched and the compiled ones lie.
//! [`report`] turns what cargo prints into data.
//!
//! Invariants: a [`project::Project`] holds no path and no manifest that points outside of it; no
//! parser here takes more memory than a small multiple of its limits, whatever it is given.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod project;
pub mod report;
