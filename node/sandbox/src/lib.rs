//! Compiles and runs what strangers send, so that it can't hurt the machine.
//!
//! [`project`] turns foreign text and archives into files whose paths and manifests are checked.
//! [`catalog`] says which crates they may depend on, and where the fetched and the compiled ones lie.
//! [`jail`] runs one command over one job directory behind every layer of defence that the kernel
//! offers, and says what happened. [`report`] turns what cargo prints into data. [`builder`] puts them
//! together: one job in, one answer out.
//!
//! Invariants: a [`project::Project`] holds no path and no manifest that points outside of it; no
//! parser here takes more memory than a small multiple of its limits; a job that ended has left no
//! process, mount, cgroup or file; a layer that can't be enforced is named and stops the job unless
//! the settings accept that; whatever a job writes is hostile until it is read back within a limit.
//! `unsafe` stands in `jail::ffi` alone.

#![deny(unsafe_code)]

pub mod builder;
pub mod catalog;
pub mod jail;
pub mod project;
pub mod report;
