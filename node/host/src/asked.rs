//! The name under which a request asks for this node.

use std::net::IpAddr;

use axum::http::uri::Authority;

/// The name in a `Host` header, without port and brackets, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedName(String);

impl AskedName {
    /// `None`: the header names no host.
    #[must_use]
    pub fn read(host: &str) -> Option<Self> {
        let authority = host.parse::<Authority>().ok()?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        Some(Self(name.to_ascii_lowercase()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an address, which no stranger can make point elsewhere.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.parse::<IpAddr>().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_without_what_is_around_it() {
        let read =
            |host: &str| AskedName::read(host).map(|name| (name.0.clone(), name.is_address()));
        assert_eq!(read("Node.Example.org:80"), Some(("node.example.org".into(), false)));
        assert_eq!(read("[::1]:80"), Some(("::1".into(), true)));
        assert_eq!(read("127.0.0.1"), Some(("127.0.0.1".into(), true)));
        for host in ["", "a b", "a/b"] {
            assert_eq!(read(host), None, "{host:?}");
        }
    }
}
