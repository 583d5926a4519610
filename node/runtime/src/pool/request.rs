//! One request on its way through the pool.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gaia_protocol::Outcome;

use super::Input;
use super::sink::{Emit, EventSink};
use crate::ffi::{Exit, StopSlot};
use crate::nn::Errno;
use crate::port::{Emitted, Halt};

/// How long a guest may go on after its request was cancelled before it is interrupted.
const CANCEL_GRACE: Duration = Duration::from_secs(2);
/// How long an interrupted guest may take to end before its request ends without it: one that
/// sleeps inside WASI can't be interrupted.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Nothing is due for a request that was given up: its guest ends when it can.
const ABANDONED_WAIT: Duration = Duration::from_secs(3600);
/// How long a full window is waited for before the request is looked at again.
const EMIT_WAIT: Duration = Duration::from_millis(50);

/// A request, shared by its handle, its instance and the watchdog.
pub(super) struct Request {
    pub(super) id: u64,
    input: Mutex<Option<Input>>,
    /// Empty once the request has ended.
    sink: Mutex<Option<Box<dyn EventSink>>>,
    deadline: Instant,
    cancelled: AtomicBool,
    emitted: AtomicBool,
    clock: Mutex<Clock>,
}

/// What the watchdog knows.
#[derive(Default)]
struct Clock {
    cancelled_at: Option<Instant>,
    stopped_at: Option<Instant>,
    /// It ended without its guest, which still runs.
    abandoned: bool,
    /// The instance that works on it.
    stop: Option<Arc<StopSlot>>,
}

/// What the watchdog must do about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this time.
    Later(Instant),
    /// It ends now, without its guest. Said once.
    Abandon(Outcome),
}

