//! Calls that send and receive JSON, send a file, or receive events.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;

use crate::address::PrivateAddresses;
use crate::error::{CallError, HopError, Refusal, TransportError};
use crate::events::{EventLimits, Events};
use crate::headers::{encoding, header, headers, retry_after, text};
use crate::http::{Get, Http, Settings, failed};
use crate::target::{remote, shown};

/// How much of a server's error message is shown.
const EXCERPT_BYTES_MAX: usize = 2048;

/// A header's value that is shorter is no secret: hiding "1" would hide every number.
const SECRET_BYTES_MIN: usize = 4;

/// How a client connects.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Whether URLs may lead to this machine and its private networks.
    pub private_addresses: PrivateAddresses,
    /// How many redirects a GET follows; other methods follow none.
    pub redirects_max: u32,
}

impl Default for ClientOptions {
    /// Ten seconds to connect, any address, five redirects.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            private_addresses: PrivateAddresses::Allow,
            redirects_max: 5,
        }
    }
}

/// The key that a call comes with. Its debug form does not show it.
#[derive(Clone, Default)]
pub enum Auth {
    /// No key.
    #[default]
    None,
    /// `Authorization: Bearer …`, as OpenAI-compatible servers take it.
    Bearer(String),
    /// `api-key: …`, as Qdrant takes it.
    ApiKey(String),
    /// `Authorization: Basic …`, as Elasticsearch takes it.
    Basic {
        /// The user's name; it holds no colon.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(hidden)",
            Self::ApiKey(_) => "ApiKey(hidden)",
            Self::Basic { .. } => "Basic(hidden)",
        })
    }
}

