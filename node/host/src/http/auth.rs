//! Who may ask. Keys are known by their hashes; with none configured, everyone may.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::State;
use super::error::ApiError;
use crate::config::{ApiKey, AuthConfig};

/// The keys, and what needs none.
pub struct Auth {
    keys: Vec<ApiKey>,
    metrics_public: bool,
}

impl Auth {
    /// Asks for the keys of `config`.
    pub fn new(config: &AuthConfig, metrics_public: bool) -> Self {
        Self { keys: config.keys.clone(), metrics_public }
    }

    /// Whether anyone needs a key.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether this key may change what the node serves.
    pub fn is_admin(&self, authorization: Option<&HeaderValue>) -> bool {
        authorization.and_then(bearer).is_some_and(|key| self.knows(key, |known| known.admin))
    }

    fn allows(&self, path: &str, authorization: Option<&HeaderValue>) -> bool {
        let open = matches!(path, "/health" | "/ready")
            || (path == "/metrics" && self.metrics_public)
            || !self.has_keys();
        open || authorization.and_then(bearer).is_some_and(|key| self.knows(key, |_| true))
    }

    /// Compares with every hash that counts, so that the time taken does not tell which is near.
    fn knows(&self, key: &[u8], counts: fn(&ApiKey) -> bool) -> bool {
        let digest = Sha256::digest(key);
        let hex = digest.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        let same = |known: &ApiKey| known.hash.as_bytes().ct_eq(hex.as_bytes());
        let known = self.keys.iter().filter(|known| counts(known));
        known.fold(Choice::from(0), |found, known| found | same(known)).into()
    }
}

/// Lets a request pass that needs no key or has one.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    if state.auth.allows(request.uri().path(), authorization) {
        return next.run(request).await;
    }
    let message =
        "this node asks for an API key: send `Authorization: Bearer KEY` with a valid one";
    let error = ApiError::new(StatusCode::UNAUTHORIZED, message).with_code("invalid_api_key");
    let mut response = error.into_response();
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, key) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of `secret`.
    const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn auth(metrics_public: bool) -> Auth {
        let key = ApiKey { name: "test".into(), hash: HASH.into(), admin: false };
        Auth::new(&AuthConfig { keys: vec![key] }, metrics_public)
    }

    #[test]
    fn without_the_key_only_the_states_are_open() {
        for given in
            [None, Some("Bearer wrong"), Some("Bearer "), Some("secret"), Some("Basic secret")]
        {
            let header = given.map(HeaderValue::from_static);
            for path in ["/v1/models", "/metrics", "/nothing"] {
                assert!(!auth(false).allows(path, header.as_ref()), "{path} {given:?}");
            }
            assert!(auth(false).allows("/health", header.as_ref()));
            assert!(auth(false).allows("/ready", header.as_ref()));
            assert!(auth(true).allows("/metrics", header.as_ref()));
        }
    }

    #[test]
    fn a_key_is_an_operators_only_if_the_config_says_so() {
        let header = HeaderValue::from_static("bearer secret");
        let mut auth = auth(false);
        assert!(!auth.is_admin(Some(&header)) && !auth.is_admin(None));
        auth.keys[0].admin = true;
        assert!(auth.is_admin(Some(&header)));
        assert!(!auth.is_admin(Some(&HeaderValue::from_static("bearer other"))));
    }

    #[test]
    fn the_key_opens_and_no_keys_means_no_door() {
        let header = HeaderValue::from_static("bearer secret");
        assert!(auth(false).allows("/v1/models", Some(&header)));
        assert!(Auth::new(&AuthConfig::default(), false).allows("/v1/models", None));
    }
}
