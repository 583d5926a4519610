//! A bounded queue between the engine and one reader.
//!
//! The engine's end is an [`Outlet`], the reader's an [`Inlet`]. Each sees when the other is gone:
//! the engine frees the sequence, the reader gets [`ComputeError::Stopped`].

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ComputeError;
use crate::bell::Bell;

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    room: usize,
    bell: Arc<Bell>,
}

struct State<T> {
    items: VecDeque<T>,
    error: Option<ComputeError>,
    abandoned: bool,
}

/// A queue for `room` items and a last one. `bell` is rung when there is room again and when the
/// reader goes.
pub(crate) fn queue<T>(room: usize, bell: Arc<Bell>) -> (Outlet<T>, Inlet<T>) {
    let state = State { items: VecDeque::with_capacity(room + 1), error: None, abandoned: false };
    let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new(), room, bell });
    (Outlet(Arc::clone(&queue)), Inlet(queue))
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine's end. Dropped, it ends the queue behind what is in it.
pub(crate) struct Outlet<T>(Arc<Queue<T>>);

impl<T> Outlet<T> {
    /// Whether an item fits.
    pub(crate) fn has_room(&self) -> bool {
        self.0.lock().items.len() < self.0.room
    }

    /// Whether the reader is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.lock().abandoned
    }

    /// Adds an item; the caller has asked for room, or it is the last.
    pub(crate) fn push(&self, item: T) {
        self.0.lock().items.push_back(item);
        self.0.changed.notify_one();
    }

    /// Ends the queue with an error, behind what is in it.
    pub(crate) fn fail(&self, error: ComputeError) {
        self.0.lock().error.get_or_insert(error);
        self.0.changed.notify_one();
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        self.fail(ComputeError::Stopped);
    }
}

/// The reader's end. Dropped, it tells the engine that nobody waits any more.
pub(crate) struct Inlet<T>(Arc<Queue<T>>);

impl<T> Inlet<T> {
    /// The next item; `None` if none came within `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Result<Option<T>, ComputeError> {
        let deadline = Instant::now().checked_add(patience);
        let mut state = self.0.lock();
        loop {
            let was_full = state.items.len() >= self.0.room;
            if let Some(item) = state.items.pop_front() {
                drop(state);
                if was_full {
                    self.0.bell.ring();
                }
                return Ok(Some(item));
            }
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            let left = deadline.map_or(Duration::MAX, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Ok(None);
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Drop for Inlet<T> {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_dropped_outlet_ends_the_queue_behind_its_items() {
        let (outlet, inlet) = queue(2, Arc::default());
        outlet.push(1);
        drop(outlet);
        assert_eq!(inlet.take(NOW), Ok(Some(1)));
        assert_eq!(inlet.take(NOW), Err(ComputeError::Stopped));
    }

    #[test]
    fn the_first_error_stays() {
        let (outlet, inlet) = queue::<u8>(2, Arc::default());
        outlet.fail(ComputeError::NotFinite);
        drop(outlet);
        assert_eq!(inlet.take(Duration::MAX), Err(ComputeError::NotFinite));
    }

    #[test]
    fn an_empty_queue_is_no_error() {
        let (_outlet, inlet) = queue::<u8>(1, Arc::default());
        assert_eq!(inlet.take(NOW), Ok(None));
    }

    #[test]
    fn a_full_queue_has_room_again_when_read_and_says_so() {
        let bell = Arc::<Bell>::default();
        let (outlet, inlet) = queue(1, Arc::clone(&bell));
        outlet.push(1);
        assert!(!outlet.has_room());
        assert_eq!(inlet.take(NOW), Ok(Some(1)));
        assert!(outlet.has_room());
        bell.wait();
    }

    #[test]
    fn a_dropped_inlet_is_seen() {
        let bell = Arc::<Bell>::default();
        let (outlet, inlet) = queue::<u8>(1, Arc::clone(&bell));
        assert!(!outlet.is_abandoned());
        drop(inlet);
        assert!(outlet.is_abandoned());
        bell.wait();
    }
}
