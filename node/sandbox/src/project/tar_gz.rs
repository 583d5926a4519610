//! Archives made by `tar czf`.

use std::io::Read;

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::archive::{Budget, Unpacking, special};
use super::error::ProjectError;
use super::files::Files;
use super::limits::Limits;

/// Headers and padding beside each entry's bytes, long names included.
const BYTES_BESIDE_ENTRY: usize = 4096;

pub(super) fn unpack(archive: &[u8], limits: &Limits) -> Result<Files, ProjectError> {
    let mut unpacking = Unpacking::new("tar.gz", archive, limits)?;
    let beside = unpacking.entries_max() * BYTES_BESIDE_ENTRY;
    let reader = Budget::new(GzDecoder::new(archive), unpacking.bytes_max() + beside);
    let mut reader = Archive::new(reader);
    let entries = reader.entries().map_err(|error| unpacking.damaged(&error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unpacking.damaged(&error))?;
        take(&mut unpacking, entry)?;
    }
    unpacking.finish()
}

fn take<R: Read>(unpacking: &mut Unpacking, entry: Entry<'_, R>) -> Result<(), ProjectError> {
    unpacking.count()?;
    let path = entry.path_bytes().into_owned();
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => unpacking.take(&path, entry),
        // Comments of the archive as a whole, as `git archive` writes.
        EntryType::Directory | EntryType::XGlobalHeader => Ok(()),
        _ => Err(special(&path)),
    }
}
