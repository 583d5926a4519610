//! Who may compile when: so many at once, the rest in a line where the keys take turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::config::QueueConfig;
use crate::store::Owner;

/// The line. Clones are the same line.
#[derive(Clone)]
pub struct Queue {
    line: Arc<Mutex<Line>>,
    config: QueueConfig,
}

struct Line {
    free: usize,
    /// Those who wait, by key; the first key has the next turn. No key without someone who waits.
    keys: VecDeque<(Owner, VecDeque<oneshot::Sender<Permit>>)>,
}

/// The right to compile, given back by drop.
pub struct Permit {
    /// None once it was given on.
    line: Option<Arc<Mutex<Line>>>,
}

/// A place in the line. Dropping it leaves the line.
pub struct Turn(oneshot::Receiver<Permit>);

/// The line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many jobs wait already: try again later")]
pub struct Full;

impl Queue {
    /// An empty line.
    #[must_use]
    pub fn new(config: QueueConfig) -> Self {
        let line = Line { free: config.at_once, keys: VecDeque::new() };
        Self { line: Arc::new(Mutex::new(line)), config }
    }

    /// Takes a place in the line.
    ///
    /// # Errors
    /// There is none, at all or for this key.
    pub fn enter(&self, owner: &Owner) -> Result<Turn, Full> {
        let (sender, receiver) = oneshot::channel();
        let mut line = lock(&self.line);
        if line.free > 0 {
            line.free -= 1;
            let permit = Permit { line: Some(Arc::clone(&self.line)) };
            drop(line);
            // The other end is in our hands.
            let _ = sender.send(permit);
            return Ok(Turn(receiver));
        }
        line.forget_leavers();
        let own = line.keys.iter().find(|(key, _)| key == owner).map_or(0, |(_, own)| own.len());
        if line.waiting() >= self.config.waiting_max || own >= self.config.waiting_per_key_max {
            return Err(Full);
        }
        line.add(owner, sender);
        Ok(Turn(receiver))
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let mut line = lock(&self.line);
        line.forget_leavers();
        line.waiting()
    }

    /// How many compile.
    #[must_use]
    pub fn running(&self) -> usize {
        self.config.at_once - lock(&self.line).free
    }
}

impl Turn {
    /// Waits until it is this one's turn.
    ///
    /// # Errors
    /// Never while the queue lives.
    pub async fn wait(self) -> Result<Permit, Full> {
        self.0.await.map_err(|_| Full)
    }
}

impl Line {
    fn waiting(&self) -> usize {
        self.keys.iter().map(|(_, own)| own.len()).sum()
    }

    fn forget_leavers(&mut self) {
        self.keys.iter_mut().for_each(|(_, own)| own.retain(|sender| !sender.is_closed()));
        self.keys.retain(|(_, own)| !own.is_empty());
    }

    fn add(&mut self, owner: &Owner, sender: oneshot::Sender<Permit>) {
        match self.keys.iter_mut().find(|(key, _)| key == owner) {
            Some((_, own)) => own.push_back(sender),
            None => self.keys.push_back((owner.clone(), VecDeque::from([sender]))),
        }
    }

    /// Whose turn it is; its key goes to the end of the line.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        let (key, mut own) = self.keys.pop_front()?;
        let sender = own.pop_front();
        if !own.is_empty() {
            self.keys.push_back((key, own));
        }
        sender
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else { return };
        loop {
            let next = {
                let mut held = lock(&line);
                let next = held.next();
                if next.is_none() {
                    held.free += 1;
                }
                next
            };
            let Some(sender) = next else { return };
            match sender.send(Permit { line: Some(Arc::clone(&line)) }) {
                Ok(()) => return,
                // That one has left; what comes back must not give itself back.
                Err(mut returned) => returned.line = None,
            }
        }
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(at_once: usize) -> Queue {
        Queue::new(QueueConfig { at_once, waiting_max: 4, waiting_per_key_max: 3 })
    }

    fn key(name: &str) -> Owner {
        Owner::of_key(name)
    }

    #[tokio::test]
    async fn keys_take_turns() {
        let queue = queue(1);
        let first = queue.enter(&key("a")).expect("free").wait().await.expect("at once");
        let names = ["a", "a", "a", "b"];
        let mut turns: Vec<_> =
            names.map(|name| (name, queue.enter(&key(name)).expect("room"))).into();
        assert_eq!(queue.waiting(), 4);
        drop(first);
        let mut order = vec![];
        while !turns.is_empty() {
            let at = turns.iter_mut().position(|(_, turn)| turn.0.try_recv().is_ok());
            // The permit that was looked at is given on by its drop.
            order.push(turns.remove(at.expect("somebody has the turn")).0);
        }
        assert_eq!(order, ["a", "b", "a", "a"]);
        assert_eq!((queue.running(), queue.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_full_line_refuses_and_one_key_can_not_fill_it() {
        let queue = queue(1);
        let running = queue.enter(&key("a")).expect("free").wait().await.expect("at once");
        let mine: Vec<_> = (0..3).map(|_| queue.enter(&key("a")).expect("room")).collect();
        assert!(queue.enter(&key("a")).is_err(), "one key has its share");
        let other = queue.enter(&key("b")).expect("another key has room");
        assert!(queue.enter(&key("c")).is_err(), "the line is full");
        drop(mine);
        assert_eq!(queue.waiting(), 1, "who leaves makes room");
        drop(running);
        drop(other.wait().await.expect("its turn"));
        assert_eq!(queue.running(), 0);
    }

    #[tokio::test]
    async fn a_turn_that_came_and_was_not_taken_is_given_on() {
        let queue = queue(1);
        let turn = queue.enter(&key("a")).expect("free");
        let next = queue.enter(&key("a")).expect("room");
        drop(turn);
        drop(next.wait().await.expect("its turn"));
        assert_eq!(queue.running(), 0);
    }
}
