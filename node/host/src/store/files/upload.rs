//! A file while it is written.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use super::{FileInfo, Files, StoreError, disk};

/// A file that is being written; dropping it before [`Upload::finish`] removes it.
pub struct Upload {
    file: File,
    place: Place,
}

/// The room that an upload takes, given back by drop.
struct Place {
    files: Files,
    id: String,
    folder: Option<PathBuf>,
    bytes: u64,
    kept: bool,
}

/// The file's description, but for what the store knows itself.
type Describe = Box<dyn FnOnce(String, u64) -> FileInfo + Send>;

impl Upload {
    pub(super) async fn begin(files: Files, id: String) -> Result<Self, StoreError> {
        let place = Place::take(files, id)?;
        let begun = spawn_blocking(move || place.open()).await;
        let (place, file) = begun.map_err(std::io::Error::other)??;
        Ok(Self { file: File::from_std(file), place })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`StoreError`]: a limit, or the disk failed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.place.grow(bytes.len() as u64)?;
        Ok(self.file.write_all(bytes).await?)
    }

    /// Keeps the file for good: when this returns, it outlives a crash. `describe` is given its id
    /// and size.
    ///
    /// # Errors
    /// The disk failed; nothing is kept.
    pub async fn finish(
        mut self,
        describe: impl FnOnce(String, u64) -> FileInfo + Send + 'static,
    ) -> Result<Arc<FileInfo>, StoreError> {
        self.file.flush().await?;
        let file = self.file.into_std().await;
        let (place, describe): (_, Describe) = (self.place, Box::new(describe));
        // It goes on if the client goes away: disk and ledger must agree.
        let done = spawn_blocking(move || place.settle(&file, describe));
        done.await.map_err(std::io::Error::other)?
    }
}

impl Place {
    fn take(files: Files, id: String) -> Result<Self, StoreError> {
        let count_max = files.config.count_max;
        let mut ledger = files.lock();
        if ledger.files.len() + ledger.uploads >= count_max {
            return Err(StoreError::Full { limit: format!("it keeps at most {count_max}") });
        }
        ledger.uploads += 1;
        drop(ledger);
        Ok(Self { files, id, folder: None, bytes: 0, kept: false })
    }

    fn open(mut self) -> Result<(Self, std::fs::File), StoreError> {
        let folder = disk::begin(&self.files.config.folder, &self.id)?;
        let content = folder.join(disk::CONTENT);
        self.folder = Some(folder);
        let file = std::fs::File::create_new(content)?;
        Ok((self, file))
    }

    fn grow(&mut self, bytes: u64) -> Result<(), StoreError> {
        let config = &self.files.config;
        if self.bytes + bytes > config.bytes_max {
            return Err(StoreError::TooLarge { bytes_max: config.bytes_max });
        }
        let mut ledger = self.files.lock();
        if ledger.bytes + bytes > config.total_bytes_max {
            let limit = format!("they may have {} bytes together", config.total_bytes_max);
            return Err(StoreError::Full { limit });
        }
        ledger.bytes += bytes;
        drop(ledger);
        self.bytes += bytes;
        Ok(())
    }

    fn settle(
        mut self,
        file: &std::fs::File,
        describe: Describe,
    ) -> Result<Arc<FileInfo>, StoreError> {
        file.sync_all()?;
        let info = Arc::new(describe(self.id.clone(), self.bytes));
        let begun = self.folder.as_ref().expect("it was opened before it was written");
        disk::settle(begun, &self.files.config.folder, &info)?;
        self.kept = true;
        self.files.lock().files.insert(info.id.clone(), Arc::clone(&info));
        Ok(info)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut ledger = self.files.lock();
        ledger.uploads -= 1;
        if self.kept {
            return;
        }
        ledger.bytes -= self.bytes;
        drop(ledger);
        // Removing a folder of one file takes no longer than a write to it.
        if let Some(Err(error)) = self.folder.as_ref().map(std::fs::remove_dir_all) {
            tracing::warn!(%error, "a broken upload's bytes stay until they are a day old");
        }
    }
}
