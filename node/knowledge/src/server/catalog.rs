//! Which collections the server has, under which names.
//!
//! A name is an alias or a collection's own name. Names that `check_name` refuses are not shown: among
//! them are the collections behind our aliases, `NAME@STAMP`.
//!
//! What was read counts for two seconds, so that a search need not ask first; what this process changes
//! counts at once. Whoever finds that it no longer holds (the server does not know the collection, or
//! knows no such vector) reads anew, once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, CollectionSpec, check_name};
use qdrant_client::qdrant::{GetCollectionInfoRequest, ListAliasesRequest, ListCollectionsRequest};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{Client, Effort};
use super::failure::Failure;
use super::spec::{self, Found};
use super::{Bm25, Bm25For};

/// What was read counts so long.
const AGE_MAX: Duration = Duration::from_secs(2);

/// Collections that are looked at, and how many at a time.
const COLLECTIONS_MAX: usize = 1000;
const AT_A_TIME: usize = 8;

/// A collection and where it is.
pub(super) struct Entry {
    /// As others see it.
    pub collection: Collection,
    /// Its own name on the server.
    pub physical: String,
    /// The name of its vector, if it has one.
    pub vector: Option<String>,
    bm25: OnceLock<Result<Bm25, KnowledgeError>>,
}

impl Entry {
    fn new(name: &str, physical: &str, found: Found) -> Self {
        let Found { spec, vector, has_keywords, points, .. } = found;
        Self {
            collection: Collection {
                name: name.to_owned(),
                spec,
                points,
                has_keywords,
                ..Collection::default()
            },
            physical: physical.to_owned(),
            vector,
            bm25: OnceLock::new(),
        }
    }

    /// Whether its name is an alias.
    pub(super) fn is_alias(&self) -> bool {
        self.collection.name != self.physical
    }

    /// Whether it was made by a restore of ours, so that nobody else uses it by its own name.
    pub(super) fn is_ours(&self) -> bool {
        name_of(&self.physical) == Some(self.collection.name.as_str())
    }
}

/// The name for which a collection `NAME@STAMP` was made.
pub(super) fn name_of(physical: &str) -> Option<&str> {
    let (name, stamp) = physical.rsplit_once('@')?;
    let is_stamp = !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_stamp && check_name(name).is_ok()).then_some(name)
}

/// All collections at one time.
#[derive(Default)]
pub(super) struct Listing {
    entries: BTreeMap<String, Arc<Entry>>,
    /// Names of collections that can't be used here, and why.
    unusable: BTreeMap<String, String>,
}

impl Listing {
    pub(super) fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    pub(super) fn collections(&self) -> Vec<Collection> {
        self.entries.values().map(|entry| entry.collection.clone()).collect()
    }

    /// The collection of that name.
    pub(super) fn find(&self, name: &str) -> Result<Arc<Entry>, KnowledgeError> {
        if let Some(why) = self.unusable.get(name) {
            return Err(KnowledgeError::invalid(format!("the collection `{name}`: {why}")));
        }
        self.entries.get(name).cloned().ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> KnowledgeError {
        KnowledgeError::UnknownCollection { name: name.to_owned(), known: self.names() }
    }
}

/// What was read, and when.
#[derive(Default)]
struct State {
    read: Option<(Instant, u64, Arc<Listing>)>,
    /// Counts the changes of points, and of collections.
    points: u64,
    collections: u64,
    /// Collections that stand for a name which the server does not know yet.
    pinned: HashMap<String, String>,
}

/// The collections of a server.
pub(super) struct Catalog {
    client: Client,
    vector_name: Option<String>,
    bm25: Option<Bm25For>,
    state: Mutex<State>,
    /// One at a time reads.
    reading: Semaphore,
}

impl Catalog {
    pub(super) fn new(client: Client, vector_name: Option<String>, bm25: Option<Bm25For>) -> Self {
        let (state, reading) = (Mutex::default(), Semaphore::new(1));
        Self { client, vector_name, bm25, state, reading }
    }

