//! `GET /metrics`, for Prometheus.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::Shared;
use crate::compile::Offer;
use crate::http::openapi::{Operation, Schema, Tag};

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The route.
pub fn operation() -> Operation {
    Operation::get("/metrics", "metrics")
        .tag(Tag::Node)
        .says("The node's numbers, for Prometheus.")
        .answers_in("text/plain", Schema::text())
}

/// All numbers.
pub async fn get(axum::extract::State(state): Shared) -> Response {
    let mut text = state.metrics.text(&state.node).await;
    if let Offer::Open(service) = &state.compile {
        service.write_metrics(&mut text);
    }
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}
