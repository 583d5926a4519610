//! Headers of a request, and what the heads of answers say.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use crate::error::Refusal;

/// Headers that belong to this crate: they decide what is sent and how it is resumed.
const OWN: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "if-range",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The longest wait that a server's `Retry-After` is believed for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The caller's headers, none of them in any log, and the wish for an answer as it is.
pub(crate) fn headers(given: &[(String, String)]) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in given {
        let (name, value) = header(name, value)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// One header whose value is kept out of logs.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Refusal> {
    let refused = |reason| Refusal::Header { name: name.into(), reason };
    if OWN.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(refused("it is written by the node itself"));
    }
    let name = HeaderName::try_from(name).map_err(|_| refused("its name is no header name"))?;
    let value = HeaderValue::try_from(value);
    let mut value = value.map_err(|_| refused("its value has characters that no header has"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The encoding of an answer, unless it is as it is.
pub(crate) fn encoding(response: &Response) -> Option<String> {
    let encoding = text(response, CONTENT_ENCODING)?;
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}

/// How long the server asks to wait; only seconds are understood, not dates.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = text(response, RETRY_AFTER)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// A header of an answer as text.
pub(crate) fn text(response: &Response, name: HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_would_break_the_request_are_refused() {
        for (name, value) in
            [("Range", "bytes=0-"), ("Host", "x"), ("a b", "x"), ("x", "a\r\nb: c"), ("", "x")]
        {
            let refused = matches!(header(name, value), Err(Refusal::Header { .. }));
            assert!(refused, "{name}");
        }
    }

    #[test]
    fn values_are_hidden_from_debug_output() {
        let given = [("authorization".to_owned(), "Bearer secret".to_owned())];
        let headers = headers(&given).expect("good headers");
        assert!(!format!("{headers:?}").contains("secret"));
    }
}
