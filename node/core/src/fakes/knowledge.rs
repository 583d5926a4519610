//! A knowledge base in memory that compares everything with everything.

use std::collections::{BTreeMap, HashSet};
use std::future::ready;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::knowledge::{
    By, Change, Collection, CollectionSpec, Import, Page, Point, PointId, Ranked, Reply, Restore,
    Scan, Search, check_name,
};
use crate::{Knowledge, KnowledgeError};

type Points = BTreeMap<PointId, Point>;

/// Keeps points in memory; words count by how many of the question's a text holds.
///
/// # Panics
/// When a use case asks for what makes no sense: no points, no ids, a limit of 0.
#[derive(Default)]
pub struct FakeKnowledge {
    collections: Mutex<BTreeMap<String, (CollectionSpec, Points)>>,
    /// Names of those that can't be read, with the reason.
    broken: BTreeMap<String, String>,
}

impl FakeKnowledge {
    /// One with this collection.
    #[must_use]
    pub fn holding(name: &str, spec: CollectionSpec, points: Vec<Point>) -> Self {
        let points = points.into_iter().map(|point| (point.id, point)).collect();
        let collections = Mutex::new(BTreeMap::from([(name.to_owned(), (spec, points))]));
        Self { collections, ..Self::default() }
    }

    /// The same, and one that can't be read.
    #[must_use]
    pub fn breaking(mut self, name: &str, reason: &str) -> Self {
        self.broken.insert(name.to_owned(), reason.to_owned());
        self
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (CollectionSpec, Points)>> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut (CollectionSpec, Points)) -> Result<T, KnowledgeError>,
    ) -> Result<T, KnowledgeError> {
        if let Some(reason) = self.broken.get(name) {
            let (name, reason) = (name.to_owned(), reason.clone());
            return Err(KnowledgeError::Broken { name, reason });
        }
        let mut all = self.lock();
        let known = all.keys().cloned().collect();
        let unknown = KnowledgeError::UnknownCollection { name: name.to_owned(), known };
        work(all.get_mut(name).ok_or(unknown)?)
    }

    fn apply(&self, name: &str, change: Change) -> Result<(), KnowledgeError> {
        match change {
            Change::Create(spec) => {
                check_name(name)?;
                let mut all = self.lock();
                if all.contains_key(name) {
                    return Err(KnowledgeError::CollectionExists { name: name.to_owned() });
                }
                all.insert(name.to_owned(), (spec, Points::new()));
                Ok(())
            }
            Change::Delete => {
                self.with(name, |_| Ok(()))?;
                self.lock().remove(name);
                Ok(())
            }
            Change::Upsert(points) => self.with(name, |(spec, held)| {
                assert!(!points.is_empty(), "nothing is written");
                if points.iter().any(|point| point.vector.len() != spec.dimension as usize) {
                    return Err(KnowledgeError::invalid("a vector of another dimension"));
                }
                held.extend(points.into_iter().map(|point| (point.id, point)));
                Ok(())
            }),
            Change::Remove(ids) => self.with(name, |(_, held)| {
                assert!(!ids.is_empty(), "nothing is removed");
                ids.iter().for_each(|id| drop(held.remove(id)));
                Ok(())
            }),
            Change::Reopen | Change::Optimize => self.with(name, |_| Ok(())),
        }
    }

    async fn take_over(&self, mut import: Import) -> Result<Collection, KnowledgeError> {
        check_name(&import.collection)?;
        let (name, mut points) = (import.collection, Points::new());
        loop {
            let batch = import.points.next().await?;
            if batch.is_empty() {
                break;
            }
            for point in batch {
                if point.vector.len() != import.spec.dimension as usize {
                    return Err(KnowledgeError::invalid("a vector of another dimension"));
                }
                if points.insert(point.id, point).is_some() {
                    return Err(KnowledgeError::Unreadable { message: "an id came twice".into() });
                }
            }
        }
        let mut all = self.lock();
        if all.contains_key(&name) && !import.replaces {
            return Err(KnowledgeError::CollectionExists { name });
        }
        let held = (import.spec, points);
        let collection = described((&name, &held));
        all.insert(name, held);
        Ok(collection)
    }

    fn find(&self, search: &Search) -> Result<Vec<Ranked>, KnowledgeError> {
        assert!(search.limit > 0, "nothing is asked for");
        self.with(&search.collection, |(_, points)| {
            let holds =
                |p: &&Point| search.filter.as_ref().is_none_or(|f| f.holds(p.id, &p.payload));
            let ranked = |point: &Point| Ranked {
                id: point.id,
                score: score(&search.by, point),
                payload: point.payload.clone(),
            };
            let mut found: Vec<_> = points.values().filter(holds).map(ranked).collect();
            found.retain(|ranked| matches!(search.by, By::Vector(_)) || ranked.score > 0.0);
            found.sort_by(|one, other| other.score.total_cmp(&one.score));
            found.truncate(search.limit);
            Ok(found)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a text has few words")]
fn score(by: &By, point: &Point) -> f32 {
    match by {
        By::Vector(vector) => vector.iter().zip(&point.vector).map(|(a, b)| a * b).sum(),
        By::Words(text) => {
            let words: HashSet<_> = point.text().split_whitespace().collect();
            text.split_whitespace().filter(|word| words.contains(word)).count() as f32
        }
    }
}

fn described((name, (spec, points)): (&String, &(CollectionSpec, Points))) -> Collection {
    Collection {
        name: name.clone(),
        spec: spec.clone(),
        points: points.len() as u64,
        has_keywords: true,
        ..Collection::default()
    }
}

impl Knowledge for FakeKnowledge {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        let broken =
            |(name, reason): (&String, &String)| Collection::broken(name.clone(), reason.clone());
        let mut all: Vec<_> = self.lock().iter().map(described).collect();
        all.extend(self.broken.iter().map(broken));
        Box::pin(ready(Ok(all)))
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        Box::pin(ready(self.find(&search)))
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        Box::pin(ready(self.apply(collection, change)))
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        assert!(scan.limit > 0, "nothing is asked for");
        Box::pin(ready(self.with(&scan.collection, |(_, points)| {
            let from = scan.after.unwrap_or(PointId::Number(0));
            let holds = |p: &&Point| scan.filter.as_ref().is_none_or(|f| f.holds(p.id, &p.payload));
            let mut rest = points.range(from..).map(|(_, point)| point).filter(holds).cloned();
            let points = rest.by_ref().take(scan.limit).collect();
            Ok(Page { points, next: rest.next().map(|point| point.id) })
        })))
    }

    fn snapshot(&self, _: &str, _: PathBuf) -> Reply<'_, ()> {
        Box::pin(ready(Err(KnowledgeError::unavailable("a fake has no snapshots"))))
    }

    fn restore(&self, _: Restore) -> Reply<'_, Collection> {
        Box::pin(ready(Err(KnowledgeError::unavailable("a fake has no snapshots"))))
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        Box::pin(self.take_over(import))
    }
}
