//! The stream of one request's events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use gaia_core::ServeError;
use gaia_protocol::{Event, Picture};
use tokio::sync::mpsc::Receiver;

use super::script;
use super::session::{Message, Session};
use super::uses::Lease;

/// Parses events as the client takes them and gives the worker credit for them. Dropping it before
/// its end cancels the request.
pub struct Answer {
    session: Arc<Session>,
    id: u64,
    messages: Receiver<Message>,
    /// Events taken since the last credit, and how many make the next one.
    taken: u32,
    credit_events: u32,
    state: State,
    lease: Option<Lease>,
    /// What the worker was shown.
    _pictures: Vec<Picture>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// More is to come.
    Open,
    /// The last event was seen.
    Answered,
    /// It ended with an error.
    Failed,
}

impl Answer {
    /// The events of request `id`.
    #[must_use]
    pub fn new(session: Arc<Session>, id: u64, messages: Receiver<Message>) -> Self {
        // The channel holds a window and the end.
        let window_events = u32::try_from(messages.max_capacity() - 1).unwrap_or(u32::MAX);
        let credit_events = (window_events / 2).max(1);
        Self {
            session,
            id,
            messages,
            taken: 0,
            credit_events,
            state: State::Open,
            lease: None,
            _pictures: vec![],
        }
    }

    /// The same, with a hold on its worker that ends with it.
    #[must_use]
    pub fn holding(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// The same, with the pictures that its worker was shown.
    #[must_use]
    pub fn showing(self, pictures: Vec<Picture>) -> Self {
        let mut answer = self;
        answer._pictures = pictures;
        answer
    }

    fn take(&mut self, message: Option<Message>) -> Option<Result<Event, ServeError>> {
        let body = match message {
            Some(Message::Event(body)) => body,
            Some(Message::End(outcome)) => {
                self.state = State::Failed;
                return script::end(outcome).map(Err);
            }
            None => {
                self.state = State::Failed;
                return Some(Err(ServeError::WorkerStopped));
            }
        };
        self.give_credit();
        let event = script::event(&body);
        self.state = match &event {
            Ok(Event::Finish { .. }) => State::Answered,
            Ok(_) => State::Open,
            Err(_) => State::Failed,
        };
        Some(event)
    }

    /// In batches: a frame for every token would double the traffic.
    fn give_credit(&mut self) {
        self.taken += 1;
        if self.taken == self.credit_events {
            self.session.credit(self.id, self.taken);
            self.taken = 0;
        }
    }
}

impl Stream for Answer {
    type Item = Result<Event, ServeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state != State::Open {
            return Poll::Ready(None);
        }
        let message = ready!(self.messages.poll_recv(context));
        Poll::Ready(self.take(message))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.session.leave(self.id, self.state == State::Answered);
        // The worker may end as soon as it has heard that.
        drop(self.lease.take());
    }
}
