//! Code that compiles: what Rust Coder's use cases share.
//!
//! A model proposes, the compiler decides: nothing here is taken for right because a model, a memory
//! or a suggestion of the compiler's says so.

mod clock;
mod error;
mod explain;
pub mod fixes;
mod generate;
mod items;
mod memory;
mod repair;
mod request;
#[cfg(test)]
mod samples;
mod score;
mod tokens;

use std::sync::Arc;

pub use clock::{Clock, Moment};
pub use error::CoderError;
pub use explain::{Asked, Explain, Explained, RUST_COLLECTION, Subject, explain};
pub use generate::{Generate, Generated, Kind, generate};
pub use memory::{Fix, Memory, MemoryReply, Symptom};
pub use repair::repair;
pub use request::{Attempt, Budget, Edits, Goal, Progress, Repair, Repaired, Spent, Stage, Tell};
pub use score::{Score, ScoreParts, Scored, Weights, score};

use crate::{Builder, Node};

/// What the use cases of the coder work with.
#[derive(Clone)]
pub struct Coder {
    /// Models and knowledge bases.
    pub node: Node,
    /// The compiler, for the one who asks.
    pub builder: Arc<dyn Builder>,
    /// Fixes of earlier days, if the node keeps any.
    pub memory: Option<Arc<dyn Memory>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The model that writes code, if there is one; a request may name another.
    pub model: Option<String>,
    /// How it is asked to write changes.
    pub edits: Edits,
}
