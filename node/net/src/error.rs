//! What can go wrong on the way to another server, named for what the caller can do about it.

use std::time::Duration;

/// A URL that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is no URL.
    #[error("the URL can't be read: {reason}; write it as https://host/path")]
    Malformed {
        /// What the parser found.
        reason: String,
    },
    /// Another scheme than those that are offered.
    #[error("{scheme}: URLs are not fetched; use https or http")]
    Scheme {
        /// The scheme as written.
        scheme: String,
    },
    /// A file of this machine, where only addresses of the internet are taken.
    #[error("files of this machine are not fetched here; give an https URL")]
    LocalFile,
    /// The host is, or resolves to, an address that is not on the public internet.
    #[error("{host} is a private or local address; only public hosts are fetched here")]
    PrivateAddress {
        /// The host as it stands in the URL.
        host: String,
    },
    /// More redirects than allowed; often a loop.
    #[error("{url} redirects more than {redirects_max} times; give the address it should lead to")]
    Redirects {
        /// Where the last redirect stood.
        url: String,
        /// How many are followed.
        redirects_max: u32,
    },
    /// A redirect from https to http, where anyone on the way could change what comes.
    #[error("{url} redirects from https to http; give an https address that stays so")]
    Downgrade {
        /// Where the redirect stood.
        url: String,
    },
    /// A redirect that names no address, or an answer to a request with a body that is redirected.
    #[error(
        "{url} answers with a redirect that can't be followed ({reason}); give the final address"
    )]
    BadRedirect {
        /// Where the redirect stood.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header that is no header, or one that this crate writes itself.
    #[error("the header {name} can't be sent: {reason}")]
    Header {
        /// The header's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The way to the server failed; a later try may succeed.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The HTTP client could not be made.
    #[error("the HTTP client can't start: {reason}")]
    Setup {
        /// What failed.
        reason: String,
    },
    /// No connection: name not found, refused, TLS failed.
    #[error("can't connect to {url}: {reason}; is the host running and the address right?")]
    Connect {
        /// Without credentials and query.
        url: String,
        /// What failed.
        reason: String,
    },
    /// Nothing came for a while.
    #[error("{url} sent nothing for {waited:?}; try again later")]
    Silent {
        /// Without credentials and query.
        url: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The connection ended in the middle of an answer, or what came is no HTTP.
    #[error("the connection to {url} broke: {reason}; try again")]
    Broken {
        /// Without credentials and query.
        url: String,
        /// What failed.
        reason: String,
    },
}

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The URL is not followed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The way to the server failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The whole call took longer than allowed.
    #[error("{url} did not answer within {timeout:?}; allow more time or try again")]
    Timeout {
        /// Without credentials and query.
        url: String,
        /// The call's limit.
        timeout: Duration,
    },
    /// The server answered with an error.
    #[error("{url} answered {status}: {excerpt}")]
    Status {
        /// Without credentials and query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said, without control characters and the call's key.
        excerpt: String,
        /// How long the server asks to wait before another try.
        retry_after: Option<Duration>,
    },
    /// The answer is larger than allowed.
    #[error("{url} answered more than {bytes_max} bytes; ask for less or allow more")]
    TooLarge {
        /// Without credentials and query.
        url: String,
        /// The call's limit.
        bytes_max: usize,
    },
    /// The answer is compressed although that was not asked for.
    #[error("{url} answered in the encoding {encoding}, which was not asked for")]
    Encoded {
        /// Without credentials and query.
        url: String,
        /// The content encoding.
        encoding: String,
    },
    /// The answer is not of the kind that was asked for.
    #[error("{url} answered something else than {expected}: {reason}; is it the right address?")]
    Unexpected {
        /// Without credentials and query.
        url: String,
        /// What was asked for.
        expected: &'static str,
        /// What came.
        reason: String,
    },
    /// The event stream is malformed or too large.
    #[error("the event stream of {url}: {source}")]
    Events {
        /// Without credentials and query.
        url: String,
        /// What is wrong with it.
        source: crate::SseError,
    },
    /// The file to upload can't be read.
    #[error("can't read {path} to upload it: {reason}")]
    File {
        /// The file.
        path: String,
        /// What failed.
        reason: String,
    },
}

/// What happened on the way to a response's head.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HopError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl From<HopError> for CallError {
    fn from(error: HopError) -> Self {
        match error {
            HopError::Refused(refusal) => Self::Refused(refusal),
            HopError::Transport(error) => Self::Transport(error),
        }
    }
}
