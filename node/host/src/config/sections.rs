//! The tables besides `[[models]]`: what each key means, its default and its limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::paths::Places;
use super::reader::Reader;

/// `[server]`: the address and the limits on what comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Serve beyond this machine although no key is asked for.
    pub allow_unauthenticated_remote: bool,
    /// Size of a request's body in bytes; a larger one is answered 413.
    pub body_bytes_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// Time a client has to send its headers.
    pub header_timeout_ms: u64,
    /// Time a client has to send its body.
    pub body_timeout_ms: u64,
    /// Requests in the node at once; one more is answered 429.
    pub requests_max: u32,
    /// Time an answer may take.
    pub request_timeout_ms: u64,
    /// Origins whose pages may call the node; `:*` at an origin's end is every port of it, `*` alone
    /// is every origin, an empty list is none.
    pub cors_origins: Vec<String>,
    /// Fields of requests to ignore where the node does not know or support them, instead of refusing
    /// the request; `*` is every one.
    pub ignore_fields: Vec<String>,
    /// Show `/metrics` without a key.
    pub metrics_public: bool,
    /// Where clients reach the node, for `/openapi.json`; without it, as each client calls it.
    pub public_url: Option<String>,
}

/// The pages of this machine itself: any other page that a person opens could use the node too.
const LOOPBACK: [&str; 3] = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            allow_unauthenticated_remote: false,
            body_bytes_max: 16 << 20,
            connections_max: 4096,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            requests_max: 256,
            request_timeout_ms: 600_000,
            cors_origins: LOOPBACK.map(str::to_owned).to_vec(),
            ignore_fields: vec![],
            metrics_public: false,
            public_url: None,
        }
    }
}

impl ServerConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            listen: table.value("listen", default.listen),
            allow_unauthenticated_remote: table.value("allow_unauthenticated_remote", false),
            // A task must fit a frame to the worker, whose limit is 64 MiB.
            body_bytes_max: table.within("body_bytes_max", default.body_bytes_max, 1024..=32 << 20),
            connections_max: table.within("connections_max", default.connections_max, 1..=65_536),
            header_timeout_ms: table.time("header_timeout_ms", default.header_timeout_ms),
            body_timeout_ms: table.time("body_timeout_ms", default.body_timeout_ms),
            requests_max: table.within("requests_max", default.requests_max, 1..=65_536),
            request_timeout_ms: table.time("request_timeout_ms", default.request_timeout_ms),
            cors_origins: table.value("cors_origins", default.cors_origins),
            ignore_fields: table.value("ignore_fields", default.ignore_fields),
            metrics_public: table.value("metrics_public", default.metrics_public),
            public_url: table.optional("public_url"),
        };
        for (index, origin) in read.cors_origins.iter().enumerate() {
            if !is_origin(origin) {
                let key = format!("cors_origins[{index}]");
                let right =
                    "\"https://example.org\", \"http://localhost:*\" for every port, or \"*\"";
                table.wrong(&key, &format!("write an origin such as {right}"));
            }
        }
        if read.public_url.as_ref().is_some_and(|url| !is_address(url)) {
            table.wrong("public_url", "write an address such as \"https://example.org/gaia\"");
        }
        table.finish();
        read
    }
}

/// An `http` address that paths can be put behind.
fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.ends_with('/') && rest.bytes().all(is_plain))
}

/// Programs that are made of web pages have schemes of their own, such as `app://obsidian.md`.
fn is_origin(origin: &str) -> bool {
    let is_scheme = |scheme: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !scheme.is_empty() && scheme.bytes().all(fits)
    };
    let is_host = |host: &str| {
        let host = host.strip_suffix(":*").unwrap_or(host);
        !host.is_empty() && !host.contains(['/', '*'])
    };
    let parts = origin.split_once("://");
    origin == "*" || parts.is_some_and(|(scheme, host)| is_scheme(scheme) && is_host(host))
}

