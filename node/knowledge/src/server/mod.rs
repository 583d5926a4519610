//! Knowledge bases on a Qdrant server, over gRPC; snapshots travel over its REST interface.
//!
//! **Collections.** A collection has one dense vector, without a name; in collections that others made
//! it may have a name, and of several names the settings choose. A sparse vector `bm25` with the
//! modifier IDF holds the words of heading and text, counted here by the same function as in the
//! embedded engine. What Qdrant does not know of a collection stands in its metadata under the key
//! `gaia`: see the module `spec`. Servers before 1.16 have no metadata; a collection with an embedder,
//! a language and so on can't be made there, and a restored one does not remember its embedder. The
//! payload field `document` is indexed. `collections` counts points as the server does, which may count
//! some twice while it tidies up; `Change::Optimize` does nothing, for the server tidies up by itself
//! and has no request for it. By cosine, vectors come back with length 1; whole numbers of a payload
//! above `i64::MAX` come back as floating point, since gRPC has no others.
//!
//! **Names.** A collection that is made here has its own name on the server. A restored snapshot goes
//! into a new collection `NAME@STAMP`, and so do imported points; once it was verified, the alias `NAME` means it, which Qdrant
//! switches at once, and what the alias meant before is deleted. Only where `NAME` is a collection's
//! own name, an alias can't take its place while it exists: it is deleted first, and for the
//! milliseconds between, other clients of the server find nothing of that name; this process uses the
//! new collection already. If it ends just then, the next [`Server::connect`] sets the alias. What was
//! verified is never deleted because its switch failed, for an answer that is lost does not tell what
//! was done: it stays, and the next connection names it if nothing else has the name. What a restore
//! left behind is deleted by a later restore to that name, a day after, unless it is all there is of
//! it. A server keeps the file of a snapshot that it refused, and has no request to delete it.
//!
//! **Tasks.** Changes, snapshots and restores run in tasks of the server's own set, so that they are
//! finished when nobody waits any more; [`Server::close`] waits for them. Reading runs in the caller's
//! task. Each holds a permit; who gets none is overloaded.
//!
//! Absent: writing to a server without waiting, fusing, any request without a time limit, following
//! redirects, which would carry the key elsewhere. In a cluster of several nodes, a snapshot is made of
//! what the node holds that is asked.

mod beside;
mod catalog;
mod client;
mod collections;
mod convert;
mod failure;
mod filter;
mod import;
mod plain;
mod points;
mod rest;
mod restore;
mod settings;
mod snapshot;
mod spec;
mod switch;
mod words;

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gaia_core::knowledge::{
    Change, Collection, Import, Page, Ranked, Reply, Restore, Scan, Search, check_name,
};
use gaia_core::{Knowledge, KnowledgeError};
use qdrant_client::qdrant::HealthCheckRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use catalog::{Catalog, Entry};
use client::{Client, Effort};
use plain::Making;
use points::{Error, Points};
use rest::Rest;

pub use settings::ServerSettings;
pub(crate) use words::document_words;
pub use words::{Bm25, Bm25For, Weigh};

/// A Qdrant server.
pub struct Server {
    inner: Arc<Inner>,
    tasks: Mutex<JoinSet<()>>,
    permits: Arc<Semaphore>,
}

/// What requests share.
struct Inner {
    client: Client,
    catalog: Catalog,
    rest: Option<Rest>,
    making: Making,
    /// Whether the server keeps metadata of collections.
    has_metadata: bool,
    /// One snapshot at a time is restored.
    restoring: Semaphore,
}

impl Server {
    /// Connects to a server, and ends what a restore could not end because its process did.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: a setting is wrong; [`KnowledgeError::Unavailable`]: there is no
    /// Qdrant, or it refuses the key.
    pub async fn connect(settings: ServerSettings) -> Result<Self, KnowledgeError> {
        let client = Client::new(&settings)?;
        let rest = Rest::new(&settings)?;
        let version = version(&client).await?;
        let making = Making { limits: settings.snapshot_limits, folder: settings.scratch };
        let (vector_name, bm25) = (settings.vector_name, settings.bm25);
        let inner = Inner {
            catalog: Catalog::new(client.clone(), vector_name, bm25),
            client,
            rest,
            making,
            has_metadata: version >= (1, 16),
            restoring: Semaphore::new(1),
        };
        switch::adopt(&inner).await?;
        let permits = Arc::new(Semaphore::new(settings.requests_max));
        Ok(Self { inner: Arc::new(inner), tasks: Mutex::default(), permits })
    }

