//! What a pool's threads share.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gaia_protocol::{AppConfig, Outcome};

use super::guest_log::GuestLog;
use super::instance::{self, Seat};
use super::request::{Due, Request};
use super::seats::{Admission, Bounds, Ready, Seats};
use super::sink::EventSink;
use super::{Input, PoolStats};
use crate::app::{App, LoadOptions};
use crate::error::AppError;
use crate::nn::{Model, Resolution, Resolver};

/// The name under which every guest finds its model.
const DEFAULT_MODEL: &str = "default";

/// The watchdog looks at least this often.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Limits of one request.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    pub(super) instructions: Option<u64>,
    pub(super) event_bytes: usize,
}

pub(super) struct Shared {
    pub(super) app: App,
    pub(super) limits: Limits,
    pub(super) log: GuestLog,
    pub(super) null: Arc<OwnedFd>,
    model: Arc<dyn Model>,
    model_name: String,
    seats: Mutex<Seats<Arc<Seat>, Arc<Request>>>,
    /// Any change of the seats.
    changed: Condvar,
    next_id: AtomicU64,
    threads: AtomicU32,
    traps: AtomicU64,
    closed: std::sync::atomic::AtomicBool,
}

impl Shared {
    pub(super) fn new(
        model: Arc<dyn Model>,
        config: &AppConfig,
        model_name: &str,
    ) -> Result<Arc<Self>, AppError> {
        check(config)?;
        let app = App::load(&LoadOptions {
            path: &config.path,
            cache_dir: Some(&config.cache_dir),
            metered: config.instructions_max.is_some(),
            memory_bytes_max: config.memory_bytes_max,
        })?;
        let log = GuestLog::start(app.name())
            .map_err(|source| AppError::System { attempt: "starting the guest log", source })?;
        let null = File::open("/dev/null")
            .map_err(|source| AppError::System { attempt: "opening /dev/null", source })?;
        let bounds = Bounds { warm: config.instances_warm, busy_max: config.instances_max };
        Ok(Arc::new(Self {
            app,
            limits: Limits {
                time: Duration::from_millis(config.time_ms_max),
                instructions: config.instructions_max,
                event_bytes: config.event_bytes_max as usize,
            },
            log,
            null: Arc::new(null.into()),
            model,
            model_name: model_name.to_owned(),
            seats: Mutex::new(Seats::new(bounds)),
            changed: Condvar::new(),
            next_id: AtomicU64::new(1),
            threads: AtomicU32::new(0),
            traps: AtomicU64::new(0),
            closed: std::sync::atomic::AtomicBool::new(false),
        }))
    }

    /// Starts the first instances and waits for one of them.
    pub(super) fn warm_up_first(self: &Arc<Self>) -> Result<(), AppError> {
        // Even a pool that keeps none warm tries its app once.
        let mut seats = self.lock();
        let count = seats.missing(Instant::now()).max(1);
        self.spawn(&mut seats, count);
        loop {
            if seats.warm() > 0 {
                return Ok(());
            }
            if let Some(message) = seats.failure() {
                let path = self.app.path.clone();
                return Err(AppError::NotReady { path, message: message.to_owned() });
            }
            seats = self.wait(seats, LOOK_MAX);
        }
    }

    pub(super) fn submit(self: &Arc<Self>, input: Input, sink: Box<dyn EventSink>) -> Arc<Request> {
        let deadline = Instant::now() + self.limits.time;
        let request = Request::new(self.id(), input, sink, deadline);
        let mut seats = self.lock();
        let admission = seats.admit(&request);
        if let Admission::Run(seat) = &admission {
            // Before the lock goes: the watchdog must find whom to stop.
            request.begin(Arc::clone(&seat.stop));
            seat.assign(Arc::clone(&request));
        }
        self.replenish(&mut seats);
        drop(seats);
        self.changed.notify_all();
        if let Admission::Refused(outcome) = admission {
            request.end(outcome);
        }
        request
    }

    /// An instance asks for its request for the first time; waits for it.
    pub(super) fn next_request(self: &Arc<Self>, seat: &Arc<Seat>) -> Option<Arc<Request>> {
        let mut seats = self.lock();
        let ready = seats.ready(seat.id);
        if let Ready::Run(request) = &ready {
            request.begin(Arc::clone(&seat.stop));
        }
        drop(seats);
        self.changed.notify_all();
        match ready {
            Ready::Idle => seat.wait(),
            Ready::Run(request) => Some(request),
            Ready::Retire => None,
        }
    }

    /// An instance's thread has ended its guest.
    pub(super) fn gone(self: &Arc<Self>, seat: &Seat, why: &str) {
        let mut seats = self.lock();
        let orphans = seats.gone(seat.id, why, Instant::now());
        self.replenish(&mut seats);
        drop(seats);
        self.changed.notify_all();
        for request in orphans {
            request.end(Outcome::Failed { message: why.to_owned() });
        }
    }

    pub(super) fn thread_ended(&self) {
        self.threads.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_all();
    }

    pub(super) fn count_trap(&self) {
        self.traps.fetch_add(1, Ordering::Relaxed);
    }

    /// Cancels a request; one that still waits for an instance ends at once.
    pub(super) fn cancel(&self, request: &Arc<Request>) {
        if !request.cancel(Instant::now()) {
            return;
        }
        let waiting = self.lock().remove_pending(|pending| pending.id == request.id);
        self.changed.notify_all();
        for request in waiting {
            request.end(Outcome::Cancelled);
        }
    }

