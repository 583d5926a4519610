//! Who may ask. Keys are known by their hashes; with none configured, everyone may.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::State;
use super::error::ApiError;
use super::routes::page;
use crate::config::{ApiKey, AuthConfig};
use crate::store::Owner;

/// Where Anthropic's clients put their key.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

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

    /// Whether the key of this request may change what the node serves.
    pub fn is_admin(&self, headers: &HeaderMap) -> bool {
        key(headers).and_then(|key| self.known(key)).is_some_and(|known| known.admin)
    }

    /// Whether the key of that name may change what the node serves.
    pub fn is_admin_name(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.admin && key.name == name)
    }

    /// Who asks; `None`: the request may not pass.
    fn admit(&self, path: &str, headers: &HeaderMap) -> Option<Owner> {
        if let Some(name) = key(headers).and_then(|key| self.name_of(key)) {
            return Some(Owner::of_key(name));
        }
        // There is no other way in than a key: clients that look for one must be told so.
        let open = matches!(path, "/health" | "/ready" | "/openapi.json")
            || page::is_page(path)
            || path.starts_with("/.well-known/")
            || (path == "/metrics" && self.metrics_public)
            || !self.has_keys();
        open.then(Owner::default)
    }

    fn name_of(&self, key: &[u8]) -> Option<&str> {
        self.known(key).map(|known| known.name.as_str())
    }

    /// Compares with every hash, so that the time taken does not tell which is near.
    fn known(&self, key: &[u8]) -> Option<&ApiKey> {
        let digest = Sha256::digest(key);
        let hex = digest.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        let same = |key: &ApiKey| bool::from(key.hash.as_bytes().ct_eq(hex.as_bytes()));
        self.keys.iter().fold(None, |found, key| if same(key) { Some(key) } else { found })
    }
}

/// Lets a request pass that needs no key or has one, and notes on it whose it is.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(owner) = state.auth.admit(request.uri().path(), request.headers()) {
        request.extensions_mut().insert(owner);
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

/// Whose a request is that has passed.
pub fn owner(request: &Request) -> Owner {
    request.extensions().get().cloned().unwrap_or_default()
}

fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(bearer);
    bearer.or_else(|| headers.get(X_API_KEY).map(HeaderValue::as_bytes))
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

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn bearing(value: &'static str) -> HeaderMap {
        headers(header::AUTHORIZATION, value)
    }

    #[test]
    fn without_the_key_only_the_states_are_open() {
        let wrong = ["Bearer wrong", "Bearer ", "secret", "Basic secret"].map(bearing);
        for given in wrong.into_iter().chain([HeaderMap::new(), headers(X_API_KEY, "wrong")]) {
            for path in ["/v1/models", "/metrics", "/nothing"] {
                assert_eq!(auth(false).admit(path, &given), None, "{path} {given:?}");
            }
            let nobody = Some(Owner::default());
            assert_eq!(auth(false).admit("/health", &given), nobody);
            assert_eq!(auth(false).admit("/ready", &given), nobody);
            assert_eq!(auth(true).admit("/metrics", &given), nobody);
        }
    }

    #[test]
    fn a_key_is_an_operators_only_if_the_config_says_so() {
        let mut auth = auth(false);
        assert!(!auth.is_admin(&bearing("bearer secret")) && !auth.is_admin(&HeaderMap::new()));
        auth.keys[0].admin = true;
        assert!(auth.is_admin(&bearing("bearer secret")));
        assert!(auth.is_admin(&headers(X_API_KEY, "secret")));
        assert!(!auth.is_admin(&bearing("bearer other")));
    }

    #[test]
    fn the_key_opens_and_tells_whose_it_is() {
        for given in [bearing("bearer secret"), headers(X_API_KEY, "secret")] {
            let owner = auth(false).admit("/v1/models", &given);
            assert_eq!(owner, Some(Owner::of_key("test")));
        }
    }

    #[test]
    fn no_keys_means_no_door() {
        let open = Auth::new(&AuthConfig::default(), false);
        for given in [HeaderMap::new(), bearing("Bearer any")] {
            assert_eq!(open.admit("/v1/models", &given), Some(Owner::default()));
        }
    }
}
