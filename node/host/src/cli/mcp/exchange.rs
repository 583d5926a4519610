//! One message to the node, and what comes back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::http::request::Builder;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::cli::client::{Client, Events};

/// Bytes of an answer that is no stream, and of one event of a stream.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The first revision without `initialize`: its requests say all by themselves.
const MODERN: &str = "2026-07-28";

/// A node, and what it said to the client's `initialize`.
pub struct Node {
    client: Client,
    greeting: Mutex<Greeting>,
}

#[derive(Clone, Default)]
struct Greeting {
    session: Option<String>,
    revision: Option<String>,
}

/// The lines to standard output for one message.
struct Answers<'a> {
    lines: &'a mpsc::Sender<String>,
    /// The request's id: someone waits for the answer.
    id: Option<Value>,
    is_answered: bool,
}

impl Node {
    /// A node that has not been asked.
    pub fn new(client: Client) -> Self {
        Self { client, greeting: Mutex::default() }
    }

    /// Sends a message and passes on what comes back. A request is answered whatever happens.
    pub async fn exchange(&self, message: Value, lines: &mpsc::Sender<String>) {
        let id = message.get("method").and_then(|_| message.get("id")).cloned();
        let mut answers = Answers { lines, id, is_answered: false };
        let sent = self.send(&message, &mut answers).await;
        let reason = match sent {
            Ok(()) if answers.is_answered || answers.id.is_none() => return,
            Ok(()) => "the node gave no answer".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        answers.fail(&reason).await;
    }

    async fn send(&self, message: &Value, answers: &mut Answers<'_>) -> Result<()> {
        let greeting = self.lock().clone();
        let request =
            headers(self.client.request("POST", "/mcp", "application/json"), message, &greeting);
        let request =
            request.body(Full::from(message.to_string())).context("making the request")?;
        let is_greeting = message["method"] == "initialize";
        self.client
            .send_with(request, async |response| {
                if is_greeting {
                    self.lock().session = text_header(&response, "mcp-session-id");
                }
                let answer = read(response, answers).await?;
                if let Some(answer) = answer.filter(|_| is_greeting) {
                    let revision = answer["result"]["protocolVersion"].as_str();
                    self.lock().revision = revision.map(str::to_owned);
                }
                Ok(())
            })
            .await
    }

    fn lock(&self) -> MutexGuard<'_, Greeting> {
        self.greeting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the revision of a message wants beside its body.
fn headers(mut request: Builder, message: &Value, greeting: &Greeting) -> Builder {
    request = request.header(ACCEPT, "application/json, text/event-stream");
    let params = &message["params"];
    let own = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let method = message["method"].as_str().unwrap_or_default();
    if let Some(revision) = own.or(greeting.revision.as_deref().filter(|_| method != "initialize"))
    {
        request = request.header("mcp-protocol-version", revision);
    }
    if let Some(session) = &greeting.session {
        request = request.header("mcp-session-id", session);
    }
    if own.is_some_and(|revision| revision >= MODERN) {
        request = request.header("mcp-method", value(method));
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
            _ => None,
        };
        if let Some(name) = name {
            request = request.header("mcp-name", value(name));
        }
    }
    request
}

/// A text as a header's value: what a header can't hold is wrapped as the protocol says.
fn value(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if is_plain && text.trim() == text && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(text))
}

fn text_header(response: &Response<Incoming>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Passes on what the node says; the last message.
async fn read(response: Response<Incoming>, answers: &mut Answers<'_>) -> Result<Option<Value>> {
    let status = response.status();
    let kind = text_header(&response, CONTENT_TYPE.as_str()).unwrap_or_default();
    if status.is_success() && kind.starts_with("text/event-stream") {
        return read_events(response.into_body(), answers).await;
    }
    let body = Limited::new(response.into_body(), MESSAGE_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
    match serde_json::from_slice::<Value>(&body) {
        Ok(message) if message.get("jsonrpc").is_some() => {
            answers.pass(&message).await;
            Ok(Some(message))
        }
        _ if status.is_success() => Ok(None),
        refusal => Err(refused(status, refusal.ok().as_ref(), &body)),
    }
}

/// The node's reason is in its own error object, or is all of the text.
fn refused(status: StatusCode, refusal: Option<&Value>, body: &Bytes) -> anyhow::Error {
    let message = refusal.and_then(|refusal| refusal["error"]["message"].as_str());
    let text = String::from_utf8_lossy(body);
    let reason: String = message.unwrap_or(text.trim()).chars().take(500).collect();
    anyhow::anyhow!("the node refused ({status}): {reason}")
}

async fn read_events(mut body: Incoming, answers: &mut Answers<'_>) -> Result<Option<Value>> {
    let (mut heard, mut last) = (Events::default(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the answer broke off")?;
        heard.take(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(event) = heard.next() {
            if let Some(message) = message_of(&event) {
                answers.pass(&message).await;
                last = Some(message);
            }
        }
        anyhow::ensure!(heard.waiting() <= MESSAGE_BYTES_MAX, "the answer is too large");
    }
    Ok(last)
}

/// The message of an event; others are there to keep the connection alive.
fn message_of(event: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(event).ok()?;
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let data = data.map(str::trim).collect::<Vec<_>>().join("\n");
    serde_json::from_str(&data).ok()
}

impl Answers<'_> {
    async fn pass(&mut self, message: &Value) {
        let is_answer = message.get("method").is_none();
        self.is_answered |= is_answer;
        // Who does not read any more has gone: the writer ends the command.
        let _ = self.lines.send(message.to_string()).await;
    }

    async fn fail(&mut self, reason: &str) {
        match self.id.take().filter(|_| !self.is_answered) {
            Some(id) => {
                let error = json!({"code": -32000, "message": reason});
                self.pass(&json!({"jsonrpc": "2.0", "id": id, "error": error})).await;
            }
            None => eprintln!("gaia-node: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(message: &Value, greeting: &Greeting) -> Vec<(String, String)> {
        let request = headers(hyper::Request::builder(), message, greeting);
        let request = request.body(()).expect("good headers");
        let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.to_string(), value.to_str().expect("a text").to_owned())
        };
        request.headers().iter().filter(|(name, _)| name.as_str() != "accept").map(pair).collect()
    }

    #[test]
    fn each_revision_gets_its_headers() {
        let greeting = Greeting { session: Some("s".into()), revision: Some("2025-06-18".into()) };
        let old = json!({"method": "tools/list", "id": 1});
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            sent(&old, &greeting),
            [pair("mcp-protocol-version", "2025-06-18"), pair("mcp-session-id", "s")]
        );
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let new = json!({
            "method": "resources/read", "id": 1, "params": {"uri": "log://é", "_meta": meta},
        });
        assert_eq!(
            sent(&new, &Greeting::default()),
            [
                pair("mcp-protocol-version", "2026-07-28"),
                pair("mcp-method", "resources/read"),
                pair("mcp-name", "=?base64?bG9nOi8vw6k=?="),
            ]
        );
    }

    #[test]
    fn only_messages_are_taken_from_events() {
        assert_eq!(message_of(b"data: {\"id\":1}\n\n"), Some(json!({"id": 1})));
        assert_eq!(
            message_of(b"event: message\nid: 3\ndata: {\"id\":\ndata: 1}\n\n"),
            Some(json!({"id": 1}))
        );
        for none in [&b":\n\n"[..], b"data:\n\n", b"id: 0\nretry: 3000\ndata:\n\n", b"\xff\n\n"] {
            assert_eq!(message_of(none), None);
        }
    }
}
