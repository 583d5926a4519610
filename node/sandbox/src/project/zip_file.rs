//! Zip archives.

use std::io::{Cursor, Write};

use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::archive::{Unpacking, special};
use super::error::{ArchiveFault, ProjectError, excerpt};
use super::files::Files;
use super::limits::Limits;

/// The bits of a Unix mode that say what an entry is, and the two kinds that are taken.
const KIND_BITS: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_FOLDER: u32 = 0o040_000;

/// A header of the directory, before its name, extra fields and comment.
const HEADER_BYTES: usize = 46;

pub(super) fn unpack(archive: &[u8], limits: &Limits) -> Result<Files, ProjectError> {
    let mut unpacking = Unpacking::new("zip", archive, limits)?;
    let mut reader = ZipArchive::new(Cursor::new(archive)).map_err(|error| damaged(&error))?;
    refuse_twins(archive, &reader)?;
    for index in 0..reader.len() {
        unpacking.count()?;
        refuse_special(&mut reader, index)?;
        let entry = reader.by_index(index).map_err(|error| damaged(&error))?;
        if entry.is_dir() {
            continue;
        }
        let path = entry.name_raw().to_vec();
        unpacking.take(&path, entry)?;
    }
    unpacking.finish()
}

pub(super) fn pack(files: &Files) -> Vec<u8> {
    try_pack(files).expect("paths and sizes are within a project's limits, and memory takes all")
}

fn try_pack(files: &Files) -> ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (path, bytes) in files.iter() {
        writer.start_file(path.as_str(), SimpleFileOptions::default())?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Looks at an entry without unpacking it: an encrypted one could not be opened.
fn refuse_special(
    reader: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
) -> Result<(), ProjectError> {
    let entry = reader.by_index_raw(index).map_err(|error| damaged(&error))?;
    if entry.encrypted() {
        let path = excerpt(&String::from_utf8_lossy(entry.name_raw()));
        return Err(ProjectError::Archive(ArchiveFault::Encrypted { path }));
    }
    let kind = entry.unix_mode().unwrap_or_default() & KIND_BITS;
    if [0, KIND_FILE, KIND_FOLDER].contains(&kind) {
        return Ok(());
    }
    Err(special(entry.name_raw()))
}

fn damaged(error: &ZipError) -> ProjectError {
    let reason = excerpt(&error.to_string());
    ProjectError::Archive(ArchiveFault::Damaged { format: "zip", reason })
}

/// Two entries of one name: the reader keeps one, and another reader may keep the other.
fn refuse_twins(archive: &[u8], reader: &ZipArchive<Cursor<&[u8]>>) -> Result<(), ProjectError> {
    let start = usize::try_from(reader.central_directory_start()).unwrap_or(usize::MAX);
    if directory_entries(archive.get(start..).unwrap_or_default()) == reader.len() {
        return Ok(());
    }
    let reason = "its directory names a file twice, or lies about how many there are".to_owned();
    Err(ProjectError::Archive(ArchiveFault::Damaged { format: "zip", reason }))
}

/// Entries of the archive's directory, which ends at the first other record.
fn directory_entries(mut directory: &[u8]) -> usize {
    let mut entries = 0;
    while let Some(header) =
        directory.get(..HEADER_BYTES).filter(|at| at.starts_with(b"PK\x01\x02"))
    {
        let length = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let whole = HEADER_BYTES + length(28) + length(30) + length(32);
        directory = directory.get(whole..).unwrap_or_default();
        entries += 1;
    }
    entries
}
