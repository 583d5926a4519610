//! The server's REST interface, which alone carries snapshots.

use std::path::Path;
use std::time::Duration;

use gaia_core::KnowledgeError;
use gaia_net::{
    Auth, Call, CallError, Client, ClientOptions, DownloadError, Method, Options, Retry, Upload,
};
use tonic::Code;

use super::ServerSettings;
use super::failure::{Failure, NO_SPACE};

/// The name of a snapshot that was sent, as long as the server keeps it.
pub(super) const UPLOADED: &str = "upload.snapshot";

/// A download is tried so often.
const ATTEMPTS_MAX: u32 = 3;

/// The REST interface of a server.
pub(super) struct Rest {
    client: Client,
    /// Ends with a slash.
    base: String,
    key: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
}

/// A snapshot on the server.
pub(super) struct Snapshot<'a> {
    /// The collection's own name.
    pub collection: &'a str,
    /// The snapshot's.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits, if the server says.
    pub sha256: Option<&'a str>,
}

impl Rest {
    /// The interface, if its address is known.
    pub(super) fn new(settings: &ServerSettings) -> Result<Option<Self>, KnowledgeError> {
        let Some(base) = settings.rest()? else { return Ok(None) };
        let connect_timeout = settings.connect_timeout;
        // A redirect would see the key.
        let options = ClientOptions { connect_timeout, redirects_max: 0, ..Default::default() };
        let client = Client::new(options).map_err(KnowledgeError::unavailable)?;
        let (key, timeout) = (settings.api_key.clone(), settings.snapshot_timeout);
        Ok(Some(Self { client, base, key, timeout, connect_timeout }))
    }

    /// Brings a snapshot into a new file, all of it or an error.
    pub(super) async fn download(&self, from: Snapshot<'_>, to: &Path) -> Result<(), Failure> {
        let url = self.url(&["collections", from.collection, "snapshots", from.name])?;
        let sha256 = from.sha256.map(sha256).transpose()?;
        let key = self.key.iter().map(|key| ("api-key".to_owned(), key.clone()));
        let options = Options {
            sha256,
            connect_timeout: self.connect_timeout,
            retry: Retry { attempts_max: ATTEMPTS_MAX, ..Retry::default() },
            redirects_max: 0,
            headers: key.collect(),
            ..Options::new(from.bytes)
        };
        let download = gaia_net::download(&url, to, options);
        let done = tokio::time::timeout(self.timeout, download).await;
        let bytes = done.map_err(|_| Failure::late())?.map_err(downloading)?.bytes;
        if bytes == from.bytes {
            return Ok(());
        }
        let bytes_wanted = from.bytes;
        Err(Failure::broken(&format!("{bytes} of {bytes_wanted} bytes of the snapshot came")))
    }

    /// Sends a snapshot, from which the server makes a collection.
    pub(super) async fn upload(&self, collection: &str, from: &Path) -> Result<(), Failure> {
        let url = self.url(&["collections", collection, "snapshots", "upload"])?;
        let url = format!("{url}?priority=snapshot&wait=true");
        let auth = self.key.clone().map_or(Auth::None, Auth::ApiKey);
        let call = Call { auth, timeout: self.timeout, ..Call::new(Method::Post, url) };
        let (file, field, file_name) = (from.to_owned(), "snapshot".into(), UPLOADED.into());
        let upload = Upload { file, field, file_name };
        self.client.upload(&call, &upload).await.map(|_| ()).map_err(calling)
    }

    /// An address; no name can leave its place in it.
    fn url(&self, path: &[&str]) -> Result<String, Failure> {
        if path.iter().any(|name| matches!(*name, "" | "." | "..")) {
            return Err(Failure::broken("a name is no name"));
        }
        let path: Vec<_> = path.iter().map(|name| encode(name)).collect();
        Ok(format!("{}{}", self.base, path.join("/")))
    }
}

/// A name as a part of an address.
fn encode(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' | b'@' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

fn sha256(hex: &str) -> Result<[u8; 32], Failure> {
    let digits = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |place: usize| u8::from_str_radix(&hex[2 * place..2 * place + 2], 16);
    let bytes = digits.then(|| (0..32).map(byte).collect::<Result<Vec<_>, _>>());
    let bytes = bytes.and_then(Result::ok).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Failure::broken("the snapshot's checksum is none"))
}

fn calling(error: CallError) -> Failure {
    match error {
        CallError::Status { status, excerpt, .. } => refused(status, &excerpt),
        CallError::Timeout { .. } => Failure::late(),
        CallError::Transport(error) => Failure::new(Code::Unavailable, &error.to_string()),
        error => Failure::new(Code::Internal, &error.to_string()),
    }
}

fn downloading(error: DownloadError) -> Failure {
    match error {
        DownloadError::Status { status, excerpt, .. } => refused(status, &excerpt),
        DownloadError::Transport(error) => Failure::new(Code::Unavailable, &error.to_string()),
        DownloadError::WrongHash { .. } => {
            Failure::broken("the snapshot came with a wrong checksum")
        }
        DownloadError::NoRoom { .. } => {
            Failure::new(Code::Internal, &format!("{NO_SPACE} here: {error}"))
        }
        error => Failure::new(Code::Internal, &error.to_string()),
    }
}

/// What the server refuses, in its own words.
fn refused(status: u16, body: &str) -> Failure {
    let code = match status {
        400 | 409 | 413 | 422 => Code::InvalidArgument,
        401 | 403 => Code::PermissionDenied,
        404 => Code::NotFound,
        429 => Code::ResourceExhausted,
        507 => return Failure::new(Code::Internal, &format!("{NO_SPACE}: {}", words(body))),
        _ => Code::Unavailable,
    };
    Failure::new(code, &format!("{status}: {}", words(body)))
}

/// The server's own words: `{"status": {"error": "…"}}`.
fn words(body: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
    let words = json.pointer("/status/error").and_then(serde_json::Value::as_str);
    words.unwrap_or(body).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_the_servers_words() {
        assert_eq!(words(r#"{"status":{"error":"Wrong input"},"time":0.1}"#), "Wrong input");
        assert_eq!(words("plain text"), "plain text");
        assert_eq!(words(r#"{"status":{"err"#), r#"{"status":{"err"#);
        assert_eq!(KnowledgeError::from(refused(507, "quota")), KnowledgeError::DiskFull);
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_address() {
        let settings = ServerSettings::new("http://h:6334");
        let rest = Rest::new(&settings).expect("good settings").expect("a known port");
        let url = rest.url(&["collections", "a/../b?c@1 ä", "snapshots"]).expect("an address");
        assert_eq!(url, "http://h:6333/collections/a%2F..%2Fb%3Fc@1%20%C3%A4/snapshots");
        for name in ["", ".", ".."] {
            assert!(rest.url(&["collections", name]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn checksums_that_are_none_are_refused() {
        for hex in ["", "ab", &"g".repeat(64), &"ä".repeat(32), &"+1".repeat(32)] {
            assert!(sha256(hex).is_err(), "{hex}");
        }
        assert_eq!(sha256(&"fF".repeat(32)).expect("a checksum"), [0xff; 32]);
    }
}