/// Whether the known origin covers this one; one with `:*` covers any port of it or none, `*` alone
/// covers every origin.
#[must_use]
pub(crate) fn origin_covers(known: &str, origin: &[u8]) -> bool {
    if known == "*" {
        return true;
    }
    let Some(known) = known.strip_suffix(":*") else { return known.as_bytes() == origin };
    match origin.strip_prefix(known.as_bytes()) {
        Some([]) => true,
        Some([b':', port @ ..]) => !port.is_empty() && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// `[auth]`: who may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// The keys that open the door; with none, everyone may ask.
    pub keys: Vec<ApiKey>,
}

/// One key: known by its hash alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Whose it is, for the log.
    pub name: String,
    /// `sha256:` and 64 lower-case hexadecimal digits.
    pub hash: String,
    /// Whether it may load, unload and swap models.
    #[serde(default)]
    pub admin: bool,
}

impl AuthConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let keys: Vec<ApiKey> = table.value("keys", vec![]);
        for (index, key) in keys.iter().enumerate() {
            if !is_hash(&key.hash) {
                let key = format!("keys[{index}].hash");
                table.wrong(&key, "write the line that `gaia-node keys new` or `keys hash` prints");
            }
        }
        table.finish();
        Self { keys }
    }
}

fn is_hash(hash: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    hash.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(digit))
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object per line.
    Json,
}

/// `[log]`: what is said on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// What is said, such as `info` or `warn,gaia_host=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

impl LogConfig {
    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let format = table.value("format", default.format);
        let filter = table.value("filter", default.filter);
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
            table.wrong("filter", &format!("{error}: write \"info\" or \"warn,gaia_host=debug\""));
        }
        table.finish();
        Self { format, filter }
    }
}

/// `[worker]`: the processes that hold the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisionConfig {
    /// The program; `None`: `gaia-worker` beside this program.
    pub binary: Option<PathBuf>,
    /// Wait before the first restart.
    pub restart_delay_min: Duration,
    /// Longest wait before a restart; it doubles up to here.
    pub restart_delay_max: Duration,
    /// Time that running requests have to end when the node is asked to.
    pub drain_grace: Duration,
    /// A worker that says nothing for so long is ended and started again.
    pub hang_timeout: Duration,
}

impl Default for SupervisionConfig {
    fn default() -> Self {
        Self {
            binary: None,
            restart_delay_min: Duration::from_millis(500),
            restart_delay_max: Duration::from_secs(30),
            drain_grace: Duration::from_secs(30),
            hang_timeout: Duration::from_secs(60),
        }
    }
}

impl SupervisionConfig {
    pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Self {
        let default = Self::default();
        let binary: Option<PathBuf> = table.optional("binary");
        let mut time = |key: &str, default: Duration| {
            let default_ms = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
            Duration::from_millis(table.time(key, default_ms))
        };
        let read = Self {
            binary: binary.map(|path| places.resolve(&path)),
            restart_delay_min: time("restart_delay_ms_min", default.restart_delay_min),
            restart_delay_max: time("restart_delay_ms_max", default.restart_delay_max),
            drain_grace: time("drain_grace_ms", default.drain_grace),
            hang_timeout: time("hang_timeout_ms", default.hang_timeout),
        };
        if read.restart_delay_min > read.restart_delay_max {
            table.wrong("restart_delay_ms_min", "must not be above restart_delay_ms_max");
        }
        table.finish();
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for origin in
            ["*", "https://a", "http://localhost:*", "app://obsidian.md", "tauri://localhost"]
        {
            assert!(is_origin(origin), "{origin}");
        }
        for wrong in ["", "a", "null", "https://", "https://a/b", "https://*", "://a", "HTTPS ://a"]
        {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }

    #[test]
    fn any_port_is_not_any_host() {
        let known = "http://localhost:*";
        for foreign in [
            "http://localhost.evil.org",
            "http://localhost:80.evil.org",
            "http://localhost:",
            "http://localhost:80@evil.org",
            "https://localhost:80",
            "http://evil.org",
            "null",
        ] {
            assert!(!origin_covers(known, foreign.as_bytes()), "{foreign}");
        }
        assert!(!origin_covers("https://a", b"https://a:1"));
        for own in ["http://localhost", "http://localhost:5173"] {
            assert!(origin_covers(known, own.as_bytes()), "{own}");
        }
        assert!(origin_covers("*", b"null"));
    }
}
