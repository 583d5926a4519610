//! Which web pages may call the node from a browser.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::State;
use crate::config::origin_covers;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, x-gaia-ignored, mcp-session-id");
/// Seconds a browser may remember the answer to a preflight.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Answers a browser that asks first, and tells the browser which origins may read the other answers.
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
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first { no_content() } else { next.run(request).await };
    let headers = response.headers_mut();
    if !state.cors_origins.iter().any(|origin| origin == "*") {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    let Some(origin) = allowed else { return response };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if asks_first {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        // Whatever the page wants to send: nothing depends on a header but the key.
        wanted.and_then(|wanted| headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted));
    }
    response
}

fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn allowed(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if origins.iter().any(|known| known == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|known| origin_covers(known, origin.as_bytes())).then(|| origin.clone())
}
