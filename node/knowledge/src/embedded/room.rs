//! Room on the disk. The library writes through maps of files: where the disk is full, that is no error
//! but a signal that ends the process. So some room stays free, and who would take it is refused.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gaia_core::KnowledgeError;
use rustix::fs::FsWord;

use super::shelf::failed;

/// Bytes that stay free: what the library takes for one write at most, which is a piece of its log and
/// new pages of its stores.
const RESERVE: u64 = 64 << 20;

/// Bytes that opening and removing leave: they go on longest, for that is how room is made.
const LEAST: u64 = 16 << 20;

/// The kind of disks in memory, by Linux.
const TMPFS: FsWord = 0x0102_1994;

/// Bytes of a block, as files count them.
const BLOCK: u64 = 512;

/// Refuses if less than the reserve would be free after so many more bytes.
///
/// # Errors
/// [`KnowledgeError::DiskFull`]; a disk that fails.
pub fn check(folder: &Path, bytes: u64) -> Result<(), KnowledgeError> {
    leaves(folder, RESERVE.saturating_add(bytes))
}

/// Refuses if not even a shard can be opened or a point removed.
///
/// # Errors
/// [`KnowledgeError::DiskFull`]; a disk that fails.
pub fn check_least(folder: &Path) -> Result<(), KnowledgeError> {
    leaves(folder, LEAST)
}

fn leaves(folder: &Path, bytes: u64) -> Result<(), KnowledgeError> {
    let disk = rustix::fs::statfs(folder).map_err(|error| failed(error.into()))?;
    let room = rustix::fs::statvfs(folder).map_err(|error| failed(error.into()))?;
    // On a disk in memory a hole takes room as soon as it is read, and opening reads files to their ends.
    let promised = if disk.f_type == TMPFS { holes(folder)? } else { 0 };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    match free >= bytes.saturating_add(promised) {
        true => Ok(()),
        false => Err(KnowledgeError::DiskFull),
    }
}

/// Bytes that a folder takes on the disk.
///
/// # Errors
/// A disk that fails.
pub fn taken(folder: &Path) -> Result<u64, KnowledgeError> {
    sum(folder, &|file| file.blocks() * BLOCK).map_err(failed)
}

/// Bytes of its files that take no room.
fn holes(folder: &Path) -> Result<u64, KnowledgeError> {
    sum(folder, &|file| file.len().saturating_sub(file.blocks() * BLOCK)).map_err(failed)
}

/// Over all files; one that goes meanwhile counts for nothing.
fn sum(folder: &Path, bytes: &dyn Fn(&Metadata) -> u64) -> io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let of_entry = entry.metadata().and_then(|metadata| match metadata.is_dir() {
            true => sum(&entry.path(), bytes),
            false => Ok(bytes(&metadata)),
        });
        all += match of_entry {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            other => other?,
        };
    }
    Ok(all)
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
