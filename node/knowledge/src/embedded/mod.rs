//! The embedded engine: every collection in a folder of its own, in this process.
//!
//!     FOLDER/lock               held while the engine is open: one process at a time
//!     FOLDER/collections/NAME   one collection, see [`shelf`]
//!
//! The engine blocks, so each call runs on a thread for blocking work, so many at once as there are
//! cores; a limited number may wait. A change of what collections there are ends on its thread, in
//! memory too, whether or not anybody still waits for it.
//!
//! A collection that can't be opened keeps its place and its reason. Whoever asks for it after a while
//! has it opened again, one at a time.

mod convert;
mod engine;
mod import;
mod log;
mod reason;
pub(crate) mod room;
mod shard;
mod shelf;
mod slots;
mod snapshot;
pub(crate) mod words;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gaia_core::knowledge::{
    Change, Collection, CollectionSpec, Import, Page, Ranked, Reply, Restore, Scan, Search,
    check_name,
};
use gaia_core::{Knowledge, KnowledgeError};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;

use self::shard::Shard;
use self::shelf::{Draft, Manifest, Shelf};
use self::slots::{Slot, Slots};
pub use self::snapshot::SnapshotLimits;
pub(crate) use self::snapshot::unpack_tar;

/// Calls that may wait for a thread; one more is refused.
const WAITING_MAX: usize = 4096;

/// Values of a vector at most.
const DIMENSION_MAX: u32 = 65_536;

/// A collection that can't be read is opened again after so long: opening reads files to their ends.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Knowledge bases in a folder of this machine.
pub struct Embedded {
    slots: Arc<Slots>,
    /// Held while a collection comes, goes or is exchanged.
    changing: Arc<Mutex<()>>,
    threads: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    limits: SnapshotLimits,
    retry_after: Duration,
}

impl Embedded {
    /// Opens all collections in `folder`, which is made if it is not there. A collection that can't
    /// be read is told in the log, answers with the reason, and is left as it is.
    ///
    /// # Errors
    /// Another process has the folder open; a disk that fails.
    pub fn open(folder: &Path, limits: SnapshotLimits) -> Result<Self, KnowledgeError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            slots: Arc::new(Slots::open(folder)?),
            changing: Arc::default(),
            threads: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            limits,
            retry_after: RETRY_AFTER,
        })
    }

    /// The same; what can't be read is opened again when it is asked for after so long.
    #[must_use]
    pub fn retrying_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }

    /// The collection of that name; a broken one is opened again if its time has come.
    async fn shelf(&self, name: &str) -> Result<Arc<Shelf>, KnowledgeError> {
        match self.slots.find(name)? {
            Slot::Broken(_) if self.slots.is_due(name, self.retry_after) => self.reopen(name).await,
            _ => self.slots.shelf(name),
        }
    }

    /// The collection of that name; a broken one is opened again, unless something changes now.
    async fn reopen(&self, name: &str) -> Result<Arc<Shelf>, KnowledgeError> {
        let Ok(changing) = Arc::clone(&self.changing).try_lock_owned() else {
            return self.slots.shelf(name);
        };
        let (slots, name) = (Arc::clone(&self.slots), name.to_owned());
        blocking(move || {
            let _changing = changing;
            slots.reopen(&name)
        })
        .await
    }

    /// Runs what changes which collections there are: one such change at a time, to its end.
    async fn changing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Slots) -> Result<T, KnowledgeError> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let changing = Arc::clone(&self.changing).lock_owned().await;
        let slots = Arc::clone(&self.slots);
        blocking(move || {
            let _changing = changing;
            work(&slots)
        })
        .await
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

    async fn create(&self, name: String, spec: CollectionSpec) -> Result<(), KnowledgeError> {
        check_name(&name)?;
        check_spec(&spec)?;
        self.changing(move |slots| {
            slots.check_free(&name, false)?;
            let draft = Draft::begin(&slots.place(&name))?;
            drop(Shard::create(&draft.shard_folder(), &spec)?);
            let shelf = draft.publish(&name, &Manifest { spec, vector: String::new() })?;
            slots.exchange(&name, Some(shelf));
            Ok(())
        })
        .await
    }

    async fn delete(&self, name: String) -> Result<(), KnowledgeError> {
        self.changing(move |slots| {
            slots.find(&name)?;
            shelf::forget(&slots.place(&name))?;
            slots.exchange(&name, None);
            Ok(())
        })
        .await
    }
}

impl Knowledge for Embedded {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(async {
            let all = self.slots.list();
            let told = move || Ok(all.iter().map(|(name, slot)| slot.collection(name)).collect());
            self.run(told).await
        })
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(async move {
            let shelf = self.shelf(&search.collection).await?;
            let work = move || shelf.shard.search(&search.by, search.limit, search.filter.as_ref());
            self.run(work).await
        })
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        let name = collection.to_owned();
        Box::pin(async move {
            // Writes wait for each other within the shard, so they take no turn from searches.
            match change {
                Change::Create(spec) => self.create(name, spec).await,
                Change::Delete => self.delete(name).await,
                Change::Reopen => self.shelf(&name).await.map(drop),
                Change::Upsert(points) => {
                    let shelf = self.shelf(&name).await?;
                    blocking(move || shelf.shard.upsert(&points)).await
                }
                Change::Remove(ids) => {
                    let shelf = self.shelf(&name).await?;
                    blocking(move || shelf.shard.remove(&ids)).await
                }
                Change::Optimize => {
                    let shelf = self.reopen(&name).await?;
                    blocking(move || shelf.shard.optimize()).await
                }
            }
        })
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        Box::pin(async move {
            let shelf = self.shelf(&scan.collection).await?;
            self.run(move || shelf.shard.scan(&scan)).await
        })
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        let name = collection.to_owned();
        Box::pin(async move {
            let shelf = self.shelf(&name).await?;
            blocking(move || snapshot::write(&shelf, &file)).await
        })
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        Box::pin(async move {
            check_name(&restore.collection)?;
            let limits = self.limits;
            self.changing(move |slots| {
                let name = &restore.collection;
                let shelf = snapshot::read(&restore, &slots.place(name), limits)?;
                let collection = shelf.collection()?;
                slots.exchange(name, Some(shelf));
                Ok(collection)
            })
            .await
        })
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        Box::pin(self.take_over(import))
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
