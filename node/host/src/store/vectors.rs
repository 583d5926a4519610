//! Vector stores: what each is, on disk. Their texts and vectors are in the knowledge base, in a
//! collection of the store's id.
//!
//! `<folder>/<id>.json` is one store. A change is made on a copy, written whole under another name,
//! made durable and given its own name, and only then shown: after a crash it happened or it did not.
//! What is still to be done (a file to bring in, chunks to remove) stands in the store itself, so
//! that the next start goes on with it.

mod disk;
mod record;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

pub use self::record::{
    Batch, FileError, FileErrorCode, FileStatus, Stage, StoreFile, VectorStore,
};
use super::Owner;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct VectorLimits {
    /// Stores of one owner.
    pub stores: usize,
    /// Files of one store: each change writes the list of them.
    pub files: usize,
    /// Files that wait to be brought in, of all owners.
    pub waiting: usize,
}

impl Default for VectorLimits {
    fn default() -> Self {
        Self { stores: 100, files: 1000, waiting: 5000 }
    }
}

/// Why a store is not changed.
#[derive(Debug, thiserror::Error)]
pub enum VectorStoreError {
    /// It is not there, or not any more.
    #[error("there is no such vector store")]
    Gone,
    /// Its time is over.
    #[error("the vector store has expired: make another one")]
    Expired,
    /// A limit is reached.
    #[error("{0}")]
    Full(String),
    /// Too many files wait to be brought in.
    #[error("{0} files wait to be brought into vector stores: try again later")]
    Busy(usize),
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
}

/// The vector stores of all users. Clones are the same.
#[derive(Clone)]
pub struct VectorStores {
    shelf: Arc<Shelf>,
}

type Ledger = HashMap<String, Arc<VectorStore>>;

struct Shelf {
    folder: PathBuf,
    limits: VectorLimits,
    /// What readers see; held for as long as copying a pointer takes.
    ledger: Mutex<Ledger>,
    /// Held by the one that changes something, also while it writes.
    writing: Mutex<()>,
}

impl VectorStores {
    /// Reads what is there, and clears away what crashes left behind.
    ///
    /// # Errors
    /// The folder exists and can't be read.
    pub fn open(folder: PathBuf, limits: VectorLimits) -> io::Result<Self> {
        let stores = disk::read(&folder)?;
        let ledger = stores.into_iter().map(|store| (store.id.clone(), Arc::new(store))).collect();
        let (ledger, writing) = (Mutex::new(ledger), Mutex::new(()));
        Ok(Self { shelf: Arc::new(Shelf { folder, limits, ledger, writing }) })
    }

    /// The stores of one owner, oldest first.
    #[must_use]
    pub fn list(&self, owner: &Owner) -> Vec<Arc<VectorStore>> {
        let mut own = self.all();
        own.retain(|store| store.owner == *owner && store.stage != Stage::Deleted);
        own
    }

    /// The store of that id.
    #[must_use]
    pub fn get(&self, owner: &Owner, id: &str) -> Option<Arc<VectorStore>> {
        let found = self.find(id)?;
        (found.owner == *owner && found.stage != Stage::Deleted).then_some(found)
    }

