//! The knowledge base as one request sees it that may search vector stores of its owner's: what everybody
//! sees, and these.

use std::path::PathBuf;
use std::sync::Arc;

use gaia_core::knowledge::{
    Change, Collection, Import, Page, Ranked, Reply, Restore, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};

use super::Hidden;
use crate::store::{FileStatus, VectorStore};

/// The field of a passage that holds the id of its file; its document is then the file's name.
pub const FILE_ID: &str = "file_id";

/// A knowledge base in which some stores can be searched, as they were when the request began.
pub struct Granted {
    inner: Arc<dyn Knowledge>,
    seen: Hidden,
    stores: Vec<Arc<VectorStore>>,
}

impl Granted {
    /// Lets these stores in `inner` be searched, whose owner was looked at.
    #[must_use]
    pub fn new(inner: Arc<dyn Knowledge>, stores: Vec<Arc<VectorStore>>) -> Self {
        let seen = Hidden::new(Arc::clone(&inner));
        Self { inner, seen, stores }
    }

    fn store(&self, collection: &str) -> Option<&VectorStore> {
        self.stores.iter().find(|store| store.id == collection).map(Arc::as_ref)
    }

    fn of(&self, collection: &str) -> &dyn Knowledge {
        match self.store(collection) {
            Some(_) => &*self.inner,
            None => &self.seen,
        }
    }

    async fn collections(&self) -> Result<Vec<Collection>, KnowledgeError> {
        let mut seen = self.seen.collections().await?;
        let all = self.inner.collections().await?;
        seen.extend(all.into_iter().filter(|one| self.store(&one.name).is_some()));
        Ok(seen)
    }

    async fn find(&self, search: Search) -> Result<Vec<Ranked>, KnowledgeError> {
        let collection = search.collection.clone();
        let found = self.of(&collection).search(search).await?;
        let Some(store) = self.store(&collection) else { return Ok(found) };
        Ok(found.into_iter().filter_map(|ranked| named(store, ranked)).collect())
    }
}

/// A passage under its file's name, if the file is in the store and whole.
fn named(store: &VectorStore, mut ranked: Ranked) -> Option<Ranked> {
    let file = store.file(ranked.payload.get("document")?.as_str()?)?;
    if file.status != FileStatus::Completed {
        return None;
    }
    ranked.payload.insert("document".into(), file.filename.clone().into());
    ranked.payload.insert(FILE_ID.into(), file.id.clone().into());
    Some(ranked)
}

impl Knowledge for Granted {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(self.collections())
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(self.find(search))
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        match change {
            Change::Reopen => self.of(collection).change(collection, change),
            // A store's points are its keeper's.
            _ => self.seen.change(collection, change),
        }
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        self.seen.scan(scan)
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        self.seen.snapshot(collection, file)
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        self.seen.restore(restore)
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        self.seen.import(import)
    }
}
