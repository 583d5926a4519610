//! Work that is asked for later: whose it is, its task, and what is kept of it.
//!
//! Invariants: a task lives no longer than its job is kept. What is at work is never forgotten for
//! others; what has ended is, when it is old, when the answers are too much, and when room is needed:
//! the oldest first.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use crate::ids::new_id;
use crate::store::Owner;

/// What is kept of a job.
pub trait Job: Send + 'static {
    /// What its answer takes in memory, in bytes; `None` while it is at work.
    fn ended_bytes(&self) -> Option<usize>;
}

/// How much is kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs at most.
    pub kept_max: usize,
    /// Of these, jobs of one owner that are at work.
    pub at_work_per_owner_max: usize,
    /// Bytes of all answers.
    pub bytes_max: usize,
    /// A job that has ended is kept so long.
    pub keep: Duration,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// So many of its owner's are at work.
    Owner(usize),
    /// So many are kept, and all of them are at work.
    All(usize),
}

/// The jobs of all owners, the ended ones for a while. Dropping it ends them all.
pub struct JobTable<J> {
    limits: Limits,
    rows: Arc<Mutex<Rows<J>>>,
}

struct Rows<J> {
    by_id: HashMap<String, Row<J>>,
    tasks: JoinSet<()>,
}

struct Row<J> {
    owner: Owner,
    job: J,
    begun: Instant,
    ended: Option<Ended>,
    task: AbortHandle,
}

/// When a job was first seen to have ended, and what its answer takes.
struct Ended {
    at: Instant,
    bytes: usize,
}

impl<J> Drop for Row<J> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<J: Job> JobTable<J> {
    /// No jobs yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let rows = Rows { by_id: HashMap::new(), tasks: JoinSet::new() };
        Self { limits, rows: Arc::new(Mutex::new(rows)) }
    }

    /// Keeps a job and does its work; its id.
    ///
    /// # Errors
    /// There is no room.
    pub fn begin(
        &self,
        owner: &Owner,
        job: J,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<String, Full> {
        let mut rows = self.lock();
        rows.make_room(owner, self.limits)?;
        // The table holds the task: it must not hold the table.
        let (shared, limits) = (Arc::downgrade(&self.rows), self.limits);
        let work = async move {
            work.await;
            // Its answer may be one too many.
            if let Some(rows) = shared.upgrade() {
                drop(tidied(&rows, limits));
            }
        };
        let task = rows.tasks.spawn(work.in_current_span());
        let (owner, begun) = (owner.clone(), Instant::now());
        let id = new_id("job-");
        rows.by_id.insert(id.clone(), Row { owner, job, begun, ended: None, task });
        Ok(id)
    }

    /// What `see` sees of a job, if it is this owner's.
    pub fn look<T>(&self, owner: &Owner, id: &str, see: impl FnOnce(&J) -> T) -> Option<T> {
        let rows = self.lock();
        rows.by_id.get(id).filter(|row| row.owner == *owner).map(|row| see(&row.job))
    }

    /// Ends a job if it has not ended, and forgets it; whether it was there and this owner's.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        let mut rows = self.lock();
        let is_own = rows.by_id.get(id).is_some_and(|row| row.owner == *owner);
        is_own && rows.by_id.remove(id).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Rows<J>> {
        tidied(&self.rows, self.limits)
    }
}

/// What is old, or too much, is forgotten whenever somebody looks and whenever a job ends.
fn tidied<J: Job>(rows: &Mutex<Rows<J>>, limits: Limits) -> MutexGuard<'_, Rows<J>> {
    let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    while rows.tasks.try_join_next().is_some() {}
    let now = Instant::now();
    rows.by_id.values_mut().for_each(|row| row.note_end(now));
    let is_fresh = |ended: &Ended| now - ended.at < limits.keep;
    rows.by_id.retain(|_, row| row.ended.as_ref().is_none_or(is_fresh));
    while rows.bytes() > limits.bytes_max && rows.forget_oldest_ended() {}
    rows
}

impl<J: Job> Row<J> {
    fn note_end(&mut self, now: Instant) {
        if self.ended.is_none() {
            // Work that panicked has ended, too, and left nothing.
            let nothing = || self.task.is_finished().then_some(0);
            let bytes = self.job.ended_bytes().or_else(nothing);
            self.ended = bytes.map(|bytes| Ended { at: now, bytes });
        }
    }
}

