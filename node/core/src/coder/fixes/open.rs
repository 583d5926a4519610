//! Opening the memory: its collection, what other embedding models left behind, the first fixes.

use gaia_protocol::ModelKind;

use super::record::{Record, digest};
use super::{
    COLLECTION_DIGITS, COLLECTION_PREFIX, FixSettings, FixStore, PAGE, SEED, is_memory_name,
};
use crate::coder::Fix;
use crate::knowledge::{Change, CollectionSpec, Filter, Point, PointId, Scan, spec_for};
use crate::{KnowledgeError, Node, ServeError};

/// The point that tells which seeds were loaded: forgotten ones stay forgotten.
const MARK: PointId = PointId::Number(0);

/// Fixes that are embedded and written at once.
const BATCH: usize = 32;

impl FixStore {
    /// Opens the memory, and makes it if it is not there: one collection for each embedding model,
    /// for vectors of two models can't be compared. What another model's collection holds is brought
    /// over, then that collection is deleted. Cut off at any moment, opening again ends the same.
    ///
    /// # Errors
    /// The embedding model's and the knowledge base's own.
    pub async fn open(node: Node, settings: FixSettings) -> Result<Self, ServeError> {
        let spec = spec(&node).await?;
        let prefix = format!("{COLLECTION_PREFIX}{}_", settings.name);
        let model = spec.embedder.as_deref().unwrap_or_default();
        let collection = format!("{prefix}{}", &digest(model)[..COLLECTION_DIGITS]);
        let store = Self {
            node,
            collection,
            embedder: spec.embedder.clone(),
            dimension: spec.dimension,
            fixes_max: settings.fixes_max,
        };
        let known = store.node.knowledge()?.collections().await?;
        store.provide(spec).await?;
        let others = known.into_iter().filter(|one| one.is_ready() && one.name != store.collection);
        let others = others.map(|one| one.name);
        for other in others.filter(|name| name.starts_with(&prefix) && is_memory_name(name)) {
            store.bring_over(&other).await?;
        }
        store.load(settings.seeds).await?;
        Ok(store)
    }

    async fn provide(&self, spec: CollectionSpec) -> Result<(), ServeError> {
        let made = self.node.knowledge()?.change(&self.collection, Change::Create(spec)).await;
        match made {
            Err(KnowledgeError::CollectionExists { .. }) => Ok(()),
            made => Ok(made?),
        }
    }

    async fn bring_over(&self, other: &str) -> Result<(), ServeError> {
        let knowledge = self.node.knowledge()?;
        let mut scan = Scan { collection: other.to_owned(), limit: PAGE, ..Scan::default() };
        loop {
            let page = knowledge.scan(scan.clone()).await?;
            let records = page.points.iter().filter_map(Record::read).collect();
            let (new, _) = self.split(records).await?;
            for batch in new.chunks(BATCH) {
                self.write(batch.to_vec()).await?;
            }
            if let Some(mark) = page.points.into_iter().find(|point| point.id == MARK) {
                self.mark(mark.payload).await?;
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => break,
            }
        }
        Ok(knowledge.change(other, Change::Delete).await?)
    }

    /// Loads the seeds that are not here, once for each version of them.
    async fn load(&self, seeds: Vec<Fix>) -> Result<(), ServeError> {
        if seeds.is_empty() {
            return Ok(());
        }
        let version = digest(&serde_json::to_string(&seeds).unwrap_or_default());
        if self.marked().await?.is_some_and(|marked| marked == version) {
            return Ok(());
        }
        let seed = |fix: Fix| Fix { origin: SEED.into(), trusted: true, ..fix };
        let records = seeds.into_iter().map(|fix| Record { fix: seed(fix), owner: SEED.into() });
        let (new, _) = self.split(records.collect()).await?;
        for batch in new.chunks(BATCH) {
            self.write(batch.to_vec()).await?;
        }
        let mark = serde_json::Map::from_iter([(SEED.to_owned(), version.into())]);
        self.mark(mark).await
    }

    async fn marked(&self) -> Result<Option<String>, ServeError> {
        let filter = Some(Filter::Ids(vec![MARK]));
        let collection = self.collection.clone();
        let scan = Scan { collection, filter, limit: 1, ..Scan::default() };
        let page = self.node.knowledge()?.scan(scan).await?;
        let mark = page.points.first().and_then(|point| point.payload.get(SEED)?.as_str());
        Ok(mark.map(str::to_owned))
    }

    async fn mark(
        &self,
        payload: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), ServeError> {
        let point = Point { id: MARK, vector: self.blank(), payload };
        let change = Change::Upsert(vec![point]);
        Ok(self.node.knowledge()?.change(&self.collection, change).await?)
    }
}

/// What the points are: vectors of the node's embedding model (of several, the first by name), or
/// numbers that say nothing where there is none.
async fn spec(node: &Node) -> Result<CollectionSpec, ServeError> {
    let models = node.models.all();
    let names = models.iter().filter(|model| model.kind() == ModelKind::Embedding);
    let description = Some("Fixes that the coder remembers".to_owned());
    match names.map(|model| model.name().to_owned()).min() {
        Some(name) => Ok(CollectionSpec { description, ..spec_for(node, Some(&name)).await? }),
        None => Ok(CollectionSpec { dimension: 1, description, ..CollectionSpec::default() }),
    }
}
