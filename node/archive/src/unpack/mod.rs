//! Makes a folder of an archive from outside: [`entry`] reads what tar files are made of, [`path`]
//! judges names, [`meter`] counts and stops, [`folder`] writes.

mod entry;
mod error;
mod extension;
mod folder;
mod meter;
mod path;
mod sparse;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

pub use error::UnpackError;
pub use meter::Progress;

use entry::{Entries, Kind, looks_like_header};
use folder::Folder;
use meter::{CountedFile, Meter};

/// Where a published snapshot is a tar file inside a tar file.
const SNAPSHOT_ENDING: &str = ".snapshot";

/// What an archive may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files together, holes included.
    pub bytes_max: u64,
    /// Files and folders.
    pub files_max: u64,
    /// Bytes of one path.
    pub path_bytes_max: usize,
    /// How many times larger than the file its content may be; the first MiB is free. gzip reaches
    /// 1,032 on zeros.
    pub ratio_max: u64,
}

/// How to follow and stop the work; by default neither.
#[derive(Default)]
pub struct Watch<'a> {
    /// Told now and then, at least once per MiB.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Set it, and the work ends with [`UnpackError::Cancelled`].
    pub cancel: Option<&'a AtomicBool>,
}

/// What was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Regular files.
    pub files: u64,
    /// Their bytes, holes included.
    pub bytes: u64,
}

/// Unpacks a tar file, as it is or under gzip or zstd, to the new folder `into`, whose parent must
/// exist. If all it holds is one file `….snapshot` that is a tar file itself, that one's content is
/// unpacked instead.
///
/// The work happens in `.NAME.unpacking` beside `into`; what a crash left there is removed by the next
/// unpacking to the same place. Files get the process's own mode and the present time.
///
/// # Errors
/// See [`UnpackError`]. Nothing is left of what was unpacked so far.
pub fn unpack(
    file: &Path,
    into: &Path,
    limits: Limits,
    watch: Watch<'_>,
) -> Result<Unpacked, UnpackError> {
    let source = File::open(file).map_err(UnpackError::file("open", file))?;
    let kind = source.metadata().map_err(UnpackError::file("read", file))?;
    if !kind.is_file() {
        return Err(UnpackError::NotAFile { path: file.display().to_string() });
    }
    let mut folder = Folder::create(into, limits)?;
    let meter = Meter::new(limits, watch, kind.len());
    let counted = CountedFile::new(source, meter.bytes_read());
    let reader = crate::compression::reader(BufReader::with_capacity(256 << 10, counted));
    let reader = reader.map_err(UnpackError::file("read", file))?;
    let mut reader = meter.reader(reader);
    outer(&mut reader, &mut folder)?;
    folder.keep()
}

fn outer(reader: &mut dyn Read, folder: &mut Folder) -> Result<(), UnpackError> {
    let mut entries = Entries::new(reader, folder.limits());
    while let Some(mut entry) = entries.next()? {
        if folder.is_without_files() && is_snapshot(&entry.path, &entry.kind) {
            let beginning = entry.peek()?;
            if looks_like_header(&beginning) {
                let path = entry.path.display().to_string();
                inner(&mut beginning.chain(entry.reader()), folder)?;
                entry.finish()?;
                return alone(&mut entries, path);
            }
            folder.write_with_beginning(&mut entry, &beginning)?;
        } else {
            folder.write(&mut entry)?;
        }
        entry.finish()?;
    }
    Ok(())
}

fn is_snapshot(path: &Path, kind: &Kind) -> bool {
    matches!(kind, Kind::File) && path.to_string_lossy().ends_with(SNAPSHOT_ENDING)
}

fn inner(reader: &mut dyn Read, folder: &mut Folder) -> Result<(), UnpackError> {
    folder.forget_folders()?;
    let mut entries = Entries::new(reader, folder.limits());
    while let Some(mut entry) = entries.next()? {
        folder.write(&mut entry)?;
        entry.finish()?;
    }
    Ok(())
}

fn alone(entries: &mut Entries<'_>, path: String) -> Result<(), UnpackError> {
    match entries.next()? {
        None => Ok(()),
        Some(_) => Err(UnpackError::NotAlone { path }),
    }
}
