//! The requests on one connection to one worker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaia_core::ServeError;
use gaia_protocol::frame::{HostFrame, PAYLOAD_BYTES_MAX};
use gaia_protocol::{AppConfig, Outcome, WorkerConfig};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};

use super::connection::Violation;

/// A request that ended for the client may take a moment to end in the worker, which holds the
/// exact limit; this one bounds the host's memory.
const LIVE_PER_INSTANCE: usize = 2;

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
    /// Unbounded, yet small: per live request one request frame, a few credits that the worker has
    /// not read, one cancel and two pings; and the number of live requests is limited.
    outgoing: UnboundedSender<HostFrame>,
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
    pub fn new(app: &AppConfig) -> (Self, UnboundedReceiver<HostFrame>) {
        let (outgoing, frames) = unbounded_channel();
        let limits = Limits {
            live: app.instances_max as usize * LIVE_PER_INSTANCE,
            window_events: app.window_events,
            event_bytes: app.event_bytes_max as usize,
        };
        (Self { limits, requests: Mutex::default(), outgoing }, frames)
    }

    /// Sends a request's JSON to the worker.
    ///
    /// # Errors
    /// It does not fit a frame, too many are live, or the worker has just stopped.
    pub fn submit(&self, body: Vec<u8>) -> Result<(u64, Receiver<Message>), ServeError> {
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
            self.ping();
        }
    }

    /// Tells the worker what to load: the first frame.
    pub fn start(&self, config: WorkerConfig) {
        self.send(HostFrame::Start(Box::new(config)));
    }

    /// Asks the worker for its numbers.
    pub fn ping(&self) {
        self.send(HostFrame::Stats);
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
        // Numbers that a client reads right after its first token must know of its request.
        if live.unread == 0 {
            self.ping();
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
        self.ping();
        Ok(())
    }

    /// The worker is gone: every stream ends with an error, and none can begin.
    pub fn close(&self) {
        let mut requests = self.lock();
        requests.closed = true;
        requests.live.clear();
    }

    /// Fails only where the connection has ended, which ends every stream by itself.
    fn send(&self, frame: HostFrame) {
        let _ = self.outgoing.send(frame);
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
