//! The server's REST interface, which alone carries snapshots.

use std::path::Path;
use std::time::Duration;

use gaia_core::KnowledgeError;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Response, Url, redirect};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tonic::Code;

use super::ServerSettings;
use super::failure::{Failure, Secret};

/// The name of a snapshot that was sent, as long as the server keeps it.
pub(super) const UPLOADED: &str = "upload.snapshot";

/// Bytes of a refusal that are read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// A download that brings nothing for so long is given up.
const STALL: Duration = Duration::from_secs(60);

/// The REST interface of a server.
pub(super) struct Rest {
    client: reqwest::Client,
    base: Url,
    timeout: Duration,
    secret: Secret,
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
        let base =
            base.parse().map_err(|_| KnowledgeError::invalid("rest_url: this is no address"))?;
        let client = client(settings)?;
        let secret = Secret::new(settings.api_key.as_deref());
        Ok(Some(Self { client, base, timeout: settings.snapshot_timeout, secret }))
    }

    /// Brings a snapshot into a new file, all of it or an error.
    pub(super) async fn download(&self, from: Snapshot<'_>, to: &Path) -> Result<(), Failure> {
        let url = self.url(&["collections", from.collection, "snapshots", from.name])?;
        let request = self.client.get(url).timeout(self.timeout).send();
        let response = self.accepted(request.await.map_err(failure)?).await?;
        let written = write(response, &from, to).await?;
        if from.bytes != written.bytes {
            let what = format!("{} of {} bytes of the snapshot came", written.bytes, from.bytes);
            return Err(Failure::broken(&what));
        }
        if from.sha256.is_some_and(|sha256| !sha256.eq_ignore_ascii_case(&written.sha256)) {
            return Err(Failure::broken("the snapshot came with a wrong checksum"));
        }
        Ok(())
    }

    /// Sends a snapshot, from which the server makes a collection.
    pub(super) async fn upload(
        &self,
        collection: &str,
        from: tokio::fs::File,
    ) -> Result<(), Failure> {
        let mut url = self.url(&["collections", collection, "snapshots", "upload"])?;
        url.query_pairs_mut().append_pair("priority", "snapshot").append_pair("wait", "true");
        let bytes = from.metadata().await.map_err(io)?.len();
        let part = Part::stream_with_length(from, bytes).file_name(UPLOADED);
        let form = Form::new().part("snapshot", part);
        let request = self.client.post(url).multipart(form).timeout(self.timeout).send();
        self.accepted(request.await.map_err(failure)?).await.map(|_| ())
    }

    /// An answer that is no refusal.
    async fn accepted(&self, mut response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let mut body = vec![];
        while body.len() < REFUSAL_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        let code = match status.as_u16() {
            400 | 409 | 413 | 422 => Code::InvalidArgument,
            401 | 403 => Code::PermissionDenied,
            404 => Code::NotFound,
            429 => Code::ResourceExhausted,
            _ => Code::Unavailable,
        };
        let words = self.secret.hide(&words(&body));
        Err(Failure::new(code, &format!("{status}: {words}")))
    }

    fn url(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut();
        segments.map_err(|()| Failure::broken("rest_url"))?.clear().extend(path);
        Ok(url)
    }
}

fn client(settings: &ServerSettings) -> Result<reqwest::Client, KnowledgeError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &settings.api_key {
        let value = HeaderValue::from_str(key);
        let mut value = value.map_err(|_| KnowledgeError::invalid("api_key: this is no key"))?;
        value.set_sensitive(true);
        headers.insert("api-key", value);
    }
    // A redirect or a proxy would see the key.
    let builder = reqwest::Client::builder().default_headers(headers).no_proxy();
    let builder =
        builder.redirect(redirect::Policy::none()).connect_timeout(settings.connect_timeout);
    let failed = |error| KnowledgeError::unavailable(format!("TLS can't be set up: {error}"));
    builder.build().map_err(failed)
}

/// What was written.
struct Written {
    bytes: u64,
    sha256: String,
}

async fn write(mut from: Response, what: &Snapshot<'_>, to: &Path) -> Result<Written, Failure> {
    let mut file = tokio::fs::File::create_new(to).await.map_err(io)?;
    let (mut bytes, mut hash) = (0, Sha256::new());
    loop {
        let chunk = tokio::time::timeout(STALL, from.chunk()).await.map_err(|_| Failure::late())?;
        let Some(chunk) = chunk.map_err(failure)? else { break };
        bytes += chunk.len() as u64;
        if bytes > what.bytes {
            return Err(Failure::broken("the snapshot is larger than was said"));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(io)?;
    }
    file.sync_all().await.map_err(io)?;
    Ok(Written { bytes, sha256: format!("{:x}", hash.finalize()) })
}

/// The server's own words: `{"status": {"error": "…"}}`.
fn words(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    match json.pointer("/status/error").and_then(serde_json::Value::as_str) {
        Some(words) => words.to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    }
}

fn failure(error: reqwest::Error) -> Failure {
    let code = if error.is_timeout() { Code::DeadlineExceeded } else { Code::Unavailable };
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure::new(code, &message)
}

fn io(error: std::io::Error) -> Failure {
    Failure::new(Code::Internal, &format!("a file of the snapshot: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_the_servers_words() {
        assert_eq!(words(br#"{"status":{"error":"Wrong input"},"time":0.1}"#), "Wrong input");
        assert_eq!(words(b"plain text"), "plain text");
        assert_eq!(words(&[0xff]), "\u{fffd}");
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_address() {
        let settings = ServerSettings::new("http://h:6334");
        let rest = Rest::new(&settings).expect("good settings").expect("a known port");
        let url = rest.url(&["collections", "a/../b?c@1", "snapshots"]).expect("an address");
        assert_eq!(url.as_str(), "http://h:6333/collections/a%2F..%2Fb%3Fc@1/snapshots");
    }
}
