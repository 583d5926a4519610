//! Asks a node over HTTP: one request per connection, answers in JSON; files and events in [`transfer`].

mod events;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub use self::events::Events;
use crate::config::key_from_environment;

/// A node on this machine takes a connection at once; one elsewhere within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The list of all models is far smaller.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A longer file is no key.
const KEY_BYTES_MAX: u64 = 1024;

/// Which node to ask, and with which key.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// Where the node listens
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Environment variable that holds a key; what changes the node needs an admin's
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "key_file")]
    key_env: Option<String>,
    /// File that holds a key; what changes the node needs an admin's
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Connection {
    /// The client for it.
    ///
    /// # Errors
    /// A URL or a key that can be none.
    pub fn open(&self) -> Result<Client> {
        let key = match (&self.key_env, &self.key_file) {
            (Some(name), _) => Some(key_from_environment(name)?),
            (None, Some(file)) => Some(read_key(file)?),
            (None, None) => None,
        };
        Client::new(&self.url, key)
    }
}

fn read_key(file: &Path) -> Result<String> {
    let context = || format!("reading {}", file.display());
    let size = file.metadata().with_context(context)?.len();
    if size > KEY_BYTES_MAX {
        bail!("{} holds {size} bytes: a key has {KEY_BYTES_MAX} at most", file.display());
    }
    Ok(std::fs::read_to_string(file).with_context(context)?.trim().to_owned())
}

/// A text as one part of a URL.
#[must_use]
pub fn in_path(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                path.push(char::from(byte));
            }
            other => path += &format!("%{other:02X}"),
        }
    }
    path
}

/// A node, and the key for it.
pub struct Client {
    authority: String,
    key: Option<HeaderValue>,
}

impl Client {
    /// The node at `url`; `key` opens it.
    ///
    /// # Errors
    /// The URL is not of the form `http://host:port`, or the key can be none.
    pub fn new(url: &str, key: Option<String>) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("--url {url} is no URL"))?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") {
            bail!("--url {url}: write http://HOST:PORT; for TLS use a tunnel such as `ssh -L`");
        }
        let host = uri.host().with_context(|| format!("--url {url} names no host"))?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let key = key.map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .ok()
                .context("the key holds characters that no key has")?;
            value.set_sensitive(true);
            Ok::<_, anyhow::Error>(value)
        });
        Ok(Self { authority, key: key.transpose()? })
    }

    /// Asks and returns the answer's JSON.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a refusal: the message is the node's.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, path, "application/json");
        self.answer(request.body(Full::from(body)).context("making the request")?).await
    }

    /// Sends a file's bytes and returns the answer's JSON.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<Value> {
        let request = self.request("PUT", path, "application/octet-stream");
        self.answer(request.body(Full::from(bytes)).context("making the request")?).await
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Value> {
        let context = || format!("asking the node at http://{}", self.authority);
        let (status, body) = self.send(request).await.with_context(context)?;
        judge(status, &body)
    }

    /// The head of a request, with the key.
    pub fn request(&self, method: &str, path: &str, kind: &'static str) -> Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, kind);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        request
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.send_with(request, async |response| {
            let status = response.status();
            Ok((status, whole(response.into_body()).await?))
        })
        .await
    }

    /// Sends a request and gives the answer to `read` as it comes. Dropping the future ends the
    /// connection.
    ///
    /// # Errors
    /// Nobody answers; or as `read`.
    pub async fn send_with<T>(
        &self,
        request: Request<Full<Bytes>>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        let (mut sender, connection) = self.connect().await?;
        let answer = async move {
            let response = sender.send_request(request).await?;
            drop(sender);
            read(response).await
        };
        // The connection ends with its sender, once the answer has come; what breaks it is what the answer tells.
        let (answer, _) = futures_util::future::join(answer, connection).await;
        answer
    }

    async fn connect<B>(&self) -> Result<(http1::SendRequest<B>, http1::Connection<Stream, B>)>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let connect = TcpStream::connect(&self.authority);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
        let stream = stream.context("it takes no connection")?.context("is it running?")?;
        Ok(http1::handshake(TokioIo::new(stream)).await?)
    }
}

type Stream = TokioIo<TcpStream>;

/// An answer's JSON, or what it refuses.
fn judge(status: StatusCode, body: &[u8]) -> Result<Value> {
    let answer: Value = serde_json::from_slice(body)
        .with_context(|| format!("the answer ({status}) is not JSON: is this a Gaia node?"))?;
    if status.is_success() {
        return Ok(answer);
    }
    let message = answer["error"]["message"].as_str().unwrap_or("it gave no reason");
    bail!("the node refused ({status}): {message}")
}

/// A whole answer that is not large.
async fn whole(body: Incoming) -> Result<Bytes> {
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    Ok(body.map_err(|error| anyhow::anyhow!("its answer broke off: {error}"))?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_address_is_taken() {
        for url in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://h:1/v1", "http://"] {
            assert!(Client::new(url, None).is_err(), "{url}");
        }
        assert!(Client::new("http://h", Some("a\nb".into())).is_err());
        for (url, authority) in [
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:1/", "[::1]:1"),
            ("http://h", "h:80"),
        ] {
            assert_eq!(Client::new(url, None).expect(url).authority, authority);
        }
    }
}
