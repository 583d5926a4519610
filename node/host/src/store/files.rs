//! Files that users uploaded, on disk.
//!
//! `<folder>/<id>/content` are the bytes and `<folder>/<id>/meta.json` says what they are. A file is
//! written in a folder of another name, made durable, and then given its own: after a crash it is
//! there whole or not at all. One node uses a folder at a time: what another one adds is seen after
//! the next start.

mod disk;
mod upload;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

pub use self::upload::Upload;
use super::Owner;
use crate::config::FilesConfig;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its id, made by this node and safe as a folder's name.
    pub id: String,
    /// Who put it here.
    pub owner: Owner,
    /// What its user calls it.
    pub filename: String,
    /// What its user wants it for.
    pub purpose: String,
    /// Its size.
    pub bytes: u64,
    /// When it was uploaded, in seconds since 1970.
    pub created_at: u64,
}

/// Why a file can't be kept, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One file is larger than any may be.
    #[error("the file is larger than this node's limit of {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// All files together are at their limit.
    #[error("this node has no room for more files: {limit}; delete some")]
    Full {
        /// Which limit.
        limit: String,
    },
    /// The disk failed, or is full.
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
}

/// The files of all users.
#[derive(Clone)]
pub struct Files {
    config: Arc<FilesConfig>,
    ledger: Arc<Mutex<Ledger>>,
}

/// What is there and what is being written.
#[derive(Default)]
struct Ledger {
    files: HashMap<String, Arc<FileInfo>>,
    uploads: usize,
    bytes: u64,
}

impl Files {
    /// Reads what is there, and clears away what crashes left behind.
    ///
    /// # Errors
    /// The folder exists and can't be read.
    pub fn open(config: FilesConfig) -> io::Result<Self> {
        let files = disk::read(&config.folder)?;
        let bytes = files.iter().map(|file| file.bytes).sum();
        let files = files.into_iter().map(|file| (file.id.clone(), Arc::new(file))).collect();
        let ledger = Ledger { files, uploads: 0, bytes };
        Ok(Self { config: Arc::new(config), ledger: Arc::new(Mutex::new(ledger)) })
    }

    /// How large one file may be, in bytes.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.config.bytes_max
    }

    /// The files of one owner, oldest first.
    #[must_use]
    pub fn list(&self, owner: &Owner) -> Vec<Arc<FileInfo>> {
        let ledger = self.lock();
        let own = ledger.files.values().filter(|file| file.owner == *owner);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        own
    }

    /// The file of that id.
    #[must_use]
    pub fn get(&self, owner: &Owner, id: &str) -> Option<Arc<FileInfo>> {
        self.lock().files.get(id).filter(|file| file.owner == *owner).cloned()
    }

    /// Opens a file's bytes.
    ///
    /// # Errors
    /// The disk failed, or the file was removed in this moment.
    pub async fn read(&self, file: &FileInfo) -> io::Result<tokio::fs::File> {
        tokio::fs::File::open(self.folder_of(file).join(disk::CONTENT)).await
    }

    /// Begins a new file under an id that no other has.
    ///
    /// # Errors
    /// [`StoreError`]: there is no room, or the disk failed.
    pub async fn begin(&self, id: String) -> Result<Upload, StoreError> {
        Upload::begin(self.clone(), id).await
    }

    /// Removes a file, and lets it go from wherever it was used; whether it was there. `let_go` runs
    /// where it may block: before, so that the file is still there to try again if that fails, and
    /// once more for whoever began to use it meanwhile.
    ///
    /// # Errors
    /// What `let_go` says, or the disk failed; the file is still there, unless `let_go` said so the
    /// second time.
    pub async fn remove<E: From<io::Error> + Send + 'static>(
        &self,
        owner: &Owner,
        id: &str,
        let_go: impl Fn() -> Result<(), E> + Send + 'static,
    ) -> Result<bool, E> {
        let Some(file) = self.get(owner, id) else { return Ok(false) };
        let files = self.clone();
        // It goes on if the client goes away: a folder without its ledger entry would be lost room,
        // and who still uses a file that is gone could not be asked again to let it go.
        let done = spawn_blocking(move || {
            let_go()?;
            let removed = files.remove_now(&file)?;
            let_go().map(|()| removed)
        });
        done.await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
    }

    fn remove_now(&self, file: &FileInfo) -> io::Result<bool> {
        let gone = match disk::hide(&self.config.folder, &file.id) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            hidden => Some(hidden?),
        };
        let removed = {
            let mut ledger = self.lock();
            let removed = ledger.files.remove(&file.id);
            ledger.bytes -= removed.as_ref().map_or(0, |file| file.bytes);
            removed
        };
        if let Some(Err(error)) = gone.map(std::fs::remove_dir_all) {
            tracing::warn!(%error, "a removed file's bytes stay until the next start");
        }
        Ok(removed.is_some())
    }

    fn folder_of(&self, file: &FileInfo) -> PathBuf {
        self.config.folder.join(&file.id)
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
