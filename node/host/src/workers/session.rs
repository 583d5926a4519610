//! The requests on one connection to one worker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaia_core::ServeError;
use gaia_protocol::frame::{HostFrame, PAYLOAD_BYTES_MAX};
use gaia_protocol::{AppConfig, Outcome, PICTURES_MAX, Picture, WorkerConfig};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, watch};

use super::connection::Violation;

/// A request that ended for the client may take a moment to end in the worker, which holds the
/// exact limit; this one bounds the host's memory.
const LIVE_PER_INSTANCE: usize = 2;

/// Frames of one request that an honest worker may leave unread: its pictures, the request, its cancel
/// twice, and credits, which come only after events that earlier credits allowed.
const FRAMES_PER_REQUEST: usize = PICTURES_MAX + 6;

/// The start frame, two pings, the drain frame.
const FRAMES_OF_ALL: usize = 4;

/// Further pings would only tell a busy worker what it knows.
const PINGS_UNANSWERED_MAX: u64 = 2;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the reader hands to one request's stream.
#[derive(Debug)]
pub enum Message {
    /// An event, unopened.
    Event(Vec<u8>),
    /// The instance ended.
    End(Outcome),
}

/// What one connection knows. Ends when the worker does; a restarted worker gets a new one.
pub struct Session {
    limits: Limits,
    requests: Mutex<Requests>,
    outgoing: Sender<HostFrame>,
    /// Told when `outgoing` is full: the worker has stopped reading.
    stuck: Notify,
    pings: Mutex<u64>,
    /// How many pings the worker has answered.
    answered: watch::Sender<u64>,
}

#[derive(Clone, Copy)]
struct Limits {
    live: usize,
    window_events: u32,
    event_bytes: usize,
}

#[derive(Default)]
struct Requests {
    next_id: u64,
    closed: bool,
    live: HashMap<u64, Live>,
}

struct Live {
    /// Gone as soon as nobody listens; the entry stays until the worker says that it ended.
    listener: Option<Sender<Message>>,
    /// Events received and not yet given back as credit.
    unread: u32,
    /// The client has its whole answer: whatever else the guest says is wrong.
    answered: bool,
}

impl Session {
    /// A session with nothing in it, and the frames that it wants sent.
    #[must_use]
    pub fn new(app: &AppConfig) -> (Self, Receiver<HostFrame>) {
        let live = app.instances_max as usize * LIVE_PER_INSTANCE;
        let (outgoing, frames) = channel(live * FRAMES_PER_REQUEST + FRAMES_OF_ALL);
        let limits = Limits {
            live,
            window_events: app.window_events,
            event_bytes: app.event_bytes_max as usize,
        };
        let session = Self {
            limits,
            requests: Mutex::default(),
            outgoing,
            stuck: Notify::new(),
            pings: Mutex::default(),
            answered: watch::Sender::new(0),
        };
        (session, frames)
    }

    /// Sends a request's JSON to the worker, behind its pictures.
    ///
    /// # Errors
    /// It does not fit a frame, too many are live, or the worker has just stopped.
    pub fn submit(
        &self,
        body: Vec<u8>,
        pictures: &[Picture],
    ) -> Result<(u64, Receiver<Message>), ServeError> {
        if body.len() > PAYLOAD_BYTES_MAX {
            let message = "the request is too large for a model's worker: shorten it".into();
            return Err(ServeError::Invalid { message, param: None });
        }
        // Room for a whole window and the end: the reader never waits for a client.
        let (listener, messages) = channel(self.limits.window_events as usize + 1);
        let mut requests = self.lock();
        if requests.closed {
            let reason = "its worker has just stopped".into();
            return Err(ServeError::Unavailable { retry_after: RETRY_AFTER, reason });
        }
        if requests.live.len() >= self.limits.live {
            return Err(ServeError::Overloaded { retry_after: RETRY_AFTER });
        }
        requests.next_id += 1;
        let id = requests.next_id;
        requests.live.insert(id, Live { listener: Some(listener), unread: 0, answered: false });
        for picture in pictures.iter().take(PICTURES_MAX).cloned() {
            self.send(HostFrame::Picture { id, picture });
        }
        self.send(HostFrame::Request { id, body });
        Ok((id, messages))
    }

