//! A body that tells when it is let go.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

/// A body and what is done with its rest when it is dropped: after its last byte, or before because
/// nobody wants more.
pub struct Guarded<F: FnOnce(Body)> {
    body: Body,
    /// Taken by drop alone.
    last_act: Option<F>,
}

impl<F: FnOnce(Body) + Send + Unpin + 'static> Guarded<F> {
    /// `body`, with `last_act` at its end.
    pub fn body(body: Body, last_act: F) -> Body {
        Body::new(Self { body, last_act: Some(last_act) })
    }
}

impl<F: FnOnce(Body) + Unpin> HttpBody for Guarded<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(Body)> Drop for Guarded<F> {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut self.body);
        if let Some(last_act) = self.last_act.take() {
            last_act(rest);
        }
    }
}
