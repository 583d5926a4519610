//! A file that is not whole yet: what has come, its hash so far, and what it is part of.

use std::ffi::OsString;
use std::fs::{self, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::{DownloadError, Downloaded, Options};

/// A note is two short strings; more is someone else's file.
const NOTE_BYTES_MAX: u64 = 16 << 10;
/// Read at once when what has come is hashed again.
const PIECE_BYTES: usize = 256 << 10;

/// What the bytes in a part file are the beginning of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    /// The SHA-256 of the URL, which may hold keys.
    pub url_sha256: String,
    /// What the server said by which it can tell whether the file is still the same.
    pub validator: Validator,
}

/// How the server tells one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validator {
    /// A strong ETag.
    Etag(String),
    /// A date.
    LastModified(String),
}

/// The open part file, locked against other downloads.
pub(super) struct Part {
    target: PathBuf,
    path: PathBuf,
    note: PathBuf,
    file: tokio::fs::File,
    hash: Sha256,
    bytes: u64,
    bytes_max: u64,
    bytes_resumed: u64,
    origin: Option<Origin>,
}

impl Part {
    /// Opens or creates the part file for `target` and reads what is there.
    pub async fn open(target: &Path, options: &Options) -> Result<Self, DownloadError> {
        let part_of = options.part_of.as_deref().unwrap_or(target).to_owned();
        let (target, bytes_max) = (target.to_owned(), options.bytes_max);
        blocking(move || open((target, &part_of), bytes_max)).await
    }

    /// Where the whole file will stand.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// How much has come.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How much may come.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// By what the beginning of a URL's file that is here can be continued, if it can.
    pub fn validator_for(&self, url_sha256: &str) -> Option<&Validator> {
        let origin = self.origin.as_ref().filter(|origin| origin.url_sha256 == url_sha256)?;
        Some(&origin.validator).filter(|_| self.bytes > 0)
    }

    /// Forgets what has come and begins anew, as the beginning of `origin`.
    pub async fn restart(&mut self, origin: Option<Origin>) -> Result<(), DownloadError> {
        let failed = |error| DownloadError::file("write", &self.path)(error);
        self.file.set_len(0).await.map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).await.map_err(failed)?;
        if self.bytes > 0 {
            // Else a power cut could leave old bytes with the new note.
            self.file.sync_all().await.map_err(failed)?;
        }
        (self.hash, self.bytes, self.bytes_resumed) = (Sha256::new(), 0, 0);
        self.note_down(origin).await
    }

    /// Takes up what is there from an earlier try.
    pub fn resume(&mut self) {
        self.bytes_resumed = self.bytes;
    }

    /// Appends. The caller has checked the limit.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| self.write_failed(error))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Whether a part of an earlier try is in it and the whole is not what was wanted: a version may
    /// have changed where the server did not tell.
    pub fn is_spoiled(&self, wanted: Option<[u8; 32]>) -> bool {
        self.bytes_resumed > 0 && wanted.is_some_and(|wanted| wanted != self.sha256())
    }

    fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Hands what was written to the system, so that the file has what [`bytes`](Self::bytes) says.
    pub async fn flush(&mut self) -> Result<(), DownloadError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.write_failed(error))
    }

    /// Removes everything.
    pub async fn discard(&self) {
        // The caller has an error to report already; what can't be removed is overwritten next time.
        let _ = tokio::fs::remove_file(&self.note).await;
        let _ = tokio::fs::remove_file(&self.path).await;
    }

    /// Verifies the whole and puts it in its place, on the disk before it has its name.
    pub async fn finish(mut self, wanted: Option<[u8; 32]>) -> Result<Downloaded, DownloadError> {
        self.flush().await?;
        let sha256 = self.sha256();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != sha256) {
            self.discard().await;
            return Err(DownloadError::WrongHash { expected: hex(&wanted), actual: hex(&sha256) });
        }
        self.file.sync_all().await.map_err(|error| self.write_failed(error))?;
        let (bytes, bytes_resumed) = (self.bytes, self.bytes_resumed);
        blocking(move || self.put_in_place()).await?;
        Ok(Downloaded { bytes, sha256, bytes_resumed })
    }

    /// Bytes that are free where the file goes.
    pub fn bytes_free(&self) -> Result<u64, DownloadError> {
        let room = rustix::fs::statvfs(folder_of(&self.target));
        let room = room.map_err(|error| error.into());
        let room = room.map_err(DownloadError::file("ask for the room at", &self.target))?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn put_in_place(&self) -> Result<(), DownloadError> {
        let moved = fs::rename(&self.path, &self.target);
        moved.map_err(DownloadError::file("write", &self.target))?;
        let _ = fs::remove_file(&self.note);
        let folder = folder_of(&self.target);
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(DownloadError::file("write", folder))
    }

    async fn note_down(&mut self, origin: Option<Origin>) -> Result<(), DownloadError> {
        let written = match &origin {
            Some(origin) => {
                let text = serde_json::to_vec(origin).map_err(io::Error::from);
                match text {
                    Ok(text) => tokio::fs::write(&self.note, text).await,
                    Err(error) => Err(error),
                }
            }
            None => gone_is_fine(tokio::fs::remove_file(&self.note).await),
        };
        self.origin = origin;
        written.map_err(DownloadError::file("write", &self.note))
    }

    fn write_failed(&self, error: io::Error) -> DownloadError {
        if error.kind() == io::ErrorKind::StorageFull {
            let bytes_free = self.bytes_free().unwrap_or(0);
            let path = self.target.display().to_string();
            return DownloadError::NoRoom { path, bytes_needed: bytes_free + 1, bytes_free };
        }
        DownloadError::file("write", &self.path)(error)
    }
}

/// Runs what waits for a disk where that blocks no other task.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DownloadError> + Send + 'static,
) -> Result<T, DownloadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(DownloadError::file("work on", Path::new("the part file"))(io::Error::other(error)))
        }
    }
}

fn open((target, part_of): (PathBuf, &Path), bytes_max: u64) -> Result<Part, DownloadError> {
    let (path, note) = (beside(part_of, ".part"), beside(part_of, ".part.json"));
    let failed = DownloadError::file("open", &path);
    let mut file = match open_locked(&path) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(DownloadError::Busy { path: path.display().to_string() }),
        Err(error) => return Err(failed(error)),
    };
    let origin = read_note(&note);
    let (hash, bytes) = hash_of(&mut file).map_err(failed)?;
    let file = tokio::fs::File::from_std(file);
    Ok(Part { target, path, note, file, hash, bytes, bytes_max, bytes_resumed: 0, origin })
}

/// Opens without following a link that someone put there, and takes the lock; `None` when another
/// download has it, or has just moved the file to its place.
fn open_locked(path: &Path) -> io::Result<Option<fs::File>> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags | OFlags::NONBLOCK, Mode::from_raw_mode(0o644))?;
    let file = fs::File::from(file);
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (ours, there) = (file.metadata()?, fs::symlink_metadata(path)?);
    if !ours.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let same = (ours.ino(), ours.dev()) == (there.ino(), there.dev());
    Ok(same.then_some(file))
}

/// A note that can't be read is no note: the download begins anew.
fn read_note(note: &Path) -> Option<Origin> {
    let mut text = vec![];
    let file = fs::File::open(note).ok().filter(is_regular)?;
    file.take(NOTE_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn is_regular(file: &fs::File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn hash_of(file: &mut fs::File) -> io::Result<(Sha256, u64)> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; PIECE_BYTES];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok((hash, bytes));
        }
        hash.update(&piece[..length]);
        bytes += length as u64;
    }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

fn folder_of(target: &Path) -> &Path {
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
