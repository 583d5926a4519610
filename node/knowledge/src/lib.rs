//! Knowledge bases, in Qdrant: inside this process ([`Embedded`]) or on a server ([`server`]); and
//! as files that outlive both ([`portable`]). Words may be looked up elsewhere ([`keywords`]).
//!
//! Invariants: a collection is exchanged at once or not at all; what was reported as written outlives
//! the process; nothing of a foreign archive is used before it was verified.
#![forbid(unsafe_code)]

mod embedded;
pub mod keywords;
mod paths;
pub mod portable;
pub mod server;

pub use embedded::{Embedded, SnapshotLimits};
