//! Which instance is where, as plain data: no thread, no clock, no WasmEdge.
//!
//! An instance is warming up, then idle, then runs one request, then is gone. A request runs at
//! once if an instance is idle, waits if one can be expected, and is refused otherwise.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use gaia_protocol::Outcome;

/// The wait after the first failed warm-up; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// How many instances there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Kept ready.
    pub(super) warm: u32,
    /// At work at once.
    pub(super) busy_max: u32,
}

/// Instances (`S`) by their number, and requests (`R`).
pub(super) struct Seats<S, R> {
    bounds: Bounds,
    warming: BTreeMap<u64, S>,
    idle: BTreeMap<u64, S>,
    running: BTreeMap<u64, R>,
    pending: VecDeque<R>,
    failure: Option<Failure>,
    draining: bool,
}

/// Warm-ups that failed in a row.
struct Failure {
    count: u32,
    retry_at: Instant,
    message: String,
}

/// What becomes of a new request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<S> {
    /// This instance takes it.
    Run(S),
    /// The next warm instance will take it.
    Wait,
    /// It ends here.
    Refused(Outcome),
}

/// What an instance does that has warmed up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready<R> {
    /// Waits.
    Idle,
    /// Takes this request.
    Run(R),
    /// Ends: the pool drains.
    Retire,
}

impl<S: Clone, R: Clone> Seats<S, R> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            warming: BTreeMap::new(),
            idle: BTreeMap::new(),
            running: BTreeMap::new(),
            pending: VecDeque::new(),
            failure: None,
            draining: false,
        }
    }

    /// Places a new request.
    pub(super) fn admit(&mut self, request: &R) -> Admission<S> {
        if self.draining {
            return Admission::Refused(Outcome::Draining);
        }
        if self.busy() >= self.bounds.busy_max {
            return Admission::Refused(Outcome::Overloaded);
        }
        // The oldest, which has surely reached its wait.
        if let Some((id, seat)) = self.idle.pop_first() {
            self.running.insert(id, request.clone());
            return Admission::Run(seat);
        }
        match &self.failure {
            Some(failure) if self.warming.is_empty() => {
                Admission::Refused(Outcome::Failed { message: failure.message.clone() })
            }
            _ => {
                self.pending.push_back(request.clone());
                Admission::Wait
            }
        }
    }

    /// A new instance warms up.
    pub(super) fn warming(&mut self, id: u64, seat: S) {
        self.warming.insert(id, seat);
    }

    /// An instance has warmed up.
    pub(super) fn ready(&mut self, id: u64) -> Ready<R> {
        let Some(seat) = self.warming.remove(&id) else { return Ready::Retire };
        self.failure = None;
        if let Some(request) = self.pending.pop_front() {
            self.running.insert(id, request.clone());
            return Ready::Run(request);
        }
        if self.draining {
            return Ready::Retire;
        }
        self.idle.insert(id, seat);
        Ready::Idle
    }

    /// An instance has ended. If it never warmed up, that is a failure of the app, and the waiting
    /// requests, which are returned, end with it.
    pub(super) fn gone(&mut self, id: u64, why: &str, now: Instant) -> Vec<R> {
        self.running.remove(&id);
        self.idle.remove(&id);
        if self.warming.remove(&id).is_none() {
            return Vec::new();
        }
        let count = self.failure.as_ref().map_or(0, |failure| failure.count) + 1;
        let backoff = BACKOFF_MIN.saturating_mul(1 << count.min(10)) / 2;
        self.failure = Some(Failure {
            count,
            retry_at: now + backoff.min(BACKOFF_MAX),
            message: why.to_owned(),
        });
        if self.warming.is_empty() { self.pending.drain(..).collect() } else { Vec::new() }
    }

    /// Puts a request back to wait.
    pub(super) fn wait_again(&mut self, request: R) {
        self.pending.push_back(request);
    }

    /// How many instances should be started now.
    pub(super) fn missing(&self, now: Instant) -> usize {
        if self.retry_at().is_some_and(|retry_at| now < retry_at) {
            return 0;
        }
        // While the app fails its requests are refused and none waits: a try of its own must find
        // out when it is well again.
        let least = usize::from(self.failure.is_some());
        let warm = if self.draining { 0 } else { least.max(self.bounds.warm as usize) };
        let wanted = warm.max(self.pending.len());
        wanted.saturating_sub(self.warming.len() + self.idle.len())
    }

    /// When a failed app is tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.failure.as_ref().map(|failure| failure.retry_at)
    }

    /// Why the last instance could not warm up.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.message.as_str())
    }

    /// Takes nothing new from now on; returns the idle instances, to be ended.
    pub(super) fn drain(&mut self) -> Vec<S> {
        self.draining = true;
        std::mem::take(&mut self.idle).into_values().collect()
    }

    /// Removes the waiting requests that `chosen` picks.
    pub(super) fn remove_pending(&mut self, chosen: impl Fn(&R) -> bool) -> Vec<R> {
        let (out, stay): (Vec<R>, Vec<R>) = self.pending.drain(..).partition(chosen);
        self.pending = stay.into();
        out
    }

    pub(super) fn all_warming(&self) -> impl Iterator<Item = &S> {
        self.warming.values()
    }

    pub(super) fn all_running(&self) -> impl Iterator<Item = &R> {
        self.running.values()
    }

    pub(super) fn all_pending(&self) -> impl Iterator<Item = &R> {
        self.pending.iter()
    }

    /// Requests at work or waiting.
    pub(super) fn busy(&self) -> u32 {
        u32::try_from(self.running.len() + self.pending.len()).unwrap_or(u32::MAX)
    }

    /// Instances that wait for a request.
    pub(super) fn warm(&self) -> u32 {
        u32::try_from(self.idle.len()).unwrap_or(u32::MAX)
    }

    /// Instances of any kind, but retired ones on their way out.
    pub(super) fn is_empty(&self) -> bool {
        self.busy() == 0 && self.warming.is_empty() && self.idle.is_empty()
    }
}

#[cfg(test)]
#[path = "seats_tests.rs"]
mod tests;
