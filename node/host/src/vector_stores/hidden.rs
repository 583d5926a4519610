//! The knowledge base without the collections of vector stores and of the memory of fixes: what is in
//! those has owners, and is reached through its stores and its memory alone.

use std::path::PathBuf;
use std::sync::Arc;

use gaia_core::coder::fixes::is_memory_name;
use gaia_core::knowledge::{
    Change, Collection, Import, Page, Ranked, Reply, Restore, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};

/// Digits behind `vs_`, as this node makes them.
const DIGITS: usize = 24;

/// A knowledge base whose vector stores and remembered fixes nobody sees.
pub struct Hidden {
    inner: Arc<dyn Knowledge>,
}

/// Whether a collection of that name belongs to a vector store.
#[must_use]
pub fn is_store_name(name: &str) -> bool {
    let digits = name.strip_prefix("vs_").unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a collection of that name is hidden.
fn is_reserved(name: &str) -> bool {
    is_store_name(name) || is_memory_name(name)
}

impl Hidden {
    /// Hides what has owners in `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Knowledge>) -> Self {
        Self { inner }
    }

    async fn check(&self, name: &str) -> Result<(), KnowledgeError> {
        if !is_reserved(name) {
            return Ok(());
        }
        let known = self.seen().await?.into_iter().map(|one| one.name).collect();
        Err(KnowledgeError::UnknownCollection { name: name.to_owned(), known })
    }

    async fn seen(&self) -> Result<Vec<Collection>, KnowledgeError> {
        let mut seen = self.hide(self.inner.collections().await)?;
        seen.retain(|collection| !is_reserved(&collection.name));
        Ok(seen)
    }

    /// An error of the engine's own lists all names.
    fn hide<T>(&self, result: Result<T, KnowledgeError>) -> Result<T, KnowledgeError> {
        result.map_err(|error| match error {
            KnowledgeError::UnknownCollection { name, mut known } => {
                known.retain(|name| !is_reserved(name));
                KnowledgeError::UnknownCollection { name, known }
            }
            other => other,
        })
    }
}

impl Knowledge for Hidden {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(self.seen())
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(async move {
            self.check(&search.collection).await?;
            self.hide(self.inner.search(search).await)
        })
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        let collection = collection.to_owned();
        Box::pin(async move {
            if is_reserved(&collection) && matches!(change, Change::Create(_)) {
                let message = format!(
                    "collection: names like {collection:?} belong to vector stores and the memory \
                     of fixes: choose another name"
                );
                return Err(KnowledgeError::invalid(message));
            }
            self.check(&collection).await?;
            self.hide(self.inner.change(&collection, change).await)
        })
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        Box::pin(async move {
            self.check(&scan.collection).await?;
            self.hide(self.inner.scan(scan).await)
        })
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        let collection = collection.to_owned();
        Box::pin(async move {
            self.check(&collection).await?;
            self.hide(self.inner.snapshot(&collection, file).await)
        })
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        Box::pin(async move {
            self.check(&restore.collection).await?;
            self.hide(self.inner.restore(restore).await)
        })
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        Box::pin(async move {
            self.check(&import.collection).await?;
            self.hide(self.inner.import(import).await)
        })
    }
}
