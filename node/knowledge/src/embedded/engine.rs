//! The library's shard behind a door that holds its panics.
//!
//! The library panics where a disk fails, also while it is closed; and a panic while another one
//! unwinds would end the whole node.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use gaia_core::KnowledgeError;
use qdrant_edge::{EdgeConfig, EdgeShard, UpdateOperation};

use super::{convert, reason, room};

/// A shard that is open.
#[derive(Debug)]
pub struct Engine {
    /// Taken by drop alone.
    shard: Option<EdgeShard>,
}

impl Engine {
    /// Makes an empty one.
    ///
    /// # Errors
    /// The library's own; a disk that fails.
    pub fn create(folder: &Path, config: EdgeConfig) -> Result<Self, KnowledgeError> {
        let made = caught(|| EdgeShard::new(folder, config).map_err(convert::error));
        made.map(|shard| Self { shard: Some(shard) })
    }

    /// Opens one.
    ///
    /// # Errors
    /// It can't be read; a disk that is full.
    pub fn load(folder: &Path) -> Result<Self, KnowledgeError> {
        room::check_least(folder)?;
        let loaded = caught(|| EdgeShard::load(folder, None).map_err(convert::error));
        loaded.map(|shard| Self { shard: Some(shard) })
    }

    /// The library's own, to ask.
    pub fn shard(&self) -> &EdgeShard {
        self.shard.as_ref().expect("drop alone takes it")
    }

    /// Changes it; what was changed is on the disk when this returns.
    ///
    /// # Errors
    /// The library's own; a disk that fails.
    pub fn update(&self, operation: UpdateOperation) -> Result<(), KnowledgeError> {
        caught(|| self.shard().update(operation).map_err(convert::error))?;
        self.flush()
    }

    /// Builds indices; what was built is on the disk when this returns.
    ///
    /// # Errors
    /// The library's own; a disk that fails.
    pub fn optimize(&self) -> Result<(), KnowledgeError> {
        caught(|| self.shard().optimize().map(drop).map_err(convert::error))?;
        self.flush()
    }

    /// Writes what is in memory alone.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn flush(&self) -> Result<(), KnowledgeError> {
        caught(|| {
            self.shard().flush();
            Ok(())
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let shard = self.shard.take();
        let closed = caught(|| {
            drop(shard);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::error!(%error, "a collection could not be closed");
        }
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T, KnowledgeError>) -> Result<T, KnowledgeError> {
    // Nothing is read after a panic but by the library, which looks after its own.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(told(&*panic)))
}

fn told(panic: &(dyn Any + Send)) -> KnowledgeError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    if ["No space left", "StorageFull", "os error 28"].iter().any(|sign| text.contains(sign)) {
        return KnowledgeError::DiskFull;
    }
    tracing::error!(panic = text, "the embedded engine failed");
    KnowledgeError::unavailable(format!("its engine failed: {}", reason::told(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_a_full_disk_is_known() {
        let full = || panic!("WAL flushed: Os {{ code: 28, kind: StorageFull }}");
        assert_eq!(caught::<()>(full), Err(KnowledgeError::DiskFull));
        let other = caught::<()>(|| panic!("broken")).expect_err("it panicked");
        assert!(matches!(other, KnowledgeError::Unavailable { .. }));
    }
}
