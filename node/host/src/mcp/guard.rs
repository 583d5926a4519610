//! Which requests are heard at all, beside the key. The policy is on this screen.
//!
//! A web page that a person opens can send requests to this machine. Its origin tells on it; and if it
//! made its own name point to this machine, the `Host` that it asks for does. An address is nobody's
//! name, so it needs no entry.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::asked::AskedName;
use crate::config::origin_covers;

/// Who may ask.
pub struct Guard {
    /// Names of this node beside `localhost`; `*` is every name.
    pub hosts: Vec<String>,
    /// Origins whose pages may call the node.
    pub origins: Vec<String>,
}

/// Lets a request pass, or answers 403 with the reason.
pub async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.guard.refusal(request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
        None => next.run(request).await,
    }
}

impl Guard {
    fn refusal(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        if !host.as_deref().is_some_and(|host| self.knows_host(host)) {
            let host = host.unwrap_or_default();
            return Some(format!(
                "this node does not answer to the name {host:?}: add it to mcp.allowed_hosts in its \
                 config, or ask for it by its address"
            ));
        }
        let origin = headers.get(header::ORIGIN)?;
        let is_known = self.origins.iter().any(|known| origin_covers(known, origin.as_bytes()));
        (!is_known).then(|| {
            format!(
                "pages of {:?} may not call this node: add it to server.cors_origins in its config",
                String::from_utf8_lossy(origin.as_bytes())
            )
        })
    }

    fn knows_host(&self, host: &str) -> bool {
        let Some(asked) = AskedName::read(host) else { return false };
        let name = asked.as_str();
        let is = |known: &String| {
            known == "*" || known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(host)
        };
        asked.is_address() || name == "localhost" || self.hosts.iter().any(is)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn refusal(host: &'static str, origin: Option<&'static str>) -> Option<String> {
        let guard = Guard {
            hosts: vec!["node.example.org".into(), "proxy:8443".into()],
            origins: vec!["http://localhost:*".into()],
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        let origin = origin.map(HeaderValue::from_static);
        origin.and_then(|origin| headers.insert(header::ORIGIN, origin));
        guard.refusal(&headers)
    }

    #[test]
    fn names_that_are_not_listed_are_refused() {
        for host in [
            "evil.org",
            "evil.org:8080",
            "localhost.evil.org",
            "proxy:1",
            "",
            "a b",
            "127.0.0.1.evil.org",
        ] {
            let reason = refusal(host, None).unwrap_or_else(|| panic!("{host:?} passes"));
            assert!(reason.contains("mcp.allowed_hosts"), "{reason}");
        }
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.168.0.7",
            "Node.Example.org:443",
            "proxy:8443",
        ] {
            assert_eq!(refusal(host, None), None, "{host}");
        }
        assert!(Guard { hosts: vec![], origins: vec![] }.refusal(&HeaderMap::new()).is_some());
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for origin in ["https://evil.org", "null", "http://localhost.evil.org", ""] {
            let reason = refusal("localhost", Some(origin)).unwrap_or_else(|| panic!("{origin}"));
            assert!(reason.contains("server.cors_origins"), "{reason}");
        }
        assert_eq!(refusal("localhost", Some("http://localhost:5173")), None);
    }
}
