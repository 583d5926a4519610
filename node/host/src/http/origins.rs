//! Which web pages may use a node that asks for no key. The policy is on this screen.
//!
//! A page that a person opens can send requests to this machine, and does its harm even where it can't
//! read the answers ([`super::cors`]). So without keys:
//!
//! - a request with an origin passes if `server.cors_origins` covers it, or if it comes from the node's
//!   own page;
//! - a node that listens to this machine alone is asked for by an address, or by a name that no stranger
//!   can make point here: one without a dot, one that is in no public directory, or one of
//!   `cors_origins`;
//! - with `"*"` in `cors_origins` nothing of this holds.
//!
//! With keys a page needs one, like everybody. `/admin` has a stricter policy of its own.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::State;
use super::error::ApiError;
use crate::asked::AskedName;
use crate::config::{ServerConfig, origin_covers};

/// Names below these are never in the public directory of names.
const PRIVATE: [&str; 3] = [".localhost", ".local", ".internal"];

/// The origins of the config, and the node's own where it is known.
pub fn known(config: &ServerConfig) -> Vec<String> {
    let own = config.public_url.as_deref().and_then(origin_of);
    config.cors_origins.iter().cloned().chain(own).collect()
}

/// Lets a request pass, or refuses it with the reason.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let is_open = !state.auth.has_keys() && !request.uri().path().starts_with("/admin/");
    let refused = is_open.then(|| refusal(&state, request.headers())).flatten();
    match refused {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(state: &State, headers: &HeaderMap) -> Option<ApiError> {
    let origins = &state.cors_origins;
    if origins.iter().any(|known| known == "*") {
        return None;
    }
    // A browser always names a host.
    let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    if state.listens_on_loopback && host.as_deref().is_some_and(|host| !knows_host(origins, host)) {
        return Some(unknown_host(&host.unwrap_or_default()));
    }
    let origin = headers.get(header::ORIGIN)?.as_bytes();
    let is_covered = origins.iter().any(|known| origin_covers(known, origin));
    let is_own = host.is_some_and(|host| is_page_of(&host, origin));
    (!is_covered && !is_own).then(|| unknown_origin(&String::from_utf8_lossy(origin)))
}

fn unknown_host(host: &str) -> ApiError {
    let message = format!(
        "this node asks for no key and does not answer to the name {host:?}: call it localhost, or \
         add \"https://{host}\" to server.cors_origins in its config"
    );
    ApiError::new(StatusCode::FORBIDDEN, message).with_code("unknown_host")
}

fn unknown_origin(origin: &str) -> ApiError {
    let message = format!(
        "pages of {origin:?} may not use this node, which asks for no key: add their origin to \
         server.cors_origins in its config"
    );
    ApiError::new(StatusCode::FORBIDDEN, message).with_code("unknown_origin")
}

fn knows_host(origins: &[String], host: &str) -> bool {
    let Some(asked) = AskedName::read(host) else { return false };
    let name = asked.as_str();
    let is_listed = |scheme: &str| {
        let origin = format!("{scheme}://{host}");
        origins.iter().any(|known| origin_covers(known, origin.as_bytes()))
    };
    asked.is_address()
        || !name.contains('.')
        || PRIVATE.iter().any(|private| name.ends_with(private))
        || is_listed("http")
        || is_listed("https")
}

/// Whether the origin is that of the host that is asked.
fn is_page_of(host: &str, origin: &[u8]) -> bool {
    let name = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(host.as_bytes()))
}

/// The origin of an address.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_stranger_can_own_are_not_known() {
        let origins = ["https://gaia.example.org", "http://proxy.example.org:*"].map(str::to_owned);
        for host in [
            "evil.org",
            "evil.org:8080",
            "localhost.evil.org",
            "127.0.0.1.evil.org",
            "gaia.example.org:1",
            "local.org",
            "",
            "a b",
        ] {
            assert!(!knows_host(&origins, host), "{host:?}");
        }
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.168.0.7",
            "box",
            "node.localhost",
            "Host.Docker.Internal:1",
            "gaia.example.org",
            "proxy.example.org:1",
        ] {
            assert!(knows_host(&origins, host), "{host:?}");
        }
    }

    #[test]
    fn only_its_own_page_has_its_host() {
        for origin in [&b"http://node:8080"[..], b"https://NODE:8080"] {
            assert!(is_page_of("node:8080", origin));
        }
        for origin in [&b"http://node:8081"[..], b"http://node", b"null", b"ftp://node:8080"] {
            assert!(!is_page_of("node:8080", origin));
        }
    }

    #[test]
    fn the_nodes_own_origin_is_known() {
        let public_url = Some("https://example.org:81/gaia".to_owned());
        let known = known(&ServerConfig { public_url, ..ServerConfig::default() });
        assert_eq!(known.last().map(String::as_str), Some("https://example.org:81"));
        assert!(!known.iter().any(|origin| origin == "*"));
    }
}
