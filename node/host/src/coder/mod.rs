//! What the coder's use cases need from this node, and the memory of fixes at work.
//!
//! ```text
//! State ── FixKeeper ── task `keeper::work` (ends with the keeper) ── FixStore
//! ```

mod keeper;
mod lines;
mod memory;
#[cfg(test)]
mod tests;

pub use keeper::{FixKeeper, Import, WAITING_MAX};
pub use lines::{LINE_BYTES_MAX, LinesError, read_fixes, seeds};
pub use memory::OwnersMemory;
