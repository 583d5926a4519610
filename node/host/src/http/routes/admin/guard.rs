//! Who may change what is loaded: the security policy of `/admin` on one screen.
//!
//! - Keys are configured: only one with `admin = true`.
//! - None is: whoever is on this machine, if the node listens on loopback alone. A page in a browser
//!   on this machine is not meant, whichever name it gives the node, nor is a proxy that speaks for
//!   others.
//! - Never a web page of another machine. The rules for browsers (CORS) allow nothing here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::State;
use crate::http::error::ApiError;

/// What proxies add.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// Lets an operator's request pass.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    match verdict(&state, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            let error = ApiError::new(StatusCode::FORBIDDEN, message);
            error.with_code("admin_only").into_response()
        }
    }
}

/// Whether this is an operator's request; if not, why.
pub fn verdict(state: &State, headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.get(header::ORIGIN).is_some_and(|origin| !is_local(origin.as_bytes())) {
        return Err("web pages may not manage this node's models");
    }
    if state.auth.has_keys() {
        let is_admin = state.auth.is_admin(headers);
        return is_admin.then_some(()).ok_or(
            "managing models takes a key with `admin = true` in [auth] of the node's config",
        );
    }
    if !state.listens_on_loopback {
        return Err("a node that other machines reach takes a key with `admin = true` for this");
    }
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err("through a proxy, managing models takes a key with `admin = true`");
    }
    let host = headers.get(header::HOST).map(|host| host.as_bytes());
    host.is_some_and(is_local_host)
        .then_some(())
        .ok_or("without keys, models are managed from this machine alone: call the node localhost")
}

fn is_local(origin: &[u8]) -> bool {
    let host = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    host.is_some_and(is_local_host)
}

/// `localhost` or a loopback address, with or without a port.
fn is_local_host(host: &[u8]) -> bool {
    let host = str::from_utf8(host).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for host in [
            "",
            "evil.org",
            "localhost.evil.org",
            "127.0.0.1.evil.org",
            "10.0.0.1:80",
            "[::2]",
            "x:",
        ] {
            assert!(!is_local_host(host.as_bytes()), "{host}");
            assert!(!is_local(format!("http://{host}").as_bytes()), "{host}");
        }
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.3.2.1:1", "[::1]", "[::1]:80"]
        {
            assert!(is_local_host(host.as_bytes()), "{host}");
            assert!(is_local(format!("https://{host}").as_bytes()), "{host}");
        }
        for origin in ["null", "file://", "localhost", "ftp://localhost"] {
            assert!(!is_local(origin.as_bytes()), "{origin}");
        }
    }
}
