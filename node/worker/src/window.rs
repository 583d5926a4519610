//! How many events of one request may be on their way to the host.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Credits of one request: an event takes one, the host gives them back as the client reads.
pub struct Window {
    state: Mutex<State>,
    changed: Condvar,
}

/// What became of asking for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One credit is spent.
    Taken,
    /// The request was cancelled.
    Closed,
    /// No room in time.
    NoneYet,
}

struct State {
    credits: u32,
    closed: bool,
}

impl Window {
    /// A window with room for `credits` events.
    pub fn new(credits: u32) -> Self {
        Self { state: Mutex::new(State { credits, closed: false }), changed: Condvar::new() }
    }

    /// Waits for room, not longer than `wait`, and takes it.
    pub fn take(&self, wait: Duration) -> Place {
        let is_empty = |state: &mut State| state.credits == 0 && !state.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), wait, is_empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.closed {
            return Place::Closed;
        }
        if state.credits == 0 {
            return Place::NoneYet;
        }
        state.credits -= 1;
        Place::Taken
    }

    /// Gives room back. The host can't give more than there ever was room for events in flight.
    pub fn give(&self, credits: u32) {
        let mut state = self.lock();
        state.credits = state.credits.saturating_add(credits);
        self.changed.notify_all();
    }

    /// Ends all waiting: the client is gone.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Window};
    use std::sync::Arc;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);

    fn wait_in_a_thread(window: &Arc<Window>) -> std::thread::JoinHandle<Place> {
        let window = Arc::clone(window);
        std::thread::spawn(move || window.take(LONG))
    }

    #[test]
    fn a_closed_window_refuses_even_with_credits_left() {
        let window = Window::new(2);
        assert_eq!(window.take(LONG), Place::Taken);
        window.close();
        assert_eq!(window.take(LONG), Place::Closed);
    }

    #[test]
    fn an_empty_window_has_no_place_until_credit_comes() {
        let window = Arc::new(Window::new(0));
        assert_eq!(window.take(Duration::ZERO), Place::NoneYet);
        let waiting = wait_in_a_thread(&window);
        window.give(1);
        assert_eq!(waiting.join().expect("the thread does not panic"), Place::Taken);
    }

    #[test]
    fn closing_wakes_whoever_waits() {
        let window = Arc::new(Window::new(0));
        let waiting = wait_in_a_thread(&window);
        window.close();
        assert_eq!(waiting.join().expect("the thread does not panic"), Place::Closed);
    }
}
