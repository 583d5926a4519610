//! A file in the making: beside its place until it is whole, and gone if it never is.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// An open file `.NAME.writing` beside `NAME`.
pub(crate) struct NewFile {
    target: PathBuf,
    work: PathBuf,
    file: File,
    kept: bool,
}

impl NewFile {
    /// Makes it, in the place of what a crash left there.
    pub fn create(target: &Path) -> io::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
        };
        let mut work = OsString::from(".");
        work.push(name);
        work.push(".writing");
        let work = target.with_file_name(work);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(open(&work, flags | OFlags::NONBLOCK, Mode::from_raw_mode(0o644))?);
        lock(&file, &work)?;
        file.set_len(0)?;
        Ok(Self { target: target.into(), work, file, kept: false })
    }

    /// Whether a path leads to this very file.
    pub fn is(&self, other: &fs::Metadata) -> bool {
        let ours = self.file.metadata();
        ours.is_ok_and(|ours| (ours.ino(), ours.dev()) == (other.ino(), other.dev()))
    }

    /// Puts the file in its place, on the disk before it has its name.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.work, &self.target)?;
        self.kept = true;
        let parent = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl io::Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // There is an error to report already; what stays is overwritten next time.
            let _ = fs::remove_file(&self.work);
        }
    }
}

/// Takes the lock of the file that is at `work` still: another writer may just have moved it away.
fn lock(file: &File, work: &Path) -> io::Result<()> {
    let busy = || io::Error::new(io::ErrorKind::ResourceBusy, "it is being written already");
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (ours, there) = (file.metadata()?, fs::symlink_metadata(work)?);
    match (ours.ino(), ours.dev()) == (there.ino(), there.dev()) && ours.is_file() {
        true => Ok(()),
        false => Err(busy()),
    }
}
