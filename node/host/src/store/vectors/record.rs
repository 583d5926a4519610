//! What is kept of a vector store.

use gaia_core::knowledge::Chunker;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Owner, VectorStoreError};

const DAY_S: u64 = 86_400;

/// Batches that are remembered; the oldest goes first.
const BATCHES_MAX: usize = 100;

/// A vector store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorStore {
    /// Its id, made by this node, and the name of its collection.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What its user calls it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What its user notes.
    pub metadata: Map<String, Value>,
    /// Days after its last use after which it goes.
    pub expires_after_days: Option<u32>,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it was used last, to the hour.
    pub last_active_at: u64,
    /// Whether it lives.
    pub stage: Stage,
    /// Its files, in the order in which they came.
    pub files: Vec<StoreFile>,
    /// Files that came together, oldest first.
    pub batches: Vec<Batch>,
}

/// Where in its life a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It can be used.
    Live,
    /// Its time is over, and its collection is still there.
    Expiring,
    /// Its time is over.
    Expired,
    /// Its user removed it, and its collection is still there.
    Deleted,
}

/// A file in a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreFile {
    /// The file's id.
    pub id: String,
    /// What its user calls it.
    pub filename: String,
    /// Its size.
    pub bytes: u64,
    /// When it came into the store.
    pub created_at: u64,
    /// How far it is.
    pub status: FileStatus,
    /// Why it failed.
    pub error: Option<FileError>,
    /// What its user notes, by which searches can filter.
    pub attributes: Map<String, Value>,
    /// How it is cut.
    pub chunker: Chunker,
    /// The batch it came with.
    pub batch: Option<String>,
    /// Whether chunks may be there that were written for another state of this.
    pub stale: bool,
}

/// How far a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// It waits, or is being brought in.
    InProgress,
    /// It can be found.
    Completed,
    /// It can't be brought in.
    Failed,
    /// Its batch was cancelled before its turn.
    Cancelled,
    /// It was removed, and its chunks are still there; users don't see it any more.
    Removed,
}

/// Why a file could not be brought in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileError {
    /// A word for programs.
    pub code: FileErrorCode,
    /// What is wrong and what to do.
    pub message: String,
}

/// OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileErrorCode {
    /// The node is at fault.
    ServerError,
    /// No such kind of file can be read.
    UnsupportedFile,
    /// This file can't be read.
    InvalidFile,
}

/// Files that came together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// When it came.
    pub created_at: u64,
    /// Whether its user gave it up.
    pub cancelled: bool,
}

impl FileStatus {
    /// OpenAI's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Removed => "removed",
        }
    }
}

impl VectorStore {
    /// The files that users see.
    pub fn visible(&self) -> impl Iterator<Item = &StoreFile> {
        self.files.iter().filter(|file| file.status != FileStatus::Removed)
    }

    /// The file of that id, if users see it.
    #[must_use]
    pub fn file(&self, id: &str) -> Option<&StoreFile> {
        self.visible().find(|file| file.id == id)
    }

    /// The same, to change it.
    pub fn file_mut(&mut self, id: &str) -> Option<&mut StoreFile> {
        let visible = |file: &&mut StoreFile| file.status != FileStatus::Removed && file.id == id;
        self.files.iter_mut().find(visible)
    }

    /// Files that are still to be brought in.
    #[must_use]
    pub fn waiting(&self) -> usize {
        if self.stage != Stage::Live {
            return 0;
        }
        self.files.iter().filter(|file| file.status == FileStatus::InProgress).count()
    }

    /// When its time is over.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_after_days.map(|days| self.last_active_at + u64::from(days) * DAY_S)
    }

    /// Refuses what only a living store can do.
    ///
    /// # Errors
    /// It is deleted or expired.
    pub fn check_live(&self, now_s: u64) -> Result<(), VectorStoreError> {
        match self.stage {
            Stage::Deleted => Err(VectorStoreError::Gone),
            Stage::Expiring | Stage::Expired => Err(VectorStoreError::Expired),
            Stage::Live if self.expires_at().is_some_and(|end| end <= now_s) => {
                Err(VectorStoreError::Expired)
            }
            Stage::Live => Ok(()),
        }
    }

    /// Takes a file in; one that is there is brought in anew.
    pub fn attach(&mut self, file: StoreFile) {
        match self.files.iter_mut().find(|old| old.id == file.id) {
            Some(old) => *old = StoreFile { stale: true, ..file },
            None => self.files.push(file),
        }
    }

    /// Remembers a batch.
    pub fn add_batch(&mut self, batch: Batch) {
        self.batches.push(batch);
        if self.batches.len() > BATCHES_MAX {
            self.batches.remove(0);
        }
    }

    /// Gives a batch up: its files that wait stay out. Whether it was there.
    pub fn cancel(&mut self, batch: &str) -> bool {
        let found = self.batches.iter_mut().find(|known| known.id == batch);
        let is_there = found.is_some();
        found.into_iter().for_each(|batch| batch.cancelled = true);
        let waits = |file: &&mut StoreFile| {
            file.status == FileStatus::InProgress && file.batch.as_deref() == Some(batch)
        };
        for file in self.files.iter_mut().filter(waits) {
            (file.status, file.stale) = (FileStatus::Cancelled, true);
        }
        is_there
    }

    /// Lets a file go; whether it was there. Its chunks are still to be removed.
    pub fn detach(&mut self, id: &str) -> bool {
        let found = self.file_mut(id);
        let is_there = found.is_some();
        found.into_iter().for_each(|file| file.status = FileStatus::Removed);
        is_there
    }
}
