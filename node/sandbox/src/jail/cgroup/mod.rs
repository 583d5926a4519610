//! Limits for all processes of a job together: memory, processes, weight of cores.
//!
//! Controllers may stand in a hierarchy of their own each (v1), in the one of v2, or be spread over
//! both (hybrid). `place` finds them, `group` makes one group per job in each and removes it.

mod group;
mod place;
mod prepare;

pub use group::Group;
pub use place::Places;
pub use prepare::{prepare, sweep};
