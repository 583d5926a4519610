//! How many requests the node works on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ServeError;

/// Counts the requests in the node. Clones share the count.
#[derive(Clone)]
pub struct Admission {
    active: Arc<AtomicU32>,
    limit: u32,
}

/// A place in the node, given back by drop.
pub struct Permit {
    active: Arc<AtomicU32>,
}

impl Admission {
    /// Lets `limit` requests in at once.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { active: Arc::default(), limit }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`]: there is none.
    pub fn admit(&self) -> Result<Permit, ServeError> {
        let take = |active: u32| (active < self.limit).then(|| active + 1);
        match self.active.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(_) => Ok(Permit { active: Arc::clone(&self.active) }),
            Err(_) => Err(ServeError::overloaded()),
        }
    }

    /// Takes `count` places at once, or none.
    ///
    /// # Errors
    /// [`ServeError::Overloaded`]: there are not enough now. [`ServeError::Invalid`]: there never
    /// will be, because that is above the limit; trying again would be in vain.
    pub fn admit_many(&self, count: u32) -> Result<Vec<Permit>, ServeError> {
        if count > self.limit {
            let limit = self.limit;
            let message = format!("{count} answers at once are asked for; this node gives {limit}");
            return Err(ServeError::Invalid { message, param: Some("n".into()) });
        }
        let take = |active: u32| active.checked_add(count).filter(|sum| *sum <= self.limit);
        match self.active.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(_) => Ok((0..count).map(|_| Permit { active: Arc::clone(&self.active) }).collect()),
            Err(_) => Err(ServeError::overloaded()),
        }
    }

    /// Requests in the node now.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.active.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_refuses_until_a_permit_is_dropped() {
        let admission = Admission::new(1);
        let permit = admission.admit().expect("room for one");
        assert!(matches!(admission.admit(), Err(ServeError::Overloaded { .. })));
        drop(permit);
        assert_eq!(admission.active(), 0);
        assert!(admission.admit().is_ok());
    }

    #[test]
    fn many_places_are_given_together_or_not_at_all() {
        let admission = Admission::new(3);
        assert!(matches!(admission.admit_many(4), Err(ServeError::Invalid { .. })));
        let one = admission.admit().expect("room");
        assert!(matches!(admission.admit_many(3), Err(ServeError::Overloaded { .. })));
        assert_eq!(admission.active(), 1);
        drop(one);
        let all = admission.admit_many(3).expect("room for all");
        assert_eq!((all.len(), admission.active()), (3, 3));
        drop(all);
        assert_eq!(admission.active(), 0);
    }
}
