//! Words looked up elsewhere: a keyword index in Elasticsearch or TiDB beside an engine.
//!
//! The engine keeps the points and is right about them; the index keeps their texts under their ids and
//! is asked for [`By::Words`] instead of the engine's own BM25. What it finds is looked up in the engine,
//! so a text that the engine has not (any more) is never found.
//!
//! **When one of both fails.** Texts are written to the index first: if that fails, nothing was written,
//! and if the engine fails then, the index holds texts that nobody finds until the same points are
//! written again. Points are removed from the engine first: if the index fails then, that is logged,
//! and its texts are found no more. A restore or an import is the engine's; the index follows, and if
//! it fails the error says so. `Change::Optimize` brings the index back in line, whatever happened: it
//! writes all texts anew and removes those without a point.

mod elastic;
mod tidb;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use gaia_core::knowledge::{
    By, Change, Collection, Filter, Import, Page, Point, PointId, Ranked, Reply, Restore, Scan,
    Search,
};
use gaia_core::{Knowledge, KnowledgeError};

pub use elastic::{Elastic, ElasticSettings};
pub use tidb::{Tidb, TidbSettings};

/// Points that are looked at when an index is brought in line.
const PAGE: usize = 256;

/// So many texts more than wanted are asked for, for some may have no point any more; with a filter,
/// so many are what it chooses from.
const MORE: usize = 20;
const FILTERED: usize = 1000;

/// A point's text in an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The point.
    pub id: PointId,
    /// Its headings and its text.
    pub words: String,
}

/// Texts of which some are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The collection.
    pub collection: String,
    /// The words of a question, as its asker wrote them.
    pub words: String,
    /// Texts at most.
    pub limit: usize,
}

/// An index of texts by their words. Collections are told apart by their names.
pub trait KeywordIndex: Send + Sync {
    /// The texts that fit best, best first, with a score: more is better.
    fn find(&self, lookup: Lookup) -> Reply<'_, Vec<(PointId, f32)>>;

    /// Writes texts, in the place of those of the same ids. They can be found when it returns.
    fn put(&self, collection: &str, texts: Vec<Text>) -> Reply<'_, ()>;

    /// Removes texts; ids that are not there are no error.
    fn remove(&self, collection: &str, ids: Vec<PointId>) -> Reply<'_, ()>;

    /// Removes all texts of a collection.
    fn forget(&self, collection: &str) -> Reply<'_, ()>;

    /// The ids behind `after`, some of them, in an order of the index's own; none at the end.
    fn list(&self, collection: &str, after: Option<PointId>) -> Reply<'_, Vec<PointId>>;
}

/// An engine whose words are looked up in an index.
pub struct Keyed {
    engine: Arc<dyn Knowledge>,
    index: Arc<dyn KeywordIndex>,
    /// The collections that it holds for; all, if none is named.
    only: Vec<String>,
}

impl Keyed {
    /// Looks words up in `index` for the collections `only`, or for all if there are none.
    #[must_use]
    pub fn new(
        engine: Arc<dyn Knowledge>,
        index: Arc<dyn KeywordIndex>,
        only: Vec<String>,
    ) -> Self {
        Self { engine, index, only }
    }