impl<J> Rows<J> {
    /// Ended jobs make room, the oldest first; those at work don't.
    fn make_room(&mut self, owner: &Owner, limits: Limits) -> Result<(), Full> {
        let at_work = self.by_id.values().filter(|row| row.ended.is_none());
        if at_work.filter(|row| row.owner == *owner).count() >= limits.at_work_per_owner_max {
            return Err(Full::Owner(limits.at_work_per_owner_max));
        }
        while self.by_id.len() >= limits.kept_max {
            if !self.forget_oldest_ended() {
                return Err(Full::All(limits.kept_max));
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.by_id.values().filter_map(|row| row.ended.as_ref()).map(|ended| ended.bytes).sum()
    }

    /// Whether there was one.
    fn forget_oldest_ended(&mut self) -> bool {
        let ended = self.by_id.iter().filter(|(_, row)| row.ended.is_some());
        let oldest = ended.min_by_key(|(_, row)| row.begun).map(|(id, _)| id.clone());
        oldest.is_some_and(|id| self.by_id.remove(&id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::{oneshot, watch};

    use super::*;

    /// A job that has ended when its answer's bytes were told.
    impl Job for watch::Receiver<Option<usize>> {
        fn ended_bytes(&self) -> Option<usize> {
            *self.borrow()
        }
    }

    type Table = JobTable<watch::Receiver<Option<usize>>>;

    fn table(kept_max: usize, at_work_per_owner_max: usize) -> Table {
        let keep = Duration::from_secs(60);
        JobTable::new(Limits { kept_max, at_work_per_owner_max, bytes_max: 100, keep })
    }

    fn at_work() -> watch::Receiver<Option<usize>> {
        watch::channel(None).1
    }

    /// A job that has ended with an answer of so many bytes.
    fn ended(table: &Table, bytes: usize) -> String {
        let (_, job) = watch::channel(Some(bytes));
        table.begin(&Owner::default(), job, ready(())).expect("room")
    }

    fn is_there(table: &Table, owner: &Owner, id: &str) -> bool {
        table.look(owner, id, |_| ()).is_some()
    }

    #[tokio::test]
    async fn only_so_many_at_once_and_one_owner_can_not_fill_the_table() {
        let table = table(3, 2);
        let (ada, bob) = (Owner::of_key("ada"), Owner::of_key("bob"));
        let begin = |owner| table.begin(owner, at_work(), pending());
        let first = begin(&ada).expect("room");
        begin(&ada).expect("room");
        assert_eq!(begin(&ada), Err(Full::Owner(2)));
        begin(&bob).expect("another owner has room");
        assert_eq!(begin(&bob), Err(Full::All(3)));
        assert!(!is_there(&table, &bob, &first) && is_there(&table, &ada, &first));
        assert!(!table.remove(&bob, &first), "a job is its owner's");
        assert!(table.remove(&ada, &first));
        begin(&bob).expect("what is removed makes room");
    }

    #[tokio::test]
    async fn what_is_removed_is_dropped() {
        let table = table(1, 1);
        let (held, dropped) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            pending().await
        };
        let id = table.begin(&Owner::default(), at_work(), work).expect("room");
        assert!(table.remove(&Owner::default(), &id));
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn answers_that_are_too_much_go_the_oldest_first() {
        let table = table(9, 9);
        let ids = [ended(&table, 60), ended(&table, 60), ended(&table, 30)];
        let there = ids.map(|id| is_there(&table, &Owner::default(), &id));
        assert_eq!(there, [false, true, true]);
    }

    #[tokio::test]
    async fn what_has_ended_is_kept_until_room_is_needed() {
        let table = table(1, 1);
        let first = ended(&table, 1);
        assert!(is_there(&table, &Owner::default(), &first));
        let second = ended(&table, 1);
        assert!(!is_there(&table, &Owner::default(), &first));
        assert!(is_there(&table, &Owner::default(), &second));
    }

    #[tokio::test]
    async fn an_answer_is_forgotten_when_it_is_old() {
        let limits = Limits { keep: Duration::ZERO, ..table(9, 9).limits };
        let table = JobTable::new(limits);
        let id = ended(&table, 1);
        assert!(!is_there(&table, &Owner::default(), &id));
    }

    #[tokio::test]
    async fn work_that_panics_has_ended() {
        let table = table(1, 1);
        let work = async { panic!("as the test wants") };
        table.begin(&Owner::default(), at_work(), work).expect("room");
        while table.begin(&Owner::default(), at_work(), pending()).is_err() {
            tokio::task::yield_now().await;
        }
    }
}
