//! Where a Qdrant server is and how long it may take.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gaia_core::KnowledgeError;
use tonic::transport::Uri;

use super::Bm25For;
use super::words::as_embedded;
use crate::SnapshotLimits;

/// Qdrant's ports: gRPC, and REST beside it.
const GRPC_PORT: u16 = 6334;
const REST_PORT: u16 = 6333;

/// How to reach a Qdrant server. Its debug text leaves the API key out.
#[derive(Clone)]
pub struct ServerSettings {
    /// Where it speaks gRPC, such as `https://qdrant.example:6334`; `https` means TLS, with the
    /// certificates that the system trusts.
    pub url: String,
    /// Where it speaks REST, which snapshots need; without it, port 6333 if `url` has port 6334.
    pub rest_url: Option<String>,
    /// Its API key, sent with every request.
    pub api_key: Option<String>,
    /// The vector to use in collections that have several named ones.
    pub vector_name: Option<String>,
    /// A connection is made within this time.
    pub connect_timeout: Duration,
    /// A search or another question is answered within this time; it is asked up to three times.
    pub timeout: Duration,
    /// Points are written, and collections made and deleted, within this time.
    pub write_timeout: Duration,
    /// A snapshot is made, sent or taken over within this time.
    pub snapshot_timeout: Duration,
    /// How large a compressed snapshot may be when it is unpacked, which the server does not do.
    pub snapshot_limits: SnapshotLimits,
    /// The folder where that happens, which must exist; without one, beside the snapshot.
    pub scratch: Option<PathBuf>,
    /// Requests at a time; more are answered as overloaded.
    pub requests_max: usize,
    /// How texts are searched by words, as in the embedded engine unless it is set; with `None`
    /// collections are made without keywords.
    pub bm25: Option<Bm25For>,
}

impl ServerSettings {
    /// A server at this address, with the usual limits.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            rest_url: None,
            api_key: None,
            vector_name: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            snapshot_timeout: Duration::from_secs(3600),
            snapshot_limits: SnapshotLimits { bytes_max: 256 << 30 },
            scratch: None,
            requests_max: 256,
            bm25: Some(as_embedded()),
        }
    }

    /// The address for gRPC.
    pub(super) fn grpc(&self) -> Result<Uri, KnowledgeError> {
        let uri = parse("url", &self.url)?;
        if self.api_key.is_some() && uri.scheme_str() == Some("http") && !is_local(&uri) {
            tracing::warn!(
                host = uri.host(),
                "the API key of Qdrant is sent without encryption: use https"
            );
        }
        Ok(uri)
    }

    /// The address for REST, if it is known.
    pub(super) fn rest(&self) -> Result<Option<String>, KnowledgeError> {
        if let Some(url) = &self.rest_url {
            return parse("rest_url", url).map(|uri| Some(uri.to_string()));
        }
        let uri = parse("url", &self.url)?;
        let host = uri.host().unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default();
        let known = uri.port_u16() == Some(GRPC_PORT);
        Ok(known.then(|| format!("{scheme}://{host}:{REST_PORT}/")))
    }
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &mut f.debug_struct("ServerSettings");
        settings.field("url", &self.url).field("rest_url", &self.rest_url);
        settings.field("api_key", &self.api_key.as_ref().map(|_| "…"));
        settings.field("vector_name", &self.vector_name).field("timeout", &self.timeout);
        settings.finish_non_exhaustive()
    }
}

/// The address as it may be shown is the address itself: one with a password in it is refused.
fn parse(key: &str, url: &str) -> Result<Uri, KnowledgeError> {
    let wrong = |what: &str| {
        let example = "give one such as `https://qdrant.example:6334`";
        Err(KnowledgeError::invalid(format!("{key}: {what}: {example}")))
    };
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("this is no address");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("the address must begin with http:// or https://");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return wrong("no user and no password may stand in it; the key goes into `api_key`");
    }
    if uri.path() != "/" || uri.query().is_some() {
        return wrong("nothing may follow the port");
    }
    Ok(uri)
}

fn is_local(uri: &Uri) -> bool {
    matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mean_nothing_are_refused() {
        for url in
            ["", "qdrant", "ftp://h:1", "http://u:p@h:6334", "http://h:1/path", "http://h/?a=b"]
        {
            let refused = ServerSettings::new(url).grpc();
            let message = refused.expect_err(url).to_string();
            assert!(message.contains("https://"), "{message}");
            assert!(!message.contains("u:p"), "{message}");
        }
    }

    #[test]
    fn rest_stands_beside_grpc() {
        let rest = |url: &str| ServerSettings::new(url).rest().expect("an address");
        assert_eq!(rest("https://h:6334").as_deref(), Some("https://h:6333/"));
        assert_eq!(rest("http://[::1]:6334").as_deref(), Some("http://[::1]:6333/"));
        assert_eq!(rest("https://h:443"), None);
        let named = ServerSettings {
            rest_url: Some("http://other:80".into()),
            ..ServerSettings::new("http://h:6334")
        };
        assert_eq!(named.rest().expect("an address").as_deref(), Some("http://other:80/"));
    }

    #[test]
    fn the_key_is_never_shown() {
        let settings = ServerSettings {
            api_key: Some("secret".into()),
            ..ServerSettings::new("http://h:6334")
        };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