    /// All collections, with everything that was written before counted.
    pub(super) async fn now(&self) -> Result<Arc<Listing>, Failure> {
        let points = self.state().points;
        self.listing(|state| state.read.as_ref().is_some_and(|(_, known, _)| *known >= points))
            .await
    }

    /// A collection by its name; its points may have changed.
    pub(super) async fn find(&self, name: &str) -> Result<Arc<Entry>, KnowledgeError> {
        check_name(name)?;
        match self.listing(|_| true).await?.find(name) {
            Err(KnowledgeError::UnknownCollection { .. }) => self.find_anew(name).await,
            found => found,
        }
    }

    /// As [`Self::find`], without regard to what was read before.
    pub(super) async fn find_anew(&self, name: &str) -> Result<Arc<Entry>, KnowledgeError> {
        check_name(name)?;
        self.forget();
        self.listing(|_| true).await?.find(name)
    }

    /// Points were written or removed.
    pub(super) fn points_changed(&self) {
        self.state().points += 1;
    }

    /// Collections or their names were changed.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.collections += 1;
        state.read = None;
    }

    /// A name means this collection from now on, whatever the server says; until it is taken back.
    pub(super) fn pin(&self, name: &str, physical: Option<&str>) {
        let mut state = self.state();
        state.pinned.remove(name);
        if let Some(physical) = physical {
            state.pinned.insert(name.to_owned(), physical.to_owned());
        }
        drop(state);
        self.forget();
    }

    /// A collection's BM25, if it has keywords.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: its language is unknown.
    pub(super) fn bm25<'a>(&self, entry: &'a Entry) -> Result<Option<&'a Bm25>, KnowledgeError> {
        let Some(make) = self.bm25.as_ref().filter(|_| entry.collection.has_keywords) else {
            return Ok(None);
        };
        let bm25 = entry.bm25.get_or_init(|| make(&entry.collection.spec));
        bm25.as_ref().map(Some).map_err(Clone::clone)
    }

    /// Whether a collection is made with keywords.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: its language is unknown.
    pub(super) fn makes_keywords(&self, spec: &CollectionSpec) -> Result<bool, KnowledgeError> {
        match &self.bm25 {
            Some(make) => make(spec).map(|_| true),
            None => Ok(false),
        }
    }

    /// A collection that has no name yet but its own.
    pub(super) fn entry(&self, name: &str, (physical, found): (&str, Found)) -> Entry {
        let mut entry = Entry::new(name, physical, found);
        entry.collection.has_keywords &= self.bm25.is_some();
        entry
    }

    /// A collection by its own name.
    pub(super) async fn describe(&self, physical: &str) -> Result<Result<Found, String>, Failure> {
        describe(&self.client, physical, self.vector_name.as_deref()).await
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, suffices: &impl Fn(&State) -> bool) -> Option<Arc<Listing>> {
        let state = self.state();
        let (at, _, listing) = state.read.as_ref()?;
        (at.elapsed() < AGE_MAX && suffices(&state)).then(|| listing.clone())
    }

    async fn listing(&self, suffices: impl Fn(&State) -> bool) -> Result<Arc<Listing>, Failure> {
        if let Some(listing) = self.fresh(&suffices) {
            return Ok(listing);
        }
        let _permit = self.reading.acquire().await.map_err(|_| Failure::broken("closed"))?;
        match self.fresh(&suffices) {
            Some(listing) => Ok(listing),
            None => self.read().await,
        }
    }

    async fn read(&self) -> Result<Arc<Listing>, Failure> {
        let (points, collections, pinned) = {
            let state = self.state();
            (state.points, state.collections, state.pinned.clone())
        };
        let at = Instant::now();
        let mut names = names(&self.client).await?;
        names.extend(pinned);
        let listing = Arc::new(self.look(names).await?);
        let mut state = self.state();
        if state.collections == collections {
            state.read = Some((at, points, listing.clone()));
        }
        Ok(listing)
    }

    async fn look(&self, names: BTreeMap<String, String>) -> Result<Listing, Failure> {
        let wanted: BTreeSet<_> = names.values().cloned().collect();
        let found = self.describe_all(wanted).await?;
        let mut listing = Listing::default();
        for (name, physical) in names {
            match found.get(&physical) {
                Some(Ok(found)) => {
                    let entry = self.entry(&name, (&physical, found.clone()));
                    listing.entries.insert(name, Arc::new(entry));
                }
                Some(Err(why)) => drop(listing.unusable.insert(name, why.clone())),
                None => {}
            }
        }
        Ok(listing)
    }

    /// Looks at several collections at a time; one that is gone meanwhile is left out.
    async fn describe_all(
        &self,
        physical: BTreeSet<String>,
    ) -> Result<HashMap<String, Result<Found, String>>, Failure> {
        let mut found = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut waiting = physical.into_iter();
        loop {
            while tasks.len() < AT_A_TIME
                && let Some(name) = waiting.next()
            {
                let (client, vector) = (self.client.clone(), self.vector_name.clone());
                tasks.spawn(async move {
                    let described = describe(&client, &name, vector.as_deref()).await;
                    (name, described)
                });
            }
            let Some(done) = tasks.join_next().await else { return Ok(found) };
            match done.map_err(|_| Failure::broken("a question was given up"))? {
                (name, Ok(described)) => drop(found.insert(name, described)),
                (_, Err(failure)) if failure.is_unknown() => {}
                (_, Err(failure)) => return Err(failure),
            }
        }
    }
}