    /// All stores, oldest first, also those that are being removed.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<VectorStore>> {
        let mut all: Vec<_> = self.shelf.lock().values().cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// The store of that id, whosever it is.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<VectorStore>> {
        self.shelf.lock().get(id).cloned()
    }

    /// Files that one store may have.
    #[must_use]
    pub fn files_max(&self) -> usize {
        self.shelf.limits.files
    }

    /// Keeps a new store.
    ///
    /// # Errors
    /// Its owner has too many, or the disk failed.
    pub async fn create(&self, store: VectorStore) -> Result<Arc<VectorStore>, VectorStoreError> {
        let shelf = Arc::clone(&self.shelf);
        on_a_thread(move || shelf.create(store)).await
    }

    /// Changes a store; `change` works on a copy, which counts when it is durable.
    ///
    /// # Errors
    /// What `change` says, a limit, or the disk failed: nothing has changed then.
    pub async fn change<F>(&self, id: &str, change: F) -> Result<Arc<VectorStore>, VectorStoreError>
    where
        F: FnOnce(&mut VectorStore) -> Result<(), VectorStoreError> + Send + 'static,
    {
        let (shelf, id) = (Arc::clone(&self.shelf), id.to_owned());
        on_a_thread(move || shelf.change(&id, change)).await
    }

    /// Notes that a store was used, once an hour.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn touch(&self, id: &str, now_s: u64) -> Result<(), VectorStoreError> {
        // A crash may take an hour off a store's life, which is counted in days.
        const WRITTEN_EVERY_S: u64 = 3600;
        let is_recent = |store: Arc<VectorStore>| store.last_active_at + WRITTEN_EVERY_S > now_s;
        if self.find(id).is_none_or(is_recent) {
            return Ok(());
        }
        let used = move |store: &mut VectorStore| {
            store.last_active_at = now_s;
            Ok(())
        };
        self.change(id, used).await.map(drop)
    }

    /// Lets a file go from all stores of its owner, as far as the disk lets it. It blocks.
    ///
    /// # Errors
    /// The disk failed: what it failed for first; a store that could not be written has the file still.
    pub fn let_go(&self, owner: &Owner, file: &str) -> Result<(), VectorStoreError> {
        let detach = |store: &mut VectorStore| {
            store.detach(file);
            Ok(())
        };
        let mut stores = self.list(owner);
        stores.retain(|store| store.file(file).is_some());
        let gone = stores.iter().map(|store| match self.shelf.change(&store.id, detach) {
            Ok(_) | Err(VectorStoreError::Gone) => Ok(()),
            Err(error) => Err(error),
        });
        // None is left out because another one failed.
        gone.fold(Ok(()), Result::and)
    }

    /// Forgets a store whose collection is gone.
    ///
    /// # Errors
    /// The disk failed; the store is still there.
    pub async fn forget(&self, id: &str) -> Result<(), VectorStoreError> {
        let (shelf, id) = (Arc::clone(&self.shelf), id.to_owned());
        on_a_thread(move || shelf.forget(&id)).await
    }
}

impl Shelf {
    fn create(&self, store: VectorStore) -> Result<Arc<VectorStore>, VectorStoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let of_owner =
            |other: &&Arc<VectorStore>| other.owner == store.owner && other.stage != Stage::Deleted;
        let count = self.lock().values().filter(of_owner).count();
        if count >= self.limits.stores {
            let message =
                format!("you have {count} vector stores, which is the limit: delete some");
            return Err(VectorStoreError::Full(message));
        }
        self.check_waiting(0, &store)?;
        self.settle(store)
    }

    fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut VectorStore) -> Result<(), VectorStoreError>,
    ) -> Result<Arc<VectorStore>, VectorStoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.lock().get(id).cloned().ok_or(VectorStoreError::Gone)?;
        let mut store = VectorStore::clone(&old);
        change(&mut store)?;
        if store == *old {
            return Ok(old);
        }
        let count = store.visible().count();
        if count > self.limits.files && count > old.visible().count() {
            let most = self.limits.files;
            let message = format!("a vector store has at most {most} files: delete some first");
            return Err(VectorStoreError::Full(message));
        }
        self.check_waiting(old.waiting(), &store)?;
        self.settle(store)
    }

    /// Refuses a store that adds to what waits when too much does.
    fn check_waiting(&self, before: usize, store: &VectorStore) -> Result<(), VectorStoreError> {
        let now = store.waiting();
        if now <= before {
            return Ok(());
        }
        let all: usize = self.lock().values().map(|other| other.waiting()).sum();
        if all - before + now > self.limits.waiting {
            Err(VectorStoreError::Busy(all))
        } else {
            Ok(())
        }
    }

    fn settle(&self, store: VectorStore) -> Result<Arc<VectorStore>, VectorStoreError> {
        disk::write(&self.folder, &store)?;
        let store = Arc::new(store);
        self.lock().insert(store.id.clone(), Arc::clone(&store));
        Ok(store)
    }

    fn forget(&self, id: &str) -> Result<(), VectorStoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        disk::remove(&self.folder, id)?;
        self.lock().remove(id);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on if the caller goes away.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VectorStoreError> + Send + 'static,
) -> Result<T, VectorStoreError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
