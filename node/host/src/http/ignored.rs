//! Fields that the operator lets pass unheeded, and the header that says so.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::State;

const IGNORED: HeaderName = HeaderName::from_static("x-gaia-ignored");

/// Names in the header; further ones are ignored all the same.
const NAMES_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 64;

/// Which fields may be ignored, and which were in this request. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    allowed: Arc<[String]>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Ignored {
    /// None yet; these are allowed, `*` is every one.
    pub fn new(allowed: &Arc<[String]>) -> Self {
        Self { allowed: Arc::clone(allowed), seen: Arc::default() }
    }

    /// Whether this field may be ignored; then it is noted. `param` is where it stands.
    pub fn covers(&self, name: &str, param: &str) -> bool {
        let allowed = self.allowed.iter().any(|allowed| allowed == "*" || allowed == name);
        if allowed {
            self.note(plain(param));
        }
        allowed
    }

    /// What was ignored so far.
    #[cfg(test)]
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, param: String) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < NAMES_MAX && !seen.contains(&param) {
            seen.push(param);
        }
    }

    fn header(&self) -> Option<HeaderValue> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let value = HeaderValue::from_str(&seen.join(", ")).expect("plain names alone");
        (!seen.is_empty()).then_some(value)
    }
}

/// A name as it may stand in a header: a client's words are not ours to repeat there.
fn plain(param: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    param.chars().take(NAME_BYTES_MAX).map(|c| if is_plain(c) { c } else { '?' }).collect()
}

/// Lists in the answer's header what its request's route ignored.
pub async fn tell(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    mut request: Request,
    next: Next,
) -> Response {
    let ignored = Ignored::new(&state.ignore_fields);
    request.extensions_mut().insert(ignored.clone());
    let mut response = next.run(request).await;
    ignored.header().and_then(|names| response.headers_mut().insert(IGNORED, names));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_never_break_the_header() {
        let ignored = Ignored::new(&vec!["*".to_owned()].into());
        assert_eq!(ignored.header(), None);
        for name in ["a", "a", "b\r\nset-cookie: c", &"c".repeat(99)] {
            assert!(ignored.covers(name, name));
        }
        let long = "c".repeat(64);
        assert_eq!(ignored.header().expect("names"), &format!("a, b??set-cookie??c, {long}"));
        (0..99).for_each(|n| assert!(ignored.covers("n", &format!("n{n}"))));
        let header = ignored.header().expect("names");
        assert_eq!(header.to_str().expect("plain").split(", ").count(), NAMES_MAX);
    }
}
