//! Wakes the engine's thread.

use std::sync::{Condvar, Mutex, PoisonError};

/// Rung by whoever has something for the engine's thread. A ring is never lost: one that comes
/// while the thread works ends its next wait at once.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    signal: Condvar,
}

impl Bell {
    /// Wakes the waiting thread, or the next to wait.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_one();
    }

    /// Sleeps until the bell is rung, or has been since the last wait.
    pub(crate) fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let rung = self.signal.wait_while(rung, |rung| !*rung);
        *rung.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        bell.wait();
    }

    #[test]
    fn a_ring_wakes_a_waiting_thread() {
        let bell = Bell::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bell.wait());
            bell.ring();
            waiting.join().expect("the waiting thread ends");
        });
    }
}
