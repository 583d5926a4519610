//! What the archive formats share: budgets, and the folder around everything.

use std::io::{self, Read};

use super::error::{ArchiveFault, PathFault, ProjectError, excerpt};
use super::files::Files;
use super::limits::Limits;

/// A reader that fails, instead of ending, behind a number of bytes.
pub(super) struct Budget<R> {
    inner: R,
    left: usize,
}

impl<R> Budget<R> {
    pub fn new(inner: R, bytes: usize) -> Self {
        Self { inner, left: bytes }
    }
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // The end may be just here.
            let more = self.inner.read(&mut [0; 1])?;
            return if more == 0 { Ok(0) } else { Err(io::ErrorKind::FileTooLarge.into()) };
        }
        let wanted = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..wanted])?;
        self.left -= read;
        Ok(read)
    }
}

/// What came out of an archive so far.
pub(super) struct Unpacking {
    files: Files,
    limits: Limits,
    format: &'static str,
    entries: usize,
    bytes_left: usize,
    bytes_max: usize,
}

impl Unpacking {
    /// Refuses an archive that is itself larger than all it may hold.
    pub fn new(
        format: &'static str,
        archive: &[u8],
        limits: &Limits,
    ) -> Result<Self, ProjectError> {
        let bytes_max = limits.unpacked_bytes_max(archive.len());
        if archive.len() > limits.total_bytes_max {
            return Err(ProjectError::Archive(ArchiveFault::TooLarge { max: bytes_max }));
        }
        let files = Files::new(limits);
        Ok(Self { files, limits: *limits, format, entries: 0, bytes_left: bytes_max, bytes_max })
    }

    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Entries at most: files, and folders for all of them.
    pub fn entries_max(&self) -> usize {
        self.limits.files_max * 3
    }

    /// Counts an entry of any kind.
    pub fn count(&mut self) -> Result<(), ProjectError> {
        self.entries += 1;
        if self.entries <= self.entries_max() {
            return Ok(());
        }
        Err(ProjectError::Archive(ArchiveFault::TooManyEntries { max: self.entries_max() }))
    }

    /// Reads one file and keeps it.
    pub fn take(&mut self, path: &[u8], content: impl Read) -> Result<(), ProjectError> {
        let path = utf8(path)?;
        let mut bytes = vec![];
        let mut budget = Budget::new(content, self.bytes_left);
        budget.read_to_end(&mut bytes).map_err(|error| self.damaged(&error))?;
        self.bytes_left -= bytes.len();
        self.files.add(path, bytes)
    }

    pub fn damaged(&self, error: &io::Error) -> ProjectError {
        ProjectError::Archive(match error.kind() {
            io::ErrorKind::FileTooLarge => ArchiveFault::TooLarge { max: self.bytes_max },
            _ => ArchiveFault::Damaged { format: self.format, reason: excerpt(&error.to_string()) },
        })
    }

    /// The files, without a folder that all of them are in, if the manifest is there.
    pub fn finish(self) -> Result<Files, ProjectError> {
        match common_folder(&self.files) {
            Some(folder) => without_folder(&self.files, &folder, &self.limits),
            None => Ok(self.files),
        }
    }
}

/// An entry's name as text.
pub(super) fn utf8(path: &[u8]) -> Result<&str, ProjectError> {
    std::str::from_utf8(path).map_err(|_| ProjectError::Path {
        path: excerpt(&String::from_utf8_lossy(path)),
        fault: PathFault::NotUtf8,
    })
}

pub(super) fn special(path: &[u8]) -> ProjectError {
    let path = excerpt(&String::from_utf8_lossy(path));
    ProjectError::Archive(ArchiveFault::Special { path })
}

fn common_folder(files: &Files) -> Option<String> {
    let (first, _) = files.iter().next()?;
    let folder = format!("{}/", first.as_str().split_once('/')?.0);
    let all_in = files.iter().all(|(path, _)| path.as_str().starts_with(&folder));
    (all_in && files.get(&format!("{folder}Cargo.toml")).is_some()).then_some(folder)
}

fn without_folder(files: &Files, folder: &str, limits: &Limits) -> Result<Files, ProjectError> {
    let mut moved = Files::new(limits);
    for (path, bytes) in files.iter() {
        let path = path.as_str().strip_prefix(folder).unwrap_or(path.as_str());
        moved.add(path, bytes.to_vec())?;
    }
    Ok(moved)
}