    pub(super) fn cancel_all(&self) {
        let seats = self.lock();
        let all: Vec<_> = seats.all_running().chain(seats.all_pending()).cloned().collect();
        drop(seats);
        for request in all {
            self.cancel(&request);
        }
    }

    pub(super) fn drain(&self) {
        let retired = self.lock().drain();
        for seat in retired {
            seat.retire();
        }
        self.changed.notify_all();
    }

    /// False if something was still at work at `until`.
    pub(super) fn wait_until_idle(&self, until: Instant) -> bool {
        let mut seats = self.lock();
        while !seats.is_empty() || self.threads.load(Ordering::SeqCst) > 0 {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            seats = self.wait(seats, (until - now).min(LOOK_MAX));
        }
        true
    }

    /// Ends the watchdog.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Ends what is left, guests that are stuck included.
    pub(super) fn end_all(&self, outcome: &Outcome) {
        let seats = self.lock();
        let left: Vec<_> = seats.all_running().chain(seats.all_pending()).cloned().collect();
        drop(seats);
        for request in left {
            request.end(outcome.clone());
        }
    }

    /// The watchdog's round: does what is due, then waits for the next thing.
    pub(super) fn look(self: &Arc<Self>) {
        let now = Instant::now();
        let mut next = now + LOOK_MAX;
        let mut seats = self.lock();
        let late = seats.remove_pending(|request| now >= request.deadline());
        let mut abandoned = Vec::new();
        for request in seats.all_running() {
            match request.tick(now) {
                Due::Later(at) => next = next.min(at),
                Due::Abandon(outcome) => abandoned.push((Arc::clone(request), outcome)),
            }
        }
        next = seats.all_pending().map(|request| request.deadline()).fold(next, Instant::min);
        for seat in seats.all_warming() {
            match seat.started + self.limits.time {
                limit if now >= limit => seat.stop.stop(),
                limit => next = next.min(limit),
            }
        }
        self.replenish(&mut seats);
        next = seats.retry_at().filter(|at| *at > now).map_or(next, |at| next.min(at));
        if late.is_empty() && abandoned.is_empty() {
            drop(self.wait(seats, next.saturating_duration_since(now)));
            return;
        }
        drop(seats);
        late.iter().for_each(|request| request.end(Outcome::TimeLimit));
        abandoned.into_iter().for_each(|(request, outcome)| self.abandon(&request, outcome));
    }

    pub(super) fn stats(&self) -> PoolStats {
        let seats = self.lock();
        PoolStats {
            active: seats.busy(),
            warm: seats.warm(),
            traps_total: self.traps.load(Ordering::Relaxed),
        }
    }

    /// Finds models for a guest: the one there is, by both of its names.
    pub(super) fn resolver(self: &Arc<Self>) -> Resolver {
        let shared = Arc::clone(self);
        Box::new(move |name| {
            if name == DEFAULT_MODEL || name == shared.model_name {
                return Resolution::Found(Arc::clone(&shared.model));
            }
            tracing::warn!(name, "an app asks for a model that it is not started with");
            Resolution::Unknown
        })
    }

    fn abandon(&self, request: &Request, outcome: Outcome) {
        tracing::error!(
            request = request.id,
            "a guest can't be interrupted; its request ends without it"
        );
        self.count_trap();
        request.end(outcome);
    }

    fn replenish(self: &Arc<Self>, seats: &mut Seats<Arc<Seat>, Arc<Request>>) {
        if !self.is_closed() {
            let count = seats.missing(Instant::now());
            self.spawn(seats, count);
        }
    }

    fn spawn(self: &Arc<Self>, seats: &mut Seats<Arc<Seat>, Arc<Request>>, count: usize) {
        for _ in 0..count {
            let seat = Seat::new(self.id());
            seats.warming(seat.id, Arc::clone(&seat));
            self.threads.fetch_add(1, Ordering::SeqCst);
            if let Err(error) = instance::spawn(Arc::clone(self), Arc::clone(&seat)) {
                self.threads.fetch_sub(1, Ordering::SeqCst);
                // Requests that wait stay, and are served after the back-off or run out of time.
                let orphans = seats.gone(seat.id, &format!("no thread: {error}"), Instant::now());
                tracing::error!(%error, waiting = orphans.len(), "an instance has no thread");
                return orphans.into_iter().for_each(|request| seats.wait_again(request));
            }
        }
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Seats<Arc<Seat>, Arc<Request>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        seats: MutexGuard<'a, Seats<Arc<Seat>, Arc<Request>>>,
        time: Duration,
    ) -> MutexGuard<'a, Seats<Arc<Seat>, Arc<Request>>> {
        self.changed.wait_timeout(seats, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn check(config: &AppConfig) -> Result<(), AppError> {
    let zero = [
        ("instances_max", u64::from(config.instances_max)),
        ("time_ms_max", config.time_ms_max),
        ("event_bytes_max", u64::from(config.event_bytes_max)),
        ("instructions_max", config.instructions_max.unwrap_or(1)),
    ]
    .into_iter()
    .find(|(_, value)| *value == 0);
    match zero {
        Some((field, _)) => Err(AppError::Config { field, message: "must be more than 0".into() }),
        None => Ok(()),
    }
}
