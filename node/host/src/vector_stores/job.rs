//! What is to be done next, read from the stores.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{FileStatus, Stage, StoreFile, VectorStore};

/// Attempts at one thing; with the waits between them they take eight minutes, in which a model can
/// be loaded anew.
pub const ATTEMPTS_MAX: u32 = 12;

const WAIT_MAX: Duration = Duration::from_secs(60);

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Remove a collection whose store is deleted or expired.
    Drop(Arc<VectorStore>),
    /// Remove the chunks of a file that was let go, given up or has failed.
    Remove(Arc<VectorStore>, StoreFile),
    /// Bring a file in.
    Ingest(Arc<VectorStore>, StoreFile),
}

type Key = (String, Option<String>);

/// What is to be done with a file of a living store.
fn work(file: &StoreFile) -> Option<fn(Arc<VectorStore>, StoreFile) -> Job> {
    match file.status {
        FileStatus::Removed => Some(Job::Remove),
        FileStatus::Failed | FileStatus::Cancelled if file.stale => Some(Job::Remove),
        FileStatus::InProgress => Some(Job::Ingest),
        _ => None,
    }
}

/// Whether something is to be done with that file, or with the whole store.
fn has_work(store: &VectorStore, file: Option<&str>) -> bool {
    match (store.stage, file) {
        (Stage::Expiring | Stage::Deleted, None) => true,
        (Stage::Live, Some(id)) => {
            store.files.iter().any(|file| file.id == id && work(file).is_some())
        }
        _ => false,
    }
}

/// What failed and is tried again later.
#[derive(Default)]
pub struct Retries {
    later: HashMap<Key, (u32, Instant)>,
}

impl Job {
    /// The first thing of a store that is not to wait.
    fn of(store: &Arc<VectorStore>, retries: &Retries) -> Option<Self> {
        let job = |file: &StoreFile| Some(work(file)?(Arc::clone(store), file.clone()));
        let is_due = |job: &Self| retries.is_due(job);
        match store.stage {
            Stage::Expired => None,
            Stage::Expiring | Stage::Deleted => Some(Self::Drop(Arc::clone(store))).filter(is_due),
            Stage::Live => {
                let jobs = || store.files.iter().filter_map(job).filter(is_due);
                jobs().find(|job| !matches!(job, Self::Ingest(..))).or_else(|| jobs().next())
            }
        }
    }

    /// The next thing to do.
    pub fn next(stores: &[Arc<VectorStore>], retries: &Retries) -> Option<Self> {
        let mut jobs = stores.iter().filter_map(|store| Self::of(store, retries));
        let first = jobs.next()?;
        // What makes room goes before what takes it.
        if matches!(first, Self::Ingest(..)) {
            return Some(jobs.find(|job| !matches!(job, Self::Ingest(..))).unwrap_or(first));
        }
        Some(first)
    }

    fn key(&self) -> Key {
        match self {
            Self::Drop(store) => (store.id.clone(), None),
            Self::Remove(store, file) | Self::Ingest(store, file) => {
                (store.id.clone(), Some(file.id.clone()))
            }
        }
    }
}

impl Retries {
    /// Notes a failure; how many there were.
    pub fn failed(&mut self, job: &Job) -> u32 {
        let now = Instant::now();
        let (count, at) = self.later.entry(job.key()).or_insert((0, now));
        let wait = Duration::from_secs(1 << (*count).min(10)).min(WAIT_MAX);
        (*count, *at) = (*count + 1, now + wait);
        *count
    }

    /// Notes that a thing is done, or is given up.
    pub fn done(&mut self, job: &Job) {
        self.later.remove(&job.key());
    }

    /// When the first thing is to be tried again.
    pub fn next(&self) -> Option<Instant> {
        self.later.values().map(|(_, at)| *at).min()
    }

    /// Forgets things that nobody wants done any more: they would be due for ever.
    pub fn keep(&mut self, stores: &[Arc<VectorStore>]) {
        self.later.retain(|(id, file), _| {
            let mut named = stores.iter().filter(|store| store.id == *id);
            named.any(|store| has_work(store, file.as_deref()))
        });
    }

    fn is_due(&self, job: &Job) -> bool {
        self.later.get(&job.key()).is_none_or(|(_, at)| *at <= Instant::now())
    }
}