impl Auth {
    fn secret(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Bearer(key) | Self::ApiKey(key) | Self::Basic { password: key, .. } => {
                Some(key).filter(|key| !key.is_empty())
            }
        }
        .map(String::as_str)
    }

    fn add_to(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let (name, value) = match self {
            Self::None => return Ok(()),
            Self::Bearer(key) => header("authorization", &format!("Bearer {key}"))?,
            Self::ApiKey(key) => header("api-key", key)?,
            Self::Basic { user, password } => {
                let login = BASE64_STANDARD.encode(format!("{user}:{password}"));
                header("authorization", &format!("Basic {login}"))?
            }
        };
        headers.insert(name, value);
        Ok(())
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads; the one method that follows redirects.
    Get,
    /// Asks or creates.
    Post,
    /// Sets.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// One call: where to, what to say, and for how long and how much to wait.
#[derive(Clone)]
pub struct Call {
    /// What to do.
    pub method: Method,
    /// An http or https URL.
    pub url: String,
    /// The JSON to send, if any; a GET sends none.
    pub body: Option<Value>,
    /// Whether the body, a list, is sent as lines of JSON.
    pub is_lines: bool,
    /// The key to send.
    pub auth: Auth,
    /// More headers, names and values; no value is ever shown.
    pub headers: Vec<(String, String)>,
    /// Time for the whole call; of an event stream, for its head.
    pub timeout: Duration,
    /// The largest answer that is read; an event stream has limits of its own.
    pub bytes_max: usize,
}

impl Call {
    /// A call without a body and key, of 30 seconds and 16 MiB.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let (url, auth, timeout) = (url.into(), Auth::None, Duration::from_secs(30));
        let (body, is_lines, headers) = (None, false, vec![]);
        Self { method, url, body, is_lines, auth, headers, timeout, bytes_max: 16 << 20 }
    }

    /// Whether it can be made as it is: its URL is one, and its headers can be sent.
    ///
    /// # Errors
    /// What would be refused.
    pub fn check(&self) -> Result<(), Refusal> {
        remote(&self.url, PrivateAddresses::Allow)?;
        self.headers().map(drop)
    }

    /// The beginning of what the server said, fit for a log: one line of at most 2 KiB, without the
    /// key and the values of the call's headers, which some servers repeat.
    #[must_use]
    pub fn excerpt(&self, said: &[u8]) -> String {
        let values = self.headers.iter().map(|(_, value)| value.as_str());
        let values = values.filter(|value| value.len() >= SECRET_BYTES_MIN);
        let secrets: Vec<_> = self.auth.secret().into_iter().chain(values).collect();
        excerpt(said, &secrets)
    }

    fn headers(&self) -> Result<HeaderMap, Refusal> {
        let mut headers = headers(&self.headers)?;
        self.auth.add_to(&mut headers)?;
        Ok(headers)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("url", &Url::parse(&self.url).map(|url| shown(&url)).ok())
            .field("auth", &self.auth)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A file to send as a form (multipart/form-data). It is streamed from the disk.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The file; a regular one.
    pub file: PathBuf,
    /// The form's field, as `snapshot` for Qdrant.
    pub field: String,
    /// The name that the server is told.
    pub file_name: String,
}

/// Makes calls over kept connections; cheap to share by reference.
pub struct Client {
    http: Http,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(options: ClientOptions) -> Result<Self, TransportError> {
        let ClientOptions { connect_timeout, private_addresses, redirects_max } = options;
        let http = Http::new(Settings { connect_timeout, private_addresses, redirects_max })?;
        Ok(Self { http })
    }

    /// Makes a call and reads the JSON of its answer; an empty answer is null.
    ///
    /// # Errors
    /// The URL is refused, the server can't be reached in time, it answers with a status that is no
    /// success, more than allowed, or no JSON.
    pub async fn json(&self, call: &Call) -> Result<Value, CallError> {
        within(call, async {
            let (url, response) = self.send(call).await?;
            read_json(call, &url, response).await
        })
        .await
    }

    /// Sends a file as a form and reads the JSON of the answer. The call's own body is not sent.
    ///
    /// # Errors
    /// As [`json`](Self::json); or the file is no readable regular file.
    pub async fn upload(&self, call: &Call, upload: &Upload) -> Result<Value, CallError> {
        within(call, async {
            let form = Form::new().part(upload.field.clone(), part_of(upload).await?);
            let (url, request) = self.request(call)?;
            let response = direct(&url, request.multipart(form)).await?;
            read_json(call, &url, response).await
        })
        .await
    }

    /// Makes a call whose answer is a stream of events.
    ///
    /// # Errors
    /// As [`json`](Self::json), or the answer is no event stream.
    pub async fn events(&self, call: &Call, limits: EventLimits) -> Result<Events, CallError> {
        within(call, async {
            let (url, response) = self.send(call).await?;
            let response = successful(call, &url, response).await?;
            let kind = text(&response, CONTENT_TYPE).unwrap_or_default();
            if !kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream") {
                return Err(unexpected(&url, "an event stream", kind));
            }
            Ok(Events::new(url, response, limits))
        })
        .await
    }

    async fn send(&self, call: &Call) -> Result<(Url, Response), CallError> {
        if call.method == Method::Get {
            let url = remote(&call.url, self.http.settings.private_addresses)?;
            let get = Get { url, headers: call.headers()?, head_timeout: call.timeout };
            let response = self.http.get(get).await?;
            return Ok((response.url().clone(), response));
        }
        let (url, request) = self.request(call)?;
        let request = match &call.body {
            Some(Value::Array(lines)) if call.is_lines => {
                let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
                request.header(CONTENT_TYPE, "application/x-ndjson").body(lines)
            }
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        };
        let response = direct(&url, request).await?;
        Ok((url, response))
    }

    fn request(&self, call: &Call) -> Result<(Url, RequestBuilder), Refusal> {
        let url = remote(&call.url, self.http.settings.private_addresses)?;
        let request = self.http.client.request(call.method.into(), url.clone());
        Ok((url, request.headers(call.headers()?)))
    }
}

/// Ends a call that takes too long; what it had open is dropped.
async fn within<T>(
    call: &Call,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(call.timeout, work).await {
        Ok(result) => result,
        Err(_) => {
            let url = Url::parse(&call.url).map(|url| shown(&url)).unwrap_or_default();
            Err(CallError::Timeout { url, timeout: call.timeout })
        }
    }
}