    fn covers(&self, collection: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == collection)
    }

    async fn find(&self, search: Search, words: String) -> Result<Vec<Ranked>, KnowledgeError> {
        let Search { collection, limit, filter, .. } = search;
        let wanted = if filter.is_some() { FILTERED } else { limit + MORE };
        let lookup = Lookup { collection: collection.clone(), words, limit: wanted.min(FILTERED) };
        let found = self.index.find(lookup).await?;
        let ids = Filter::Ids(found.iter().map(|(id, _)| *id).collect());
        let filter = Filter::All([ids].into_iter().chain(filter).collect());
        let limit_of_page = found.len().max(1);
        let scan =
            Scan { collection, filter: Some(filter), limit: limit_of_page, ..Scan::default() };
        let points = self.engine.scan(scan).await?.points;
        let mut points: HashMap<_, _> = points.into_iter().map(|p| (p.id, p.payload)).collect();
        let ranked = found.into_iter().filter_map(|(id, score)| {
            points.remove(&id).map(|payload| Ranked { id, score, payload })
        });
        Ok(ranked.take(limit).collect())
    }

    async fn change(&self, collection: String, change: Change) -> Result<(), KnowledgeError> {
        if !self.covers(&collection) {
            return self.engine.change(&collection, change).await;
        }
        match change {
            Change::Create(spec) => {
                // One of that name may have been deleted while the index was out of reach.
                self.engine.change(&collection, Change::Create(spec)).await?;
                self.index.forget(&collection).await
            }
            Change::Upsert(points) => {
                // A collection that is not there leaves no texts.
                self.engine
                    .scan(Scan { collection: collection.clone(), limit: 1, ..Scan::default() })
                    .await?;
                self.index.put(&collection, texts(&points)).await?;
                self.engine.change(&collection, Change::Upsert(points)).await
            }
            Change::Remove(ids) => {
                self.engine.change(&collection, Change::Remove(ids.clone())).await?;
                noted(&collection, self.index.remove(&collection, ids).await);
                Ok(())
            }
            Change::Delete => {
                self.engine.change(&collection, Change::Delete).await?;
                noted(&collection, self.index.forget(&collection).await);
                Ok(())
            }
            Change::Reopen => self.engine.change(&collection, Change::Reopen).await,
            Change::Optimize => {
                self.engine.change(&collection, Change::Optimize).await?;
                self.bring_in_line(&collection).await
            }
        }
    }

    /// Writes all texts anew and removes those without a point.
    async fn bring_in_line(&self, collection: &str) -> Result<(), KnowledgeError> {
        let mut scan = Scan { collection: collection.to_owned(), limit: PAGE, ..Scan::default() };
        loop {
            let page = self.engine.scan(scan.clone()).await?;
            if !page.points.is_empty() {
                self.index.put(collection, texts(&page.points)).await?;
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return self.prune(collection).await,
            }
        }
    }

    async fn prune(&self, collection: &str) -> Result<(), KnowledgeError> {
        let mut after = None;
        loop {
            let ids = self.index.list(collection, after).await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = Some(*last);
            let scan = Scan {
                collection: collection.to_owned(),
                filter: Some(Filter::Ids(ids.clone())),
                limit: ids.len(),
                ..Scan::default()
            };
            let points = self.engine.scan(scan).await?.points;
            let there: HashSet<_> = points.into_iter().map(|point| point.id).collect();
            let gone: Vec<_> = ids.into_iter().filter(|id| !there.contains(id)).collect();
            if !gone.is_empty() {
                self.index.remove(collection, gone).await?;
            }
        }
    }

    /// After the engine took a collection over as a whole.
    async fn follow(&self, taken: Collection) -> Result<Collection, KnowledgeError> {
        if !self.covers(&taken.name) {
            return Ok(taken);
        }
        let done = self.bring_in_line(&taken.name).await;
        done.map_err(|error| {
            let name = &taken.name;
            KnowledgeError::unavailable(format!(
                "the collection `{name}` was taken over, but not into the keyword index: {error}; \
                 bring it in line by `optimize`"
            ))
        })?;
        Ok(Collection { has_keywords: true, ..taken })
    }
}

fn noted(collection: &str, removed: Result<(), KnowledgeError>) {
    if let Err(error) = removed {
        tracing::warn!(collection, %error, "texts of points that are gone stay in the keyword index");
    }
}

/// What is searched by words: as in the engines, a text under its headings.
fn texts(points: &[Point]) -> Vec<Text> {
    let text =
        |point: &Point| Text { id: point.id, words: crate::server::document_words(&point.payload) };
    points.iter().map(text).collect()
}

impl Knowledge for Keyed {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        Box::pin(async {
            let mut collections = self.engine.collections().await?;
            for collection in collections.iter_mut().filter(|one| self.covers(&one.name)) {
                collection.has_keywords = true;
            }
            Ok(collections)
        })
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        match &search.by {
            By::Words(words) if self.covers(&search.collection) => {
                let words = words.clone();
                Box::pin(self.find(search, words))
            }
            _ => self.engine.search(search),
        }
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        Box::pin(self.change(collection.to_owned(), change))
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        self.engine.scan(scan)
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        self.engine.snapshot(collection, file)
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        Box::pin(async move { self.follow(self.engine.restore(restore).await?).await })
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        Box::pin(async move { self.follow(self.engine.import(import).await?).await })
    }
}
