//! Room on the disk. The library writes through maps of files: where the disk is full, that is no error
//! but a signal that ends the process. So some room stays free, and who would take it is refused.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gaia_core::KnowledgeError;

use super::shelf::failed;

/// Bytes that stay free: what the library takes for one write at most, which is a piece of its log and
/// new pages of its stores.
const RESERVE: u64 = 64 << 20;

/// Bytes of a block, as files count them.
const BLOCK: u64 = 512;

/// Refuses if less than the reserve would be free after so many more bytes.
///
/// # Errors
/// [`KnowledgeError::DiskFull`]; a disk that fails.
pub fn check(folder: &Path, bytes: u64) -> Result<(), KnowledgeError> {
    let room = rustix::fs::statvfs(folder).map_err(|error| failed(error.into()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    match free >= RESERVE.saturating_add(bytes) {
        true => Ok(()),
        false => Err(KnowledgeError::DiskFull),
    }
}

/// Bytes that a folder takes on the disk.
///
/// # Errors
/// A disk that fails.
pub fn taken(folder: &Path) -> Result<u64, KnowledgeError> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        bytes += match metadata.is_dir() {
            true => taken(&entry.path())?,
            false => metadata.blocks() * BLOCK,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(check(folder.path(), u64::MAX), Err(KnowledgeError::DiskFull));
        assert!(check(&folder.path().join("none"), 0).is_err());
        fs::create_dir(folder.path().join("a")).expect("made");
        fs::write(folder.path().join("a/b"), vec![1; 100_000]).expect("written");
        assert!(taken(folder.path()).expect("read") >= 100_000);
    }
}
