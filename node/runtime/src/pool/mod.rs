//! The pool: warm single-use instances of one app, and the requests that they serve.
//!
//! Threads:
//! ```text
//! AppPool ── watchdog        time limits, cancelled guests, new instances after a failure
//!         ├─ guest log       reads what guests print
//!         └─ instance × n    one guest each: makes it, runs `_start`, and ends with it
//! ```
//! An instance starts, does its own set-up and blocks in `next_request`: it is warm. It serves one
//! request and ends; nothing of it is left for the next. Each instance that takes a request is
//! replaced at once, so that the next request finds a warm one.
//!
//! Locks: the pool's `seats` may be held while a seat's slot is taken, never the other way round;
//! sinks are called with no lock of the pool held.

mod guest_log;
mod instance;
mod request;
mod seats;
mod shared;
mod sink;
mod watchdog;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gaia_inference::Engine;
use gaia_protocol::{AppConfig, Outcome, Picture};

use crate::error::AppError;
use crate::nn;
use request::Request;
use shared::Shared;
pub use sink::{Emit, EventSink};

/// How long a cancelled request may take to end when the pool is dropped or a drain is late: the
/// grace of a cancelled guest and of one that is stuck, and some.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Numbers of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Requests at work or waiting for an instance.
    pub active: u32,
    /// Instances that wait for a request.
    pub warm: u32,
    /// Guests that trapped or ran into a limit since the start.
    pub traps_total: u64,
}

/// What a guest is given.
#[derive(Debug, Default)]
pub struct Input {
    /// The JSON of a `gaia_protocol::GuestRequest`, passed on unopened.
    pub body: Vec<u8>,
    /// The pictures that its prompts may show, by their numbers. The guest does not see them.
    pub pictures: Vec<Picture>,
}

impl From<Vec<u8>> for Input {
    fn from(body: Vec<u8>) -> Self {
        Self { body, pictures: vec![] }
    }
}

/// Runs one app's instances. Dropping it cancels everything and waits for it, a few seconds at most.
pub struct AppPool {
    shared: Arc<Shared>,
    watchdog: Option<JoinHandle<()>>,
}

impl AppPool {
    /// Loads the app, compiles it if it is new, and waits until its first instance is warm.
    ///
    /// Guests find the engine as `model_name` and as `default`.
    ///
    /// # Errors
    /// The app's file, its imports, a limit in `config`, the cache, or the first instance, which
    /// ended instead of asking for a request.
    pub fn start(engine: Engine, config: &AppConfig, model_name: &str) -> Result<Self, AppError> {
        Self::start_with(nn::shared_engine(engine), config, model_name)
    }

    /// [`AppPool::start`] for any model.
    pub(crate) fn start_with(
        model: Arc<dyn nn::Model>,
        config: &AppConfig,
        model_name: &str,
    ) -> Result<Self, AppError> {
        let shared = Shared::new(model, config, model_name)?;
        let watchdog = watchdog::spawn(Arc::clone(&shared))
            .map_err(|source| AppError::System { attempt: "starting a thread", source })?;
        let pool = Self { shared, watchdog: Some(watchdog) };
        pool.shared.warm_up_first()?;
        let bytes = crate::ffi::release_library_pages();
        tracing::debug!(bytes, "pages of WasmEdge's libraries are given back");
        Ok(pool)
    }

    /// Serves a request.
    ///
    /// Never waits. The sink is told everything, refusals included; those before this returns.
    pub fn submit(&self, input: impl Into<Input>, sink: Box<dyn EventSink>) -> RequestHandle {
        let request = self.shared.submit(input.into(), sink);
        RequestHandle { request, shared: Arc::clone(&self.shared) }
    }

    /// Takes nothing new and waits until all requests have ended. Those that have not ended after
    /// `grace` are cancelled.
    pub fn drain(&self, grace: Duration) {
        self.shared.drain();
        if !self.shared.wait_until_idle(Instant::now() + grace) {
            self.shared.cancel_all();
            self.shared.wait_until_idle(Instant::now() + LAST_GRACE);
        }
    }

    /// How the pool is now.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.stats()
    }
}

impl Drop for AppPool {
    fn drop(&mut self) {
        self.drain(Duration::ZERO);
        self.shared.close();
        if let Some(watchdog) = self.watchdog.take() {
            // A panic there was reported when it happened.
            drop(watchdog.join());
        }
        self.shared.end_all(&Outcome::Draining);
    }
}

/// A request that was submitted. Dropping it changes nothing.
pub struct RequestHandle {
    request: Arc<Request>,
    shared: Arc<Shared>,
}

impl RequestHandle {
    /// Ends the request: nobody waits for its answer. Its computing ends at once; the guest is told
    /// at its next event, and interrupted if it does not end soon. Nothing happens if the request
    /// has ended.
    pub fn cancel(&self) {
        self.shared.cancel(&self.request);
    }
}
