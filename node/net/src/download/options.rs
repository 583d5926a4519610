//! What a caller decides about a download.

use std::path::PathBuf;
use std::time::Duration;

use crate::address::PrivateAddresses;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have come, those of earlier tries included. Falls when the file has changed.
    pub bytes: u64,
    /// The size of the whole, where the server told it.
    pub bytes_total: Option<u64>,
}

/// How often and when a failed try is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries in a row that brought nothing (less than 1 MiB).
    pub attempts_max: u32,
    /// The wait after the first failure; it doubles with each.
    pub delay_first: Duration,
    /// The longest wait, also when the server asks for more by `Retry-After`.
    pub delay_max: Duration,
}

impl Default for Retry {
    /// Five tries within about fifteen seconds; a wait of at most a minute.
    fn default() -> Self {
        Self {
            attempts_max: 5,
            delay_first: Duration::from_secs(1),
            delay_max: Duration::from_secs(60),
        }
    }
}

/// What a download may do and must yield.
pub struct Options {
    /// The SHA-256 that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// The largest file.
    pub bytes_max: u64,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a server may send nothing.
    pub idle_timeout: Duration,
    /// Repeating what failed.
    pub retry: Retry,
    /// How many redirects are followed.
    pub redirects_max: u32,
    /// Whether the URL may lead to this machine, its files and its private networks.
    pub private_addresses: PrivateAddresses,
    /// The name beside which what has come is kept until it is whole, on the same disk, if not the
    /// file's own: downloads of one URL to different files go on where any of them stopped.
    pub part_of: Option<PathBuf>,
    /// Headers to send, a key say. They don't follow a redirect to another server.
    pub headers: Vec<(String, String)>,
    /// Told for each piece that comes; must return at once.
    pub progress: Option<Box<dyn FnMut(Progress) + Send + Sync>>,
}

impl Options {
    /// At most so many bytes, from anywhere, ten seconds to connect, a minute of silence, ten
    /// redirects, nothing verified.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            sha256: None,
            bytes_max,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            retry: Retry::default(),
            redirects_max: 10,
            private_addresses: PrivateAddresses::Allow,
            part_of: None,
            headers: vec![],
            progress: None,
        }
    }

    /// A server's message without the values of the headers, which some servers repeat.
    pub(super) fn without_secrets(&self, message: String) -> String {
        let values = self.headers.iter().map(|(_, value)| value.as_str());
        let keys = values.flat_map(str::split_whitespace).filter(|word| word.len() >= 8);
        keys.fold(message, |message, key| message.replace(key, "[key]"))
    }

    pub(super) fn report(&mut self, progress: Progress) {
        if let Some(callback) = &mut self.progress {
            callback(progress);
        }
    }
}
