//! The folder that an archive becomes: beside its place until it is whole, and gone if it never is.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::entry::{Entry, Kind};
use super::{Limits, UnpackError, Unpacked};
use crate::holes::{HoleyWriter, Run};

const PIECE_BYTES: usize = 256 << 10;

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    File,
    /// A folder that the archive names.
    Folder,
    /// A folder that only the paths of others name.
    Implied,
}

/// A folder in the making.
pub(super) struct Folder {
    into: PathBuf,
    work: PathBuf,
    /// Held so that nobody else works there.
    lock: File,
    limits: Limits,
    seen: HashMap<PathBuf, Seen>,
    unpacked: Unpacked,
}

impl Folder {
    /// Makes the folder to work in, without what a crash left there.
    pub fn create(into: &Path, limits: Limits) -> Result<Self, UnpackError> {
        let shown = || into.display().to_string();
        if fs::symlink_metadata(into).is_ok() {
            return Err(UnpackError::Exists { path: shown() });
        }
        let work = work_beside(into).ok_or_else(|| UnpackError::BadPath { path: shown() })?;
        let lock = locked(&work).map_err(UnpackError::file("make", &work))?;
        let Some(lock) = lock else { return Err(UnpackError::Busy { path: shown() }) };
        let (into, seen, unpacked) = (into.into(), HashMap::new(), Unpacked { files: 0, bytes: 0 });
        let folder = Self { into, work, lock, limits, seen, unpacked };
        folder.empty()?;
        Ok(folder)
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn is_without_files(&self) -> bool {
        self.unpacked.files == 0
    }

    /// Forgets folders that stood around a snapshot.
    pub fn forget_folders(&mut self) -> Result<(), UnpackError> {
        self.seen.clear();
        self.empty()
    }

    fn empty(&self) -> Result<(), UnpackError> {
        empty(&self.work).map_err(UnpackError::file("empty", &self.work))
    }

    /// Writes an entry.
    pub fn write(&mut self, entry: &mut Entry<'_, '_>) -> Result<(), UnpackError> {
        self.write_with_beginning(entry, &[])
    }

    /// Writes an entry whose beginning was read already.
    pub fn write_with_beginning(
        &mut self,
        entry: &mut Entry<'_, '_>,
        beginning: &[u8],
    ) -> Result<(), UnpackError> {
        match &entry.kind {
            Kind::Folder => self.name_folder(&entry.path),
            Kind::File => {
                let bytes = entry.body.bytes_left + beginning.len() as u64;
                let writer = self.new_file(&entry.path, bytes)?;
                self.fill(entry, writer, beginning)
            }
            Kind::Sparse(runs, size) => {
                let writer = self.new_file(&entry.path, *size)?;
                let (runs, size) = (runs.clone(), *size);
                self.fill_runs(entry, writer, (&runs, size))
            }
        }
    }

    /// Puts the folder in its place, on the disk before it has its name.
    pub fn keep(self) -> Result<Unpacked, UnpackError> {
        let folders = self.seen.iter().filter(|(_, seen)| **seen != Seen::File);
        for (path, _) in folders {
            sync(&self.work.join(path))?;
        }
        self.lock.sync_all().map_err(UnpackError::file("write", &self.work))?;
        match move_to_new(&self.work, &self.into) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(UnpackError::Exists { path: self.into.display().to_string() });
            }
            Err(error) => return Err(UnpackError::file("make", &self.into)(error)),
        }
        sync(parent_of(&self.into))?;
        Ok(self.unpacked)
    }

    fn name_folder(&mut self, path: &Path) -> Result<(), UnpackError> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.make_parents(path)?;
        match self.seen.insert(path.into(), Seen::Folder) {
            None => self.make_folder(path),
            Some(Seen::Implied) => Ok(()),
            Some(_) => Err(duplicate(path)),
        }
    }

    fn make_parents(&mut self, path: &Path) -> Result<(), UnpackError> {
        let parents: Vec<_> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev().filter(|parent| !parent.as_os_str().is_empty()) {
            match self.seen.get(parent) {
                Some(Seen::File) => return Err(duplicate(parent)),
                Some(_) => {}
                None => {
                    self.seen.insert(parent.into(), Seen::Implied);
                    self.make_folder(parent)?;
                }
            }
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> Result<(), UnpackError> {
        self.check_count()?;
        fs::create_dir(self.work.join(path)).map_err(UnpackError::file("make", path))
    }

    fn check_count(&self) -> Result<(), UnpackError> {
        let files_max = self.limits.files_max;
        match self.seen.len() as u64 > files_max {
            true => Err(UnpackError::TooManyFiles { files_max }),
            false => Ok(()),
        }
    }

    fn new_file(&mut self, path: &Path, bytes: u64) -> Result<HoleyWriter, UnpackError> {
        self.make_parents(path)?;
        if self.seen.insert(path.into(), Seen::File).is_some() {
            return Err(duplicate(path));
        }
        self.check_count()?;
        let bytes_max = self.limits.bytes_max;
        let sum = self.unpacked.bytes.checked_add(bytes).filter(|sum| *sum <= bytes_max);
        self.unpacked.bytes = sum.ok_or(UnpackError::TooLarge { bytes_max })?;
        self.unpacked.files += 1;
        let file = OpenOptions::new().write(true).create_new(true).open(self.work.join(path));
        file.map(HoleyWriter::new).map_err(UnpackError::file("make", path))
    }

    fn fill(
        &self,
        entry: &mut Entry<'_, '_>,
        mut writer: HoleyWriter,
        beginning: &[u8],
    ) -> Result<(), UnpackError> {
        writer.write(beginning).map_err(UnpackError::file("write", &entry.path))?;
        let bytes = entry.body.bytes_left;
        copy(entry, &mut writer, bytes)?;
        writer.finish().map_err(UnpackError::file("write", &entry.path))
    }

    fn fill_runs(
        &self,
        entry: &mut Entry<'_, '_>,
        mut writer: HoleyWriter,
        (runs, size): (&[Run], u64),
    ) -> Result<(), UnpackError> {
        let mut end = 0;
        for run in runs {
            writer.skip(run.offset - end);
            copy(entry, &mut writer, run.bytes)?;
            end = run.offset + run.bytes;
        }
        writer.skip(size - end);
        writer.finish().map_err(UnpackError::file("write", &entry.path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After `keep` there is nothing at this path. While the lock is held nobody else works there.
        if is_at(&self.lock, &self.work) {
            let _ = fs::remove_dir_all(&self.work);
        }
    }
}

fn copy(
    entry: &mut Entry<'_, '_>,
    writer: &mut HoleyWriter,
    bytes: u64,
) -> Result<(), UnpackError> {
    let mut piece = vec![0; PIECE_BYTES.min(bytes as usize)];
    let mut left = bytes;
    while left > 0 {
        // Pieces are filled, for only whole blocks of zeros make holes.
        let length = left.min(piece.len() as u64) as usize;
        entry.body.read_exact(&mut piece[..length])?;
        writer.write(&piece[..length]).map_err(UnpackError::file("write", &entry.path))?;
        left -= length as u64;
    }
    Ok(())
}

fn duplicate(path: &Path) -> UnpackError {
    UnpackError::Duplicate { path: path.display().to_string() }
}

fn work_beside(into: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(into.file_name()?);
    name.push(".unpacking");
    Some(into.with_file_name(name))
}

/// The folder at `work`, made if need be, and its lock; `None` if someone else works there.
fn locked(work: &Path) -> io::Result<Option<File>> {
    match fs::DirBuilder::new().mode(0o700).create(work) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = open_folder(work)?;
    match lock.try_lock() {
        Ok(()) => Ok(is_at(&lock, work).then_some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a folder and no link to one.
fn open_folder(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}

/// Whether an open folder is still the one at a path.
fn is_at(open: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (open.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.ino(), open.dev()) == (there.ino(), there.dev())
}

fn empty(work: &Path) -> io::Result<()> {
    for child in fs::read_dir(work)? {
        let child = child?;
        match child.file_type()?.is_dir() {
            true => fs::remove_dir_all(child.path())?,
            false => fs::remove_file(child.path())?,
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<(), UnpackError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(UnpackError::file("write", folder))
}

/// Renames, and replaces nothing, not even an empty folder.
fn move_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems know no such rename.
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_err() => {
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
