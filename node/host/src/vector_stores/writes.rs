//! The knowledge base as the task writes to it: whoever gives a write up can wait for its end.
//!
//! Dropping a change that has begun does not stop it. What comes after it, such as the removal of what
//! it writes, must not run before it has ended.
//!
//!     Writes ── a task for each write that is not waited for to its end yet

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gaia_core::knowledge::{
    Change, Collection, Import, Page, Ranked, Reply, Restore, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A knowledge base whose changes go on when they are given up.
pub struct Writes {
    inner: Arc<dyn Knowledge>,
    /// One that ended is taken out by the next, so there are few.
    running: Mutex<JoinSet<()>>,
}

impl Writes {
    /// Writes to `inner`.
    pub fn to(inner: Arc<dyn Knowledge>) -> Self {
        Self { inner, running: Mutex::default() }
    }

    /// Waits until all that was begun has ended.
    pub async fn settle(&self) {
        let mut running = std::mem::take(&mut *self.lock());
        while running.join_next().await.is_some() {}
    }

    async fn write(&self, collection: String, change: Change) -> Result<(), KnowledgeError> {
        let (inner, (tell, told)) = (Arc::clone(&self.inner), oneshot::channel());
        let write = async move {
            let done = inner.change(&collection, change).await;
            // An error: it was given up.
            let _ = tell.send(done);
        };
        {
            let mut running = self.lock();
            while running.try_join_next().is_some() {}
            running.spawn(write);
        }
        told.await.unwrap_or_else(|_| Err(KnowledgeError::unavailable("a write broke off")))
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Knowledge for Writes {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        self.inner.collections()
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        self.inner.search(search)
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        Box::pin(self.write(collection.to_owned(), change))
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        self.inner.scan(scan)
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        self.inner.snapshot(collection, file)
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        self.inner.restore(restore)
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        self.inner.import(import)
    }
}
