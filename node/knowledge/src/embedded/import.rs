//! A collection that is made of points from elsewhere, beside what is there.

use std::path::Path;
use std::sync::Arc;

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, CollectionSpec, Import, check_name};

use super::shard::Shard;
use super::shelf::{Draft, Manifest, Shelf};
use super::{Embedded, blocking, check_spec};

/// A version that is being filled. The shard closes, which writes, before its folder may go.
struct Building {
    shard: Shard,
    draft: Draft,
}

impl Embedded {
    /// Fills a new version and makes it current when the last point has come. Between the two other
    /// collections may change, and this one too.
    pub(super) async fn take_over(&self, import: Import) -> Result<Collection, KnowledgeError> {
        let Import { collection: name, spec, replaces, mut points } = import;
        check_name(&name)?;
        check_spec(&spec)?;
        let building = Arc::new(self.begin(&name, &spec, replaces).await?);
        let mut count = 0;
        loop {
            let batch = points.next().await?;
            if batch.is_empty() {
                break;
            }
            count += batch.len() as u64;
            let building = Arc::clone(&building);
            blocking(move || building.shard.upsert(&batch)).await?;
        }
        let building = Arc::into_inner(building);
        let building = building.ok_or_else(|| KnowledgeError::unavailable("a write goes on"))?;
        self.changing(move |slots| {
            slots.check_free(&name, replaces)?;
            let shelf = building.publish(&name, spec, count)?;
            let collection = shelf.collection()?;
            slots.exchange(&name, Some(shelf));
            Ok(collection)
        })
        .await
    }

    async fn begin(
        &self,
        name: &str,
        spec: &CollectionSpec,
        replaces: bool,
    ) -> Result<Building, KnowledgeError> {
        let (name, spec) = (name.to_owned(), spec.clone());
        self.changing(move |slots| {
            slots.check_free(&name, replaces)?;
            Building::begin(&slots.place(&name), &spec)
        })
        .await
    }
}

impl Building {
    fn begin(place: &Path, spec: &CollectionSpec) -> Result<Self, KnowledgeError> {
        let draft = Draft::begin(place)?;
        let shard = Shard::create(&draft.shard_folder(), spec)?;
        Ok(Self { shard, draft })
    }

    fn publish(
        self,
        name: &str,
        spec: CollectionSpec,
        points: u64,
    ) -> Result<Shelf, KnowledgeError> {
        let count = self.shard.count()?;
        if count != points {
            let twice = points.saturating_sub(count);
            let message =
                format!("of {points} points {twice} have the id of another: give each once");
            return Err(KnowledgeError::Unreadable { message });
        }
        self.shard.index();
        drop(self.shard);
        self.draft.publish(name, &Manifest { spec, vector: String::new() })
    }
}
