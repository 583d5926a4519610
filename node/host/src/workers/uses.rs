//! Who uses a worker, so that none is ended under a request, and an idle one is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The requests that hold one worker. Clones share the count.
#[derive(Clone)]
pub struct Uses {
    count: watch::Sender<u32>,
    last: Arc<Mutex<Instant>>,
}

/// One request's hold on its worker, given back by drop.
pub struct Lease {
    uses: Uses,
}

impl Uses {
    /// Nobody, from now on.
    #[must_use]
    pub fn none() -> Self {
        Self { count: watch::Sender::new(0), last: Arc::new(Mutex::new(Instant::now())) }
    }

    /// One more.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.count.send_modify(|count| *count += 1);
        Lease { uses: self.clone() }
    }

    /// Counts idle time from now on.
    pub fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long nobody has used it; zero while somebody does.
    #[must_use]
    pub fn idle(&self) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.count.borrow() > 0 { Duration::ZERO } else { last.elapsed() }
    }

    /// Waits until nobody uses it.
    pub async fn ended(&self) {
        // It fails only when the sender is gone, which `self` holds.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.uses.touch();
        self.uses.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_idle_from_the_end_of_its_last_request_on() {
        let uses = Uses::none();
        let (one, two) = (uses.lease(), uses.lease());
        tokio::time::advance(Duration::from_secs(5)).await;
        drop(one);
        assert_eq!(uses.idle(), Duration::ZERO);
        assert!(tokio::time::timeout(Duration::from_secs(1), uses.ended()).await.is_err());
        drop(two);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(uses.idle(), Duration::from_secs(3));
        uses.ended().await;
    }
}