impl Request {
    pub(super) fn new(
        id: u64,
        input: Input,
        sink: Box<dyn EventSink>,
        deadline: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            input: Mutex::new(Some(input)),
            sink: Mutex::new(Some(sink)),
            deadline,
            cancelled: AtomicBool::new(false),
            emitted: AtomicBool::new(false),
            clock: Mutex::default(),
        })
    }

    /// An instance starts to work on it.
    pub(super) fn begin(&self, stop: Arc<StopSlot>) {
        lock(&self.clock).stop = Some(stop);
    }

    /// The guest's input; the first caller gets it.
    pub(super) fn take_input(&self) -> Option<Input> {
        lock(&self.input).take()
    }

    /// Asks the guest to end. False if that was asked before.
    pub(super) fn cancel(&self, now: Instant) -> bool {
        if self.cancelled.swap(true, Ordering::SeqCst) {
            return false;
        }
        lock(&self.clock).cancelled_at = Some(now);
        true
    }

    /// Whether a host function may go on.
    pub(super) fn check(&self) -> Result<(), Halt> {
        if Instant::now() >= self.deadline {
            return Err(Halt::End);
        }
        if self.cancelled.load(Ordering::SeqCst) {
            return Err(Halt::Errno(Errno::RuntimeError));
        }
        Ok(())
    }

    /// Offers an event until it is taken or the request is over.
    pub(super) fn emit(&self, event: &[u8]) -> Result<Emitted, Halt> {
        loop {
            match self.check() {
                Ok(()) => {}
                Err(Halt::Errno(_)) => return Ok(Emitted::Stop),
                Err(Halt::End) => return Err(Halt::End),
            }
            match lock(&self.sink).as_mut().map(|sink| sink.emit(event, EMIT_WAIT)) {
                Some(Emit::Continue) => {
                    self.emitted.store(true, Ordering::SeqCst);
                    return Ok(Emitted::Continue);
                }
                Some(Emit::Full) => {}
                Some(Emit::Stop) => {
                    self.cancel(Instant::now());
                    return Ok(Emitted::Stop);
                }
                None => return Ok(Emitted::Stop),
            }
        }
    }

    /// Interrupts the guest when its time has come; says what else is due.
    pub(super) fn tick(&self, now: Instant) -> Due {
        let mut clock = lock(&self.clock);
        let stop_at = match clock.cancelled_at {
            Some(cancelled_at) => self.deadline.min(cancelled_at + CANCEL_GRACE),
            None => self.deadline,
        };
        if now < stop_at {
            return Due::Later(stop_at);
        }
        if clock.stopped_at.is_none() {
            clock.stop.as_deref().map(StopSlot::stop);
        }
        let stopped_at = *clock.stopped_at.get_or_insert(now);
        if now < stopped_at + STOP_GRACE {
            return Due::Later(stopped_at + STOP_GRACE);
        }
        if std::mem::replace(&mut clock.abandoned, true) {
            return Due::Later(now + ABANDONED_WAIT);
        }
        Due::Abandon(self.interrupted())
    }

    /// When a request that waits for an instance is given up.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the request, unless it has ended. The sink is called without any lock held.
    pub(super) fn end(&self, outcome: Outcome) {
        let sink = lock(&self.sink).take();
        if let Some(sink) = sink {
            sink.end(outcome);
        }
    }

    /// What a guest's exit means for the request.
    pub(super) fn outcome(&self, exit: Exit) -> Outcome {
        if self.cancelled.load(Ordering::SeqCst) {
            return Outcome::Cancelled;
        }
        match exit {
            Exit::Code(0) if self.emitted.load(Ordering::SeqCst) => Outcome::Done,
            Exit::Code(0) => {
                Outcome::Failed { message: "the app returned without an answer".into() }
            }
            Exit::Code(code) => Outcome::Exit { code },
            Exit::Trap(message) => Outcome::Trap { message },
            Exit::InstructionLimit => Outcome::InstructionLimit,
            Exit::Stopped | Exit::EndedByHost => self.interrupted(),
            Exit::Panic(message) => {
                Outcome::Failed { message: format!("a host function panicked: {message}") }
            }
        }
    }

    fn interrupted(&self) -> Outcome {
        if self.cancelled.load(Ordering::SeqCst) { Outcome::Cancelled } else { Outcome::TimeLimit }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells its end to a channel.
    struct Ends(std::sync::mpsc::SyncSender<Outcome>);

    impl EventSink for Ends {
        fn emit(&mut self, _: &[u8], _: Duration) -> Emit {
            Emit::Continue
        }

        fn end(self: Box<Self>, outcome: Outcome) {
            self.0.send(outcome).expect("the test listens");
        }
    }

    fn request(deadline: Instant) -> (Arc<Request>, std::sync::mpsc::Receiver<Outcome>) {
        let (sender, receiver) = std::sync::mpsc::sync_channel(4);
        (Request::new(1, Input::default(), Box::new(Ends(sender)), deadline), receiver)
    }

    #[test]
    fn an_end_is_told_once() {
        let (request, ends) = request(Instant::now() + Duration::from_secs(60));
        request.end(Outcome::Done);
        request.end(Outcome::TimeLimit);
        drop(request);
        assert_eq!(ends.iter().collect::<Vec<_>>(), [Outcome::Done]);
    }

    #[test]
    fn a_request_out_of_time_is_stopped_and_then_abandoned_once() {
        let start = Instant::now();
        let (request, _ends) = request(start);
        assert_eq!(request.check(), Err(Halt::End));
        assert_eq!(request.tick(start), Due::Later(start + STOP_GRACE));
        let given_up = start + STOP_GRACE;
        assert_eq!(request.tick(given_up), Due::Abandon(Outcome::TimeLimit));
        assert_eq!(request.tick(given_up), Due::Later(given_up + ABANDONED_WAIT));
    }

    #[test]
    fn a_cancelled_request_has_its_grace_and_then_no_more() {
        let start = Instant::now();
        let (request, _ends) = request(start + Duration::from_secs(3600));
        assert!(request.cancel(start));
        assert!(!request.cancel(start));
        assert_eq!(request.check(), Err(Halt::Errno(Errno::RuntimeError)));
        assert_eq!(request.emit(b"{}"), Ok(Emitted::Stop));
        let stop_at = start + CANCEL_GRACE;
        assert_eq!(request.tick(start), Due::Later(stop_at));
        assert_eq!(request.tick(stop_at), Due::Later(stop_at + STOP_GRACE));
        assert_eq!(request.tick(stop_at + STOP_GRACE), Due::Abandon(Outcome::Cancelled));
    }

    #[test]
    fn exits_become_outcomes() {
        let (request, _ends) = request(Instant::now() + Duration::from_secs(60));
        let silent = request.outcome(Exit::Code(0));
        assert!(matches!(silent, Outcome::Failed { .. }), "{silent:?}");
        assert_eq!(request.emit(b"{}"), Ok(Emitted::Continue));
        assert_eq!(request.outcome(Exit::Code(0)), Outcome::Done);
        assert_eq!(request.outcome(Exit::Code(3)), Outcome::Exit { code: 3 });
        assert_eq!(request.outcome(Exit::Stopped), Outcome::TimeLimit);
        assert_eq!(request.outcome(Exit::InstructionLimit), Outcome::InstructionLimit);
        request.cancel(Instant::now());
        assert_eq!(request.outcome(Exit::Trap("unreachable".into())), Outcome::Cancelled);
    }
}
