//! What the coder's use cases need from this node, the memory of fixes at work, and works in their line.
//!
//! ```text
//! State ── FixKeeper ── task `keeper::work` (ends with the keeper) ── FixStore
//! Work::run ── Queue ── permit ── gaia_core::coder ── jobs of the sandbox
//! ```

mod keeper;
mod lines;
mod made;
mod memory;
#[cfg(test)]
mod tests;
mod work;

pub use keeper::{FixKeeper, Import, WAITING_MAX};
pub use lines::{LINE_BYTES_MAX, LinesError, read_fixes, seeds};
pub use made::{Birth, Made};
pub use memory::OwnersMemory;
pub use work::{Order, Work};
