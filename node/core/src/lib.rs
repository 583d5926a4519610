//! The domain: what the node does, without saying how.
//!
//! Ports ([`Model`]) are what the use cases need from the outside world; the rooms around implement
//! them. Use cases check a request, take a permit and turn a task into an answer. No I/O, no engine
//! and no HTTP is named here.
#![forbid(unsafe_code)]

mod admission;
mod error;
mod model;

pub use admission::{Admission, Permit};
pub use error::ServeError;
pub use model::{EventStream, Model, ModelStatus};
