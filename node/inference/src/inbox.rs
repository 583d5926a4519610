//! Where requests enter the engine, and how many may be inside.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bell::Bell;

/// Requests on their way to the engine's thread. Their number is bounded by their [`Seat`]s.
pub(crate) struct Inbox<J> {
    state: Mutex<State<J>>,
    bell: Arc<Bell>,
}

struct State<J> {
    jobs: Vec<J>,
    closed: bool,
}

impl<J> Inbox<J> {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Self { state: Mutex::new(State { jobs: vec![], closed: false }), bell }
    }

    /// Hands a job to the engine; false: the engine has stopped.
    pub(crate) fn push(&self, job: J) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.jobs.push(job);
        drop(state);
        self.bell.ring();
        true
    }

    /// The jobs that came since the last call; `None`: closed.
    pub(crate) fn take(&self) -> Option<Vec<J>> {
        let mut state = self.lock();
        (!state.closed).then(|| std::mem::take(&mut state.jobs))
    }

    /// Sleeps until there may be something to do.
    pub(crate) fn wait(&self) {
        self.bell.wait();
    }

    /// Takes no more jobs and drops those that are there.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
        self.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes an inbox when the engine's thread ends, however it ends.
pub(crate) struct Closing<J>(pub(crate) Arc<Inbox<J>>);

impl<J> Drop for Closing<J> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How many requests the engine holds, those that wait included.
pub(crate) struct Seats {
    taken: AtomicU32,
    limit: u32,
}

impl Seats {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { taken: AtomicU32::new(0), limit })
    }

    /// A seat, if one is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let next = |taken| (taken < self.limit).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        taken.ok().map(|_| Seat(Arc::clone(self)))
    }

    /// Seats in use.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }
}

/// A request's place in the engine, freed by drop.
pub(crate) struct Seat(Arc<Seats>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_inbox_refuses_and_forgets() {
        let inbox = Inbox::new(Arc::default());
        let job = Arc::new(());
        assert!(inbox.push(Arc::clone(&job)));
        inbox.close();
        assert_eq!(Arc::strong_count(&job), 1);
        assert!(!inbox.push(job));
        assert!(inbox.take().is_none());
    }

    #[test]
    fn jobs_come_out_in_order() {
        let inbox = Inbox::new(Arc::default());
        assert!(inbox.push(1) && inbox.push(2));
        assert_eq!(inbox.take(), Some(vec![1, 2]));
        assert_eq!(inbox.take(), Some(vec![]));
    }

    #[test]
    fn a_seat_is_free_again_when_dropped() {
        let seats = Seats::new(1);
        let seat = seats.take().expect("the first seat is free");
        assert!(seats.take().is_none());
        drop(seat);
        assert_eq!(seats.taken(), 0);
        assert!(seats.take().is_some());
    }
}
