//! The requests that this worker works on, by the host's id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaia_protocol::frame::WorkerFrame;
use gaia_protocol::{Outcome, PICTURES_MAX, Picture};
use gaia_runtime::{AppPool, Emit, EventSink, Input, RequestHandle};

use crate::socket::FrameWriter;
use crate::window::{Place, Window};

/// All live requests. Clones share them.
#[derive(Clone)]
pub struct Requests {
    live: Arc<Mutex<HashMap<u64, Live>>>,
    /// Pictures of the request that comes next.
    pictures: Arc<Mutex<Vec<(u64, Picture)>>>,
    writer: FrameWriter,
    window_events: u32,
}

struct Live {
    window: Arc<Window>,
    /// Absent for the moment between registering a request and submitting it.
    handle: Option<RequestHandle>,
}

impl Requests {
    /// None yet; each will have a window of `window_events`.
    pub fn new(writer: FrameWriter, window_events: u32) -> Self {
        Self { live: Arc::default(), pictures: Arc::default(), writer, window_events }
    }

    /// Keeps a picture for its request, which comes next: the host sends all of a request at once.
    pub fn keep(&self, id: u64, picture: Picture) {
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        pictures.retain(|(other, _)| *other == id);
        if pictures.len() < PICTURES_MAX {
            pictures.push((id, picture));
        } else {
            tracing::error!(id, "the host sends too many pictures; one is left out");
        }
    }

    fn take_pictures(&self, id: u64) -> Vec<Picture> {
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = pictures.drain(..).filter(|(other, _)| *other == id);
        taken.map(|(_, picture)| picture).collect()
    }

    /// Gives a request to the pool. Its events and its end go to the host by themselves.
    pub fn submit(&self, pool: &AppPool, id: u64, body: Vec<u8>) {
        let window = Arc::new(Window::new(self.window_events));
        let live = Live { window: Arc::clone(&window), handle: None };
        if self.lock().insert(id, live).is_some() {
            tracing::error!(id, "the host used a request id twice; the older request is lost");
        }
        let input = Input { body, pictures: self.take_pictures(id) };
        let sink = SocketSink { id, window, requests: self.clone() };
        let handle = pool.submit(input, Box::new(sink));
        // The request may have ended meanwhile, and with it its entry.
        if let Some(live) = self.lock().get_mut(&id) {
            live.handle = Some(handle);
        }
    }

    /// Cancels a request; one that has ended already is none of our business.
    pub fn cancel(&self, id: u64) {
        let mut requests = self.lock();
        let Some(live) = requests.get_mut(&id) else { return };
        live.window.close();
        let handle = live.handle.take();
        drop(requests);
        if let Some(handle) = handle {
            handle.cancel();
        }
    }

    /// Lets a request emit more.
    pub fn credit(&self, id: u64, events: u32) {
        if let Some(live) = self.lock().get(&id) {
            live.window.give(events);
        }
    }

    /// Says that a request ended without ever being submitted.
    pub fn refuse(&self, id: u64, outcome: Outcome) {
        drop(self.take_pictures(id));
        self.writer.send(&WorkerFrame::End { id, outcome });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one request's events to the host.
struct SocketSink {
    id: u64,
    window: Arc<Window>,
    requests: Requests,
}

impl EventSink for SocketSink {
    fn emit(&mut self, event: &[u8], wait: Duration) -> Emit {
        match self.window.take(wait) {
            Place::Taken => {}
            Place::Closed => return Emit::Stop,
            Place::NoneYet => return Emit::Full,
        }
        self.requests.writer.send(&WorkerFrame::Event { id: self.id, body: event.to_vec() });
        Emit::Continue
    }

    fn end(self: Box<Self>, outcome: Outcome) {
        self.requests.lock().remove(&self.id);
        self.requests.writer.send(&WorkerFrame::End { id: self.id, outcome });
    }
}
