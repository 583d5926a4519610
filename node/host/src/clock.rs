//! The clock as the port of the use cases.

use std::time::Duration;

use gaia_core::coder::{Clock, Moment};
use tokio::time::{Instant, sleep_until};

/// The time since the node started.
pub struct HostClock {
    start: Instant,
}

impl Default for HostClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for HostClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// A moment too far away to be told is never.
    fn until(&self, moment: Duration) -> Moment<'_> {
        match self.start.checked_add(moment) {
            Some(instant) => Box::pin(sleep_until(instant)),
            None => Box::pin(std::future::pending()),
        }
    }
}
