//! What the node keeps for its users: recent answers in memory, files on disk.
//!
//! Invariants: nobody reaches what another one's key has put here; both stores have a limit in count
//! and in bytes; a name that a user gives is data and never a path.

mod files;
mod owner;
mod recent;

pub use files::{FileInfo, Files, StoreError, Upload};
pub use owner::Owner;
pub use recent::{Entry, Recent};
