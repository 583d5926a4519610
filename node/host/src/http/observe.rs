//! One span, one request id and one count for every request, however it ends.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::State;
use super::guarded::Guarded;
use super::ids::new_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The status under which a request counts whose client went away before the answer: nginx's.
const CLIENT_GONE: u16 = 499;

/// Asked every few seconds by whoever watches the node: a "not yet" is an answer, not a failure.
const PROBES: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Wraps everything else.
pub async fn watch(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let request_id = request_id(request.headers());
    let route = request.extensions().get::<MatchedPath>();
    // A path that leads nowhere is no label: foreign words would fill the metrics.
    let route = route.map_or("other", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        request_id,
        method = %request.method(),
        route,
        status = Empty,
        model = Empty,
        prompt_tokens = Empty,
        cached_tokens = Empty,
        generated_tokens = Empty,
        ttft_ms = Empty,
    );
    let mut watched =
        Watched { state, route, span: span.clone(), started: Instant::now(), status: CLIENT_GONE };
    let mut response = next.run(request).instrument(span).await;
    watched.status = response.status().as_u16();
    let id = HeaderValue::from_str(&request_id).expect("letters, digits, - and _ alone");
    response.headers_mut().insert(REQUEST_ID, id);
    let last_act = |rest| {
        // The work behind the body tells the span what it took when it is dropped.
        drop(rest);
        drop(watched);
    };
    response.map(|body| Guarded::body(body, last_act))
}

/// The client's own id, if it is harmless, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(|| new_id("req-"), str::to_owned)
}

/// Counts and logs the request when it is dropped: after the last byte of the answer, or when the
/// client has gone.
struct Watched {
    state: Arc<State>,
    route: String,
    span: Span,
    started: Instant,
    status: u16,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        self.span.record("status", self.status);
        self.state.metrics.count_request(&self.route, self.status, elapsed);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if PROBES.contains(&self.route.as_str()) {
            tracing::debug!(parent: &self.span, elapsed_ms, "answered");
        } else if self.status >= 500 {
            tracing::warn!(parent: &self.span, elapsed_ms, "failed");
        } else {
            tracing::info!(parent: &self.span, elapsed_ms, "answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_ids_are_taken_over() {
        let with = |id: &str| {
            let value = HeaderValue::from_str(id).expect("a header");
            request_id(&HeaderMap::from_iter([(REQUEST_ID, value)]))
        };
        assert_eq!(with("a-Z_9"), "a-Z_9");
        for bad in ["", "a b", "a\"", &"a".repeat(65)] {
            assert!(with(bad).starts_with("req-"), "{bad}");
        }
    }
}
