//! How long to wait before a worker is started again.

use std::time::Duration;

/// A worker that was ready for so long was healthy: its next failure is a first one.
const HEALTHY: Duration = Duration::from_secs(60);

/// Doubles the wait with each failure, between two limits.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `least` at first and `most` at the end.
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, next: least.min(most) }
    }

    /// The wait after a worker stopped that had been ready for `healthy`.
    pub fn delay(&mut self, healthy: Duration) -> Duration {
        if healthy >= HEALTHY {
            self.next = self.least.min(self.most);
        }
        let delay = self.next;
        self.next = self.next.saturating_mul(2).min(self.most);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_a_healthy_time() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(5));
        let delays: Vec<_> = (0..5).map(|_| backoff.delay(seconds(59))).collect();
        assert_eq!(delays, [1, 2, 4, 5, 5].map(seconds));
        assert_eq!(backoff.delay(HEALTHY), seconds(1));
        assert_eq!(backoff.delay(Duration::ZERO), seconds(2));
    }
}
