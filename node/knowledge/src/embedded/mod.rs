//! The embedded engine: every collection in a folder of its own, in this process.
//!
//!     FOLDER/lock               held while the engine is open: one process at a time
//!     FOLDER/collections/NAME   one collection, see [`shelf`]
//!
//! The engine blocks, so each call runs on a thread for blocking work, so many at once as there are
//! cores; a limited number may wait.

mod convert;
mod engine;
mod import;
mod room;
mod shard;
mod shelf;
mod snapshot;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use gaia_core::knowledge::{
    Change, Collection, CollectionSpec, Import, Page, Ranked, Reply, Restore, Scan, Search,
    check_name,
};
use gaia_core::{Knowledge, KnowledgeError};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;

use self::shard::Shard;
use self::shelf::{Draft, Manifest, Shelf, failed};
pub use self::snapshot::SnapshotLimits;

/// Calls that may wait for a thread; one more is refused.
const WAITING_MAX: usize = 4096;

/// Collections at most: each holds files open.
const COLLECTIONS_MAX: usize = 1000;

/// Values of a vector at most.
const DIMENSION_MAX: u32 = 65_536;

/// A collection that is open, or why it is not.
type Slot = Result<Arc<Shelf>, String>;

/// Knowledge bases in a folder of this machine.
pub struct Embedded {
    folder: PathBuf,
    /// A lock held for as long as copying a pointer takes.
    slots: RwLock<BTreeMap<String, Slot>>,
    /// Held while a collection comes, goes or is exchanged.
    changing: Mutex<()>,
    threads: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    limits: SnapshotLimits,
    _lock: File,
}

impl Embedded {
    /// Opens all collections in `folder`, which is made if it is not there. A collection that can't
    /// be read is told in the log, answers with the reason, and is left as it is.
    ///
    /// # Errors
    /// Another process has the folder open; a disk that fails.
    pub fn open(folder: &Path, limits: SnapshotLimits) -> Result<Self, KnowledgeError> {
        let collections = folder.join("collections");
        fs::create_dir_all(&collections).map_err(failed)?;
        let lock = lock(folder)?;
        let mut slots = BTreeMap::new();
        for entry in fs::read_dir(&collections).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match Shelf::open(&entry.path(), &name) {
                Ok(Some(shelf)) => slots.insert(name, Ok(Arc::new(shelf))),
                Ok(None) => None,
                Err(error) => {
                    tracing::error!(collection = name, %error, "a collection can't be read");
                    slots.insert(name, Err(error.to_string()))
                }
            };
        }
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            folder: folder.to_owned(),
            slots: RwLock::new(slots),
            changing: Mutex::default(),
            threads: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            limits,
            _lock: lock,
        })
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join("collections").join(name)
    }

    fn shelf(&self, name: &str) -> Result<Arc<Shelf>, KnowledgeError> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        match slots.get(name) {
            Some(Ok(shelf)) => Ok(Arc::clone(shelf)),
            Some(Err(reason)) => {
                let message = format!("the collection `{name}` can't be read: {reason}");
                Err(KnowledgeError::Unavailable { message })
            }
            None => Err(KnowledgeError::UnknownCollection {
                name: name.to_owned(),
                known: slots.keys().cloned().collect(),
            }),
        }
    }

    /// Puts a collection in the place of another, or of none; the other ends when its last search
    /// does.
    async fn exchange(&self, name: &str, new: Option<Shelf>) {
        let old = self.put(name, new);
        // Closing writes.
        let _ = blocking(move || {
            drop(old);
            Ok(())
        })
        .await;
    }

    fn put(&self, name: &str, new: Option<Shelf>) -> Option<Arc<Shelf>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let old = match new {
            Some(shelf) => slots.insert(name.to_owned(), Ok(Arc::new(shelf))),
            None => slots.remove(name),
        };
        let old = old?.ok()?;
        old.retire();
        Some(old)
    }

    /// Runs blocking work when it is its turn.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, KnowledgeError> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let waiting = waiting.map_err(|_| KnowledgeError::Overloaded)?;
        let turn = Arc::clone(&self.threads).acquire_owned().await;
        let turn = turn.expect("it is never closed");
        drop(waiting);
        blocking(move || {
            let _turn = turn;
            work()
        })
        .await
    }

    async fn create(&self, name: &str, spec: CollectionSpec) -> Result<(), KnowledgeError> {
        check_name(name)?;
        check_spec(&spec)?;
        let _changing = self.changing.lock().await;
        self.check_room(name)?;
        let (place, own) = (self.place(name), name.to_owned());
        let shelf = blocking(move || {
            let draft = Draft::begin(&place)?;
            drop(Shard::create(&draft.shard_folder(), &spec)?);
            draft.publish(&own, &Manifest { spec, vector: String::new() })
        });
        let shelf = shelf.await?;
        self.exchange(name, Some(shelf)).await;
        Ok(())
    }

    fn check_room(&self, name: &str) -> Result<(), KnowledgeError> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if slots.contains_key(name) {
            return Err(KnowledgeError::CollectionExists { name: name.to_owned() });
        }
        if slots.len() >= COLLECTIONS_MAX {
            let message = format!("there are {COLLECTIONS_MAX} collections: delete some first");
            return Err(KnowledgeError::Invalid { message });
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), KnowledgeError> {
        let _changing = self.changing.lock().await;
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner).contains_key(name);
        if !known {
            self.shelf(name)?;
        }
        let place = self.place(name);
        blocking(move || shelf::forget(&place)).await?;
        self.exchange(name, None).await;
        Ok(())
    }
}

