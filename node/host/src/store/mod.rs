//! What the node keeps for its users: recent answers in memory, files and vector stores on disk.
//!
//! Invariants: nobody reaches what another one's key has put here; each store has a limit in count
//! and in bytes; a name that a user gives is data and never a path.

mod files;
mod owner;
mod recent;
mod vectors;

pub use files::{FileInfo, Files, StoreError, Upload};
pub use owner::Owner;
pub use recent::{Entry, Recent};
pub use vectors::{
    Batch, FileError, FileErrorCode, FileStatus, Stage, StoreFile, VectorLimits, VectorStore,
    VectorStoreError, VectorStores,
};