async fn describe(
    client: &Client,
    physical: &str,
    vector: Option<&str>,
) -> Result<Result<Found, String>, Failure> {
    let request = GetCollectionInfoRequest { collection_name: physical.to_owned() };
    let ask = || {
        let (mut collections, request) = (client.collections(), request.clone());
        async move { collections.get(request).await }
    };
    let answer = client.call(Effort::Read, ask).await?;
    let info = answer.result.ok_or_else(|| Failure::broken("it describes no collection"))?;
    Ok(spec::read(info, vector))
}

/// All names that are shown, and the collections that they mean.
async fn names(client: &Client) -> Result<BTreeMap<String, String>, Failure> {
    let mut names = BTreeMap::new();
    for physical in physical(client).await? {
        names.insert(physical.clone(), physical);
    }
    names.extend(aliases(client).await?);
    names.retain(|name, _| check_name(name).is_ok());
    if names.len() > COLLECTIONS_MAX {
        tracing::warn!(
            collections = names.len(),
            "the server has too many collections: only the first {COLLECTIONS_MAX} are used"
        );
        return Ok(names.into_iter().take(COLLECTIONS_MAX).collect());
    }
    Ok(names)
}

/// The collections' own names.
pub(super) async fn physical(client: &Client) -> Result<Vec<String>, Failure> {
    let ask = || {
        let mut collections = client.collections();
        async move { collections.list(ListCollectionsRequest {}).await }
    };
    let answer = client.call(Effort::Read, ask).await?;
    Ok(answer.collections.into_iter().map(|one| one.name).collect())
}

/// All aliases, and the collections that they mean.
pub(super) async fn aliases(client: &Client) -> Result<Vec<(String, String)>, Failure> {
    let ask = || {
        let mut collections = client.collections();
        async move { collections.list_aliases(ListAliasesRequest {}).await }
    };
    let answer = client.call(Effort::Read, ask).await?;
    Ok(answer.aliases.into_iter().map(|one| (one.alias_name, one.collection_name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_have_a_stamp() {
        assert_eq!(name_of("rust@1f"), Some("rust"));
        for other in ["rust", "@1f", "rust@", "rust@x", "a b@1f", "a@b@1f"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
