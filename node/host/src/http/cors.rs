//! Which web pages may call the node from a browser.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::State;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, x-gaia-ignored");
/// Seconds a browser may remember the answer to a preflight.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Answers `OPTIONS` itself and tells the browser which origins may read the other answers.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    // No page may read or cause anything there.
    if request.uri().path().starts_with("/admin/") {
        return next.run(request).await;
    }
    let allowed = allowed(&state.cors_origins, request.headers());
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let is_options = request.method() == Method::OPTIONS;
    let mut response = if is_options { options() } else { next.run(request).await };
    let headers = response.headers_mut();
    if !state.cors_origins.iter().any(|origin| origin == "*") {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    let Some(origin) = allowed else { return response };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if is_options {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        // Whatever the page wants to send: nothing depends on a header but the key.
        wanted.and_then(|wanted| headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted));
    }
    response
}

fn options() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

fn allowed(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if origins.iter().any(|known| known == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|known| covers(known, origin.as_bytes())).then(|| origin.clone())
}

/// Whether the known origin is this one; one with `:*` is this one with any port or none.
fn covers(known: &str, origin: &[u8]) -> bool {
    let Some(known) = known.strip_suffix(":*") else { return known.as_bytes() == origin };
    match origin.strip_prefix(known.as_bytes()) {
        Some([]) => true,
        Some([b':', port @ ..]) => !port.is_empty() && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_is_not_any_host() {
        let known = "http://localhost:*";
        for foreign in [
            "http://localhost.evil.org",
            "http://localhost:80.evil.org",
            "http://localhost:",
            "http://localhost:80@evil.org",
            "https://localhost:80",
            "http://evil.org",
            "null",
        ] {
            assert!(!covers(known, foreign.as_bytes()), "{foreign}");
        }
        assert!(!covers("https://a", b"https://a:1"));
        for own in ["http://localhost", "http://localhost:5173"] {
            assert!(covers(known, own.as_bytes()), "{own}");
        }
    }
}