    /// Waits until all changes that have begun are done; none can begin meanwhile. A server that is
    /// dropped instead breaks them off.
    pub async fn close(self) {
        self.permits.close();
        let mut tasks = self.tasks.into_inner().unwrap_or_else(PoisonError::into_inner);
        while tasks.join_next().await.is_some() {}
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, KnowledgeError> {
        self.permits.clone().try_acquire_owned().map_err(|_| KnowledgeError::Overloaded)
    }

    /// Runs a change to its end, whether or not somebody waits for it.
    async fn finish<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, KnowledgeError>> + Send + 'static,
    ) -> Result<T, KnowledgeError> {
        let permit = self.permit()?;
        let (answer, answered) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let result = change.await;
                drop(permit);
                // Nobody may wait any more.
                let _ = answer.send(result);
            });
        }
        answered.await.map_err(|_| KnowledgeError::unavailable("the change was broken off"))?
    }
}

/// The server's version.
async fn version(client: &Client) -> Result<(u64, u64), KnowledgeError> {
    let ask = || {
        let mut root = client.root();
        async move { root.health_check(HealthCheckRequest {}).await }
    };
    let version = client.call(Effort::Read, ask).await?.version;
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(KnowledgeError::unavailable(format!(
            "the server says that its version is {:?}, as no Qdrant does: look at `url`",
            failure::shorten(&version)
        ))),
    }
}

impl Inner {
    /// Does something with a collection; once more if what was known of it no longer holds.
    async fn with<T, F>(
        &self,
        name: &str,
        act: impl Fn(Arc<Entry>) -> F,
    ) -> Result<T, KnowledgeError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match act(self.catalog.find(name).await?).await {
            Err(error) if error.may_be_stale() => {
                Ok(act(self.catalog.find_anew(name).await?).await?)
            }
            done => Ok(done?),
        }
    }

    fn points<'a>(&'a self, entry: &'a Entry) -> Points<'a> {
        Points { client: &self.client, catalog: &self.catalog, entry }
    }

    async fn change(&self, name: &str, change: Change) -> Result<(), KnowledgeError> {
        check_name(name)?;
        match change {
            Change::Create(spec) => collections::create(self, name, &spec).await,
            Change::Delete => collections::delete(self, name).await,
            // Qdrant does so by itself, all the time; it has no request for it.
            Change::Optimize | Change::Reopen => self.catalog.find_anew(name).await.map(|_| ()),
            Change::Upsert(points) => {
                let points = points.as_slice();
                let act =
                    |entry: Arc<Entry>| async move { self.points(&entry).upsert(points).await };
                let done = self.with(name, act).await;
                self.catalog.points_changed();
                done
            }
            Change::Remove(ids) => {
                let ids = ids.as_slice();
                let act = |entry: Arc<Entry>| async move { self.points(&entry).remove(ids).await };
                let done = self.with(name, act).await;
                self.catalog.points_changed();
                done
            }
        }
    }
}

impl Knowledge for Server {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(async move {
            let _permit = self.permit()?;
            Ok(self.inner.catalog.now().await?.collections())
        })
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(async move {
            let _permit = self.permit()?;
            let (inner, search) = (&*self.inner, &search);
            let act = |entry: Arc<Entry>| async move { inner.points(&entry).search(search).await };
            inner.with(&search.collection, act).await
        })
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        let (inner, name) = (self.inner.clone(), collection.to_owned());
        Box::pin(self.finish(async move { inner.change(&name, change).await }))
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        Box::pin(async move {
            let _permit = self.permit()?;
            let (inner, scan) = (&*self.inner, &scan);
            let act = |entry: Arc<Entry>| async move { inner.points(&entry).scan(scan).await };
            inner.with(&scan.collection, act).await
        })
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        let (inner, name) = (self.inner.clone(), collection.to_owned());
        Box::pin(self.finish(async move { snapshot::snapshot(&inner, &name, &file).await }))
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        let inner = self.inner.clone();
        Box::pin(self.finish(async move { restore::restore(&inner, &restore).await }))
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        let inner = self.inner.clone();
        Box::pin(self.finish(async move { import::import(&inner, import).await }))
    }
}