    /// The client has taken `events`: the worker may send as many more.
    pub fn credit(&self, id: u64, events: u32) {
        let mut requests = self.lock();
        if let Some(live) = requests.live.get_mut(&id) {
            live.unread = live.unread.saturating_sub(events);
            self.send(HostFrame::Credit { id, events });
        }
    }

    /// Nobody waits for this request any more; `answered` says whether its last event was seen.
    pub fn leave(&self, id: u64, answered: bool) {
        let mut requests = self.lock();
        let Some(live) = requests.live.get_mut(&id) else { return };
        live.listener = None;
        live.answered = answered;
        if !answered {
            self.send(HostFrame::Cancel { id });
        }
    }

    /// Tells the worker what to load: the first frame.
    pub fn start(&self, config: WorkerConfig) {
        self.send(HostFrame::Start(Box::new(config)));
    }

    /// Asks the worker for its numbers; the count of answers to wait for.
    pub fn ping(&self) -> u64 {
        let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
        if *pings - (*self.answered.borrow()).min(*pings) < PINGS_UNANSWERED_MAX {
            *pings += 1;
            self.send(HostFrame::Stats);
        }
        *pings
    }

    /// Waits until the worker has answered so many pings.
    pub async fn answered(&self, pings: u64) {
        // It fails only when the sender is gone, which `self` holds.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= pings).await;
    }

    /// The worker has answered a ping.
    pub(super) fn pong(&self) {
        self.answered.send_modify(|answered| *answered += 1);
    }

    /// Waits until it turns out that the worker does not read.
    pub(super) async fn stuck(&self) {
        self.stuck.notified().await;
    }

    /// Asks the worker to finish what runs and to end.
    pub fn drain(&self) {
        self.send(HostFrame::Drain);
    }

    /// Requests that the worker has not ended yet.
    #[must_use]
    pub fn live(&self) -> usize {
        self.lock().live.len()
    }

    /// Takes an event from the worker; never waits.
    pub(super) fn event(&self, id: u64, body: Vec<u8>) -> Result<(), Violation> {
        if body.len() > self.limits.event_bytes {
            return Err(Violation::EventTooLarge { bytes: body.len() });
        }
        let mut requests = self.lock();
        let live = requests.live.get_mut(&id).ok_or(Violation::UnknownRequest { id })?;
        if live.unread >= self.limits.window_events {
            return Err(Violation::Flood { id, window_events: self.limits.window_events });
        }
        live.unread += 1;
        if let Some(listener) = &live.listener {
            // It fails only where the stream is just being dropped, which cancels.
            let _ = listener.try_send(Message::Event(body));
        } else if std::mem::take(&mut live.answered) {
            tracing::warn!(id, "the app goes on after its last event; it is cancelled");
            self.send(HostFrame::Cancel { id });
        }
        Ok(())
    }

    /// Takes the end of a request from the worker.
    pub(super) fn end(&self, id: u64, outcome: Outcome) -> Result<(), Violation> {
        let live = self.lock().live.remove(&id).ok_or(Violation::UnknownRequest { id })?;
        if !matches!(outcome, Outcome::Done | Outcome::Cancelled | Outcome::Overloaded) {
            tracing::warn!(id, ?outcome, "a request ended badly");
        }
        if let Some(listener) = live.listener {
            let _ = listener.try_send(Message::End(outcome));
        }
        Ok(())
    }

    /// The worker is gone: every stream ends with an error, and none can begin.
    pub fn close(&self) {
        let mut requests = self.lock();
        requests.closed = true;
        requests.live.clear();
    }

    fn send(&self, frame: HostFrame) {
        // A closed channel means that the connection has ended, which ends every stream by itself.
        if let Err(TrySendError::Full(_)) = self.outgoing.try_send(frame) {
            self.stuck.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
