//! `/mcp`: streamable HTTP, every revision of it, without sessions.
//!
//! rmcp serves each request by itself, so nothing is lost when the node restarts, and nothing is held
//! for clients that have gone. `initialize` hands out a session's name all the same: see `running`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::running::CallKey;
use super::server::Server;
use crate::ids::new_id;
use crate::store::Owner;

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// A longer name is none of ours.
const SESSION_ID_BYTES_MAX: usize = 64;

/// Proxies give a silent connection up after half a minute or a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The route.
pub fn router(shared: &Arc<Shared>) -> Router {
    // The guard has looked at host and origin already, for both ways in.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_legacy_session_mode(false)
        .with_sse_keep_alive(Some(KEEP_ALIVE))
        .with_sse_retry(None)
        .with_max_request_body_bytes(shared.body_bytes_max);
    let factory = {
        let shared = Arc::clone(shared);
        move || Ok(Server::new(Arc::clone(&shared), Owner::default()))
    };
    let service =
        StreamableHttpService::new(factory, Arc::new(NeverSessionManager::default()), config);
    Router::new().route_service("/mcp", service).layer(from_fn_with_state(Arc::clone(shared), read))
}

/// What is looked at in a message before rmcp takes it.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    method: String,
    #[serde(default)]
    params: Value,
}

/// Reads a message within its limits, takes back what a client does not want any more, and gives a
/// client that begins a session's name.
async fn read(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let bytes = match body_of(&shared, body).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let message = serde_json::from_slice::<Message>(&bytes).ok();
    let method = message.as_ref().map_or("", |message| message.method.as_str());
    if let ("notifications/cancelled", Some(message)) = (method, &message) {
        take_back(&shared, &parts, &message.params);
    }
    let is_beginning = method == "initialize";
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if is_beginning && response.status().is_success() {
        let name = HeaderValue::from_str(&new_id("mcp-")).expect("letters, digits and - alone");
        response.headers_mut().insert(SESSION_ID, name);
    }
    response
}

/// A whole body, or the answer to one that is too large or too slow.
pub async fn body_of(shared: &Shared, body: Body) -> Result<Bytes, Response> {
    let limit = shared.body_bytes_max;
    match tokio::time::timeout(shared.body_timeout, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message = format!("the message broke off, or is larger than {limit} bytes");
            Err((StatusCode::PAYLOAD_TOO_LARGE, message).into_response())
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the message came too slowly").into_response()),
    }
}

fn take_back(shared: &Shared, parts: &Parts, params: &Value) {
    let owner = parts.extensions.get::<Owner>().cloned().unwrap_or_default();
    let id = match &params["requestId"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return,
    };
    if let Some(session) = session(&parts.headers) {
        shared.running.take_back(&(owner, session, id));
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let name = headers.get(SESSION_ID)?.to_str().ok()?;
    (name.len() <= SESSION_ID_BYTES_MAX).then(|| name.to_owned())
}

/// By what a call that came over `/mcp` can be taken back; other ways in have their own.
pub fn call_key(owner: &Owner, context: &RequestContext<RoleServer>) -> Option<CallKey> {
    let parts = context.extensions.get::<Parts>()?;
    Some((owner.clone(), session(&parts.headers)?, context.id.to_string()))
}