impl Knowledge for Embedded {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(async {
            let shelves: Vec<_> = {
                let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
                slots.values().filter_map(|slot| slot.as_ref().ok().cloned()).collect()
            };
            self.run(move || shelves.iter().map(|shelf| shelf.collection()).collect()).await
        })
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(async move {
            let shelf = self.shelf(&search.collection)?;
            let work = move || shelf.shard.search(&search.by, search.limit, search.filter.as_ref());
            self.run(work).await
        })
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        let name = collection.to_owned();
        Box::pin(async move {
            let shelf = match change {
                Change::Create(spec) => return self.create(&name, spec).await,
                Change::Delete => return self.delete(&name).await,
                _ => self.shelf(&name)?,
            };
            // Writes wait for each other within the shard, so they take no turn from searches.
            blocking(move || match change {
                Change::Upsert(points) => shelf.shard.upsert(&points),
                Change::Remove(ids) => shelf.shard.remove(&ids),
                Change::Optimize => shelf.shard.optimize(),
                Change::Create(_) | Change::Delete => Ok(()),
            })
            .await
        })
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        Box::pin(async move {
            let shelf = self.shelf(&scan.collection)?;
            self.run(move || shelf.shard.scan(&scan)).await
        })
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        let name = collection.to_owned();
        Box::pin(async move {
            let shelf = self.shelf(&name)?;
            blocking(move || snapshot::write(&shelf, &file)).await
        })
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        Box::pin(async move {
            check_name(&restore.collection)?;
            let _changing = self.changing.lock().await;
            let place = self.place(&restore.collection);
            let name = restore.collection.clone();
            let limits = self.limits;
            let shelf = blocking(move || snapshot::read(&restore, &place, limits)).await?;
            let collection = shelf.collection()?;
            self.exchange(&name, Some(shelf)).await;
            Ok(collection)
        })
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        Box::pin(self.take_over(import))
    }
}

fn lock(folder: &Path) -> Result<File, KnowledgeError> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.display();
            let message = format!(
                "{folder} is open in another process: stop that node, or give this one another \
                 folder by [knowledge] folder"
            );
            Err(KnowledgeError::Unavailable { message })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn check_spec(spec: &CollectionSpec) -> Result<(), KnowledgeError> {
    if spec.dimension == 0 || spec.dimension > DIMENSION_MAX {
        let dimension = spec.dimension;
        let message = format!("dimension: {dimension} is not from 1 to {DIMENSION_MAX}");
        return Err(KnowledgeError::Invalid { message });
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KnowledgeError> + Send + 'static,
) -> Result<T, KnowledgeError> {
    // The engine panics where it finds its files damaged.
    spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded engine failed");
        Err(KnowledgeError::unavailable("its engine failed; the log says more"))
    })
}
