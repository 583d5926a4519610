//! `GET /metrics`, for Prometheus.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::Shared;

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// All numbers.
pub async fn get(axum::extract::State(state): Shared) -> Response {
    let mut response = Response::new(state.metrics.text(&state.node).await.into());
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}
