//! Vector stores at work: one task brings their files in and clears away what is let go.
//!
//! There is no queue besides the stores themselves: what is to be done stands in them, on disk, and
//! its number is limited there. The task looks for the next thing to do, does it, and sleeps when
//! there is none; so a restart goes on with what was under way. A file that its user changes or lets
//! go while it is being brought in is dropped at once and looked at anew, when what it was writing is
//! written.
//!
//!     State ── VectorStoreKeeper ─┬─ task `worker::work` (ends with the keeper)
//!                                 └─ Writes ── a task for each write (ends with the keeper)

mod granted;
mod hidden;
mod job;
#[cfg(test)]
mod tests;
mod worker;
mod writes;

use std::sync::Arc;

use gaia_core::knowledge::{Change, spec_for};
use gaia_core::{KnowledgeError, Node, ServeError};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::granted::{FILE_ID, Granted};
pub use self::hidden::{Hidden, is_store_name};
use self::writes::Writes;
use crate::ingest::Ingester;
use crate::store::{Files, Owner, VectorStore, VectorStoreError, VectorStores};

/// What a keeper works with.
pub struct Tools {
    /// The stores.
    pub stores: VectorStores,
    /// Where their files are.
    pub files: Files,
    /// The node, with the knowledge base that holds the stores' collections.
    pub node: Node,
    /// What brings a file in.
    pub ingester: Ingester,
    /// Bytes of a file at most.
    pub document_bytes_max: u64,
}

/// The vector stores of a node and the task that works for them.
pub struct VectorStoreKeeper {
    tools: Arc<Tools>,
    changes: watch::Sender<u64>,
    /// Ends the task when the keeper goes.
    _work: JoinSet<()>,
}

impl VectorStoreKeeper {
    /// Starts the task; it goes on with what is not done.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(mut tools: Tools) -> Self {
        let writes = tools.node.knowledge.take().map(|inner| Arc::new(Writes::to(inner)));
        tools.node.knowledge = writes.clone().map(|writes| writes as _);
        let tools = Arc::new(tools);
        let (changes, changed) = watch::channel(0);
        let mut work = JoinSet::new();
        work.spawn(worker::work(Arc::clone(&tools), writes, changed));
        Self { tools, changes, _work: work }
    }

    /// The stores, to read.
    #[must_use]
    pub fn stores(&self) -> &VectorStores {
        &self.tools.stores
    }

    /// The node as the stores see it: with their own collections.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.tools.node
    }

    /// Makes a store and its collection.
    ///
    /// # Errors
    /// A limit, the disk, or the embedding model, without which there is no collection.
    pub async fn create(&self, store: VectorStore) -> Result<Arc<VectorStore>, KeepError> {
        // First the store: a collection without one would be seen by nobody and stay for ever.
        let spec = spec_for(&self.tools.node, None).await?;
        let store = self.tools.stores.create(store).await?;
        let made = self.tools.node.knowledge()?.change(&store.id, Change::Create(spec)).await;
        if let Err(error) = made {
            self.tools.stores.forget(&store.id).await?;
            return Err(ServeError::from(error).into());
        }
        self.wake();
        Ok(store)
    }

    /// Changes a store and lets the task know.
    ///
    /// # Errors
    /// As [`VectorStores::change`].
    pub async fn change<F>(&self, id: &str, change: F) -> Result<Arc<VectorStore>, VectorStoreError>
    where
        F: FnOnce(&mut VectorStore) -> Result<(), VectorStoreError> + Send + 'static,
    {
        let changed = self.tools.stores.change(id, change).await;
        self.wake();
        changed
    }

    /// What lets a deleted file go from all stores of its owner, as [`VectorStores::let_go`], and lets
    /// the task know.
    pub fn letting_go(
        &self,
        owner: &Owner,
        file: &str,
    ) -> impl Fn() -> Result<(), VectorStoreError> + Send + use<> {
        let (stores, changes) = (self.tools.stores.clone(), self.changes.clone());
        let (owner, file) = (owner.clone(), file.to_owned());
        move || {
            let gone = stores.let_go(&owner, &file);
            wake(&changes);
            gone
        }
    }

    fn wake(&self) {
        wake(&self.changes);
    }
}

fn wake(changes: &watch::Sender<u64>) {
    changes.send_modify(|count| *count = count.wrapping_add(1));
}

/// Why a store could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store itself.
    #[error(transparent)]
    Store(#[from] VectorStoreError),
    /// Its collection, or the embedding model.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Tools {
    /// Makes a store's collection if it is not there.
    async fn provide(&self, store: &VectorStore) -> Result<(), ServeError> {
        let knowledge = self.node.knowledge()?;
        if knowledge.collections().await?.iter().any(|collection| collection.name == store.id) {
            return Ok(());
        }
        match knowledge.change(&store.id, Change::Create(spec_for(&self.node, None).await?)).await {
            Err(KnowledgeError::CollectionExists { .. }) => Ok(()),
            made => Ok(made?),
        }
    }
}