/// Sends a request that must not be sent twice: it follows no redirect.
async fn direct(url: &Url, request: RequestBuilder) -> Result<Response, HopError> {
    let response = request.send().await.map_err(|error| failed(url, error))?;
    if response.status().is_redirection() {
        let reason = "only a GET is sent on".into();
        return Err(Refusal::BadRedirect { url: shown(url), reason }.into());
    }
    Ok(response)
}

async fn part_of(upload: &Upload) -> Result<Part, CallError> {
    let failed =
        |reason: String| CallError::File { path: upload.file.display().to_string(), reason };
    // Asked before opening: opening a pipe waits for its other end.
    let kind = tokio::fs::metadata(&upload.file).await;
    if !kind.map_err(|error| failed(error.to_string()))?.is_file() {
        return Err(failed("it is no regular file".into()));
    }
    let part = Part::file(&upload.file).await.map_err(|error| failed(error.to_string()))?;
    Ok(part.file_name(upload.file_name.clone()))
}

async fn read_json(call: &Call, url: &Url, response: Response) -> Result<Value, CallError> {
    let response = successful(call, url, response).await?;
    let body = read(url, response, call.bytes_max).await?;
    if body.len() > call.bytes_max {
        return Err(CallError::TooLarge { url: shown(url), bytes_max: call.bytes_max });
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|error| unexpected(url, "JSON", error.to_string()))
}

/// An answer with a success status and no compression.
async fn successful(call: &Call, url: &Url, response: Response) -> Result<Response, CallError> {
    let encoding = encoding(&response);
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let body = match encoding {
            // More than is shown, so that no half of a key stands at the end.
            None => read(url, response, 2 * EXCERPT_BYTES_MAX).await.unwrap_or_default(),
            Some(_) => vec![],
        };
        let excerpt = call.excerpt(&body);
        return Err(CallError::Status { url: shown(url), status, excerpt, retry_after });
    }
    match encoding {
        None => Ok(response),
        Some(encoding) => Err(CallError::Encoded { url: shown(url), encoding }),
    }
}

/// The body up to one piece above the limit; the caller judges its length.
async fn read(url: &Url, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, HopError> {
    let mut body = vec![];
    while let Some(piece) = response.chunk().await.map_err(|error| failed(url, error))? {
        body.extend_from_slice(&piece);
        if body.len() > bytes_max {
            break;
        }
    }
    Ok(body)
}

fn unexpected(url: &Url, expected: &'static str, reason: String) -> CallError {
    CallError::Unexpected { url: shown(url), expected, reason }
}

/// The beginning of an error message without what must not be shown.
pub(crate) fn excerpt(body: &[u8], secrets: &[&str]) -> String {
    let mut body = String::from_utf8_lossy(body).into_owned();
    for secret in secrets {
        body = body.replace(secret, "[key]");
    }
    let end = body.floor_char_boundary(EXCERPT_BYTES_MAX);
    let line = body[..end].replace(char::is_control, " ");
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "(no message)".into() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_without_the_key() {
        let text = excerpt(b"bad\r\nkey \x1b[31msk-1\xff", &["sk-1"]);
        assert_eq!(text, "bad key [31m[key]\u{fffd}");
        assert_eq!(excerpt(b" \n", &[]), "(no message)");
        assert!(excerpt(&[b'x'; 9000], &[]).len() == EXCERPT_BYTES_MAX);
    }

    #[test]
    fn keys_are_not_shown() {
        let mut call = Call::new(Method::Get, "http://a/");
        call.auth = Auth::Bearer("secret".into());
        assert!(!format!("{call:?}").contains("secret"));
        call.auth = Auth::ApiKey("secret".into());
        call.headers = vec![("x-key".into(), "secret".into())];
        assert!(!format!("{call:?}").contains("secret"));
        assert_eq!(call.excerpt(b"your secret is wrong"), "your [key] is wrong");
    }
}
