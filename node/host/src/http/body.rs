//! Reads a request's JSON body within its limits, and what a refused request leaves unread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::State;
use super::error::ApiError;
use super::fields::Fields;
use super::guarded::Guarded;
use super::ignored::Ignored;

/// A client that is still writing does not read the refusal, and closing on it would make its
/// system throw the refusal away. So its body is read to the end and dropped, up to this size.
const DRAIN_BYTES_MAX: usize = 1 << 30;

/// Reads a JSON object.
pub async fn read_fields(state: &State, request: Request) -> Result<Fields, ApiError> {
    check_type(request.headers())?;
    let ignored = request.extensions().get::<Ignored>().cloned().unwrap_or_default();
    let body = request.into_body();
    if body.size_hint().lower() > state.body_bytes_max as u64 {
        return Err(too_large(state.body_bytes_max));
    }
    Ok(Fields::parse(&read(body, state).await?)?.ignoring(ignored))
}

fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = "content-type must be application/json";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

async fn read(mut body: Body, state: &State) -> Result<Vec<u8>, ApiError> {
    let deadline = Instant::now() + state.body_timeout;
    let mut bytes = Vec::new();
    loop {
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| too_slow(state))?;
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
        })?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > state.body_bytes_max {
            return Err(too_large(state.body_bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is larger than this node's limit of {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_code("body_too_large")
}

fn too_slow(state: &State) -> ApiError {
    let message = format!("the body took longer than {} ms", state.body_timeout.as_millis());
    ApiError::new(StatusCode::REQUEST_TIMEOUT, message).with_code("body_timeout")
}

/// Reads what the routes left unread before the answer goes out.
pub async fn drain(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    // A client that asked whether to go on hears "no" and sends nothing.
    if request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let rest = Rest::default();
    let request = request.map(|body| Guarded::body(body, give_back(&rest)));
    let response = next.run(request).await;
    // Who was too slow once is not waited for twice.
    if response.status() != StatusCode::REQUEST_TIMEOUT {
        let unread = rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop_slowly(unread, state.body_timeout).await;
    }
    response
}

/// What is unread when the route lets go of it.
fn give_back(rest: &Rest) -> impl FnOnce(Body) + Send + Unpin + 'static {
    let rest = Arc::clone(rest);
    move |body| {
        if !body.is_end_stream() {
            *rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

async fn drop_slowly(unread: Option<Body>, patience: Duration) {
    let Some(mut body) = unread else { return };
    let deadline = Instant::now() + patience;
    let mut bytes = 0;
    while bytes < DRAIN_BYTES_MAX {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else { return };
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
}

type Rest = Arc<Mutex<Option<Body>>>;
