//! Calls that clients wait for, so that one request can take back another.
//!
//! Before the revision 2026-07-28 a client cancels by a notification, which over HTTP is a request of
//! its own. Which calls are meant follows from the session's name that `initialize` handed out: a name
//! and nothing else, for no state hangs on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::store::Owner;

/// Whose call it is: the owner, the session's name and the request's id.
pub type CallKey = (Owner, String, String);

/// The calls that can be taken back. Clones are the same table.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<HashMap<CallKey, oneshot::Sender<()>>>>);

/// A call's place in the table, given back by drop.
pub struct Place {
    running: Running,
    key: Option<CallKey>,
}

impl Running {
    /// Enters a call; without a session's name nothing can be taken back. The receiver hears when the
    /// client does not want the answer any more.
    pub fn enter(&self, key: Option<CallKey>) -> (Place, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        if let Some(key) = &key {
            self.lock().insert(key.clone(), sender);
        }
        (Place { running: self.clone(), key }, receiver)
    }

    /// Takes a call back; whether it was there.
    pub fn take_back(&self, key: &CallKey) -> bool {
        self.lock().remove(key).is_some_and(|call| call.send(()).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallKey, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.running.lock().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(owner: &str) -> CallKey {
        (Owner::of_key(owner), "session".into(), "1".into())
    }

    #[tokio::test]
    async fn a_call_is_taken_back_by_its_own_client_alone() {
        let running = Running::default();
        let (place, taken_back) = running.enter(Some(key("ada")));
        assert!(!running.take_back(&key("bob")));
        assert!(running.take_back(&key("ada")));
        assert!(taken_back.await.is_ok());
        drop(place);
        assert!(!running.take_back(&key("ada")));
    }

    #[tokio::test]
    async fn a_call_that_ended_leaves_the_table() {
        let running = Running::default();
        drop(running.enter(Some(key("ada"))));
        assert!(running.lock().is_empty());
        let (_place, mut taken_back) = running.enter(None);
        assert!(running.lock().is_empty());
        assert!(taken_back.try_recv().is_err());
    }
}
