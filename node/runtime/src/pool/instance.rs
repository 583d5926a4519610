//! One instance's thread, and the guest's view of the pool.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gaia_protocol::{Outcome, Picture};

use super::request::Request;
use super::shared::Shared;
use crate::app_abi::HOST_MODULES;
use crate::ffi::{Exit, Instance, InstancePlan, Stdio, StopSlot};
use crate::nn::{Errno, World};
use crate::port::{Emitted, Guest, Halt, Patience, Pictures, Port};

/// Stack of an instance's thread. Guests keep their data in linear memory; this holds their calls.
/// The system commits it page by page.
const STACK_BYTES: usize = 8 << 20;

/// Where an instance waits for its request.
pub(super) struct Seat {
    pub(super) id: u64,
    pub(super) started: Instant,
    pub(super) stop: Arc<StopSlot>,
    slot: Mutex<Slot>,
    changed: Condvar,
}

enum Slot {
    Empty,
    Assigned(Arc<Request>),
    Retired,
}

impl Seat {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            started: Instant::now(),
            stop: Arc::default(),
            slot: Mutex::new(Slot::Empty),
            changed: Condvar::new(),
        })
    }

    /// Gives the instance its request.
    pub(super) fn assign(&self, request: Arc<Request>) {
        *self.lock() = Slot::Assigned(request);
        self.changed.notify_one();
    }

    /// Tells the instance that there will be no request.
    pub(super) fn retire(&self) {
        *self.lock() = Slot::Retired;
        self.changed.notify_one();
    }

    /// Waits for either.
    pub(super) fn wait(&self) -> Option<Arc<Request>> {
        let mut slot = self.lock();
        loop {
            match std::mem::replace(&mut *slot, Slot::Empty) {
                Slot::Assigned(request) => return Some(request),
                Slot::Retired => return None,
                Slot::Empty => {}
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts an instance's thread.
pub(super) fn spawn(shared: Arc<Shared>, seat: Arc<Seat>) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("app".into()).stack_size(STACK_BYTES);
    thread.spawn(move || {
        run(&shared, &seat);
        shared.thread_ended();
    })?;
    Ok(())
}

fn run(shared: &Arc<Shared>, seat: &Arc<Seat>) {
    // The guest's own reference ends with the guest, so the request is kept here too.
    let served: Arc<Mutex<Option<Arc<Request>>>> = Arc::default();
    let exit = run_guest(shared, seat, Arc::clone(&served));
    let request = served.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(request) = request else {
        return shared.gone(seat, &unserved(&exit));
    };
    let outcome = match exit {
        Ok(exit) => request.outcome(exit),
        Err(message) => Outcome::Failed { message },
    };
    if is_trap(&outcome) {
        tracing::warn!(request = request.id, ?outcome, "a guest was ended");
        shared.count_trap();
    }
    // The place is free before the client hears of the end and may ask again.
    shared.gone(seat, "");
    request.end(outcome);
}

fn is_trap(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Trap { .. } | Outcome::TimeLimit | Outcome::InstructionLimit)
}

/// What to say of an instance that ended before it took a request.
fn unserved(exit: &Result<Exit, String>) -> String {
    match exit {
        Ok(Exit::Code(code)) => {
            format!("it exited with code {code} before it asked for a request")
        }
        Ok(Exit::Trap(message)) => format!("it trapped before it asked for a request: {message}"),
        Ok(Exit::InstructionLimit) => {
            "it used up instructions_max before it asked for a request".into()
        }
        Ok(Exit::Stopped | Exit::EndedByHost) => {
            "it did not ask for a request within time_ms_max".into()
        }
        Ok(Exit::Panic(message)) => format!("a host function panicked: {message}"),
        Err(message) => message.clone(),
    }
}

fn run_guest(
    shared: &Arc<Shared>,
    seat: &Arc<Seat>,
    served: Arc<Mutex<Option<Arc<Request>>>>,
) -> Result<Exit, String> {
    let output = shared
        .log
        .register(seat.id)
        .map_err(|error| format!("no pipe for what the app prints: {error}"))?;
    let output = Arc::new(output);
    let port = PoolPort {
        shared: Arc::clone(shared),
        seat: Arc::clone(seat),
        served,
        request: None,
        pictures: vec![],
        state: State::Fresh,
    };
    let plan = InstancePlan {
        module: &shared.app.module,
        hosts: HOST_MODULES,
        state: Guest { port: Box::new(port), world: World::new(shared.resolver()) },
        stdio: Stdio {
            input: Arc::clone(&shared.null),
            output: Arc::clone(&output),
            error: output,
        },
        arguments: &[shared.app.name()],
        folder: None,
        instructions_max: shared.limits.instructions,
        stop: Arc::clone(&seat.stop),
    };
    let instance = Instance::new(plan)
        .map_err(|failure| format!("the instance could not be made: {failure}"))?;
    Ok(instance.run())
}

/// How far a guest is with its one request.
enum State {
    Fresh,
    Offered(Vec<u8>),
    Taken,
}

/// The pool as one guest sees it.
struct PoolPort {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    served: Arc<Mutex<Option<Arc<Request>>>>,
    request: Option<Arc<Request>>,
    pictures: Vec<Picture>,
    state: State,
}

impl PoolPort {
    fn wait_for_request(&mut self) {
        self.state = State::Taken;
        let Some(request) = self.shared.next_request(&self.seat) else { return };
        // The set-up before the request is not the request's to pay for.
        self.seat.stop.reset_meter();
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&request));
        if let Some(input) = request.take_input() {
            self.state = State::Offered(input.body);
            self.pictures = input.pictures;
        }
        self.request = Some(request);
    }
}

impl Patience for PoolPort {
    fn check(&self) -> Result<(), Halt> {
        match &self.request {
            Some(request) => request.check(),
            None if self.seat.started.elapsed() >= self.shared.limits.time => Err(Halt::End),
            None => Ok(()),
        }
    }
}

impl Port for PoolPort {
    fn next_request(&mut self) -> Result<Option<&[u8]>, Halt> {
        if matches!(self.state, State::Fresh) {
            self.wait_for_request();
        }
        match &self.state {
            State::Offered(body) => Ok(Some(body)),
            State::Fresh | State::Taken => Ok(None),
        }
    }

    fn request_taken(&mut self) {
        self.state = State::Taken;
    }

    fn pictures(&self) -> Pictures<'_> {
        Pictures::Beside(&self.pictures)
    }

    fn emit(&mut self, event: &[u8]) -> Result<Emitted, Halt> {
        if event.len() > self.shared.limits.event_bytes {
            return Err(Halt::Errno(Errno::TooLarge));
        }
        match &self.request {
            Some(request) => request.emit(event),
            None => Err(Halt::Errno(Errno::UnsupportedOperation)),
        }
    }
}
