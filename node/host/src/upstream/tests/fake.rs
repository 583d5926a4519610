//! A server whose answers a test writes itself, byte by byte. It is stricter than a real one: a request
//! that is no request of OpenAI's API fails the test.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    /// In lower case.
    pub head: String,
    pub body: Value,
}

/// An answer, and whether the connection then stays open.
pub struct Reply {
    bytes: Vec<u8>,
    holds: bool,
}

pub struct Fake {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Connections that the client ended while they were held.
    left: watch::Receiver<usize>,
    _serving: JoinSet<()>,
}

impl Reply {
    pub fn new(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        Self { bytes: head.into_bytes(), holds: false }
    }

    pub fn json(body: &Value) -> Self {
        Self::new("200 OK", "content-type: application/json\r\n", &body.to_string())
    }

    /// A stream of these bytes; its end is the connection's.
    pub fn stream(events: &[u8]) -> Self {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        Self { bytes: [head.as_bytes(), events].concat(), holds: false }
    }

    /// A stream of chunks as they should be, with its mark at the end.
    pub fn chunks(chunks: &[Value]) -> Self {
        let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        Self::stream(format!("{events}data: [DONE]\n\n").as_bytes())
    }

    /// The same, but the connection stays open in silence until the client ends it.
    pub fn held(self) -> Self {
        Self { holds: true, ..self }
    }

    /// Nothing at all.
    pub fn none() -> Self {
        Self { bytes: vec![], holds: false }
    }
}

impl Fake {
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(vec![]));
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        let (leaving, left) = watch::channel(0);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                let leaving = leaving.clone();
                connections.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(asked) = read(&mut stream).await {
                        kept.lock().expect("no test panics here").push(asked.clone());
                        let Reply { bytes, holds } = answer(&asked);
                        let is_last = bytes.is_empty() || !has_length(&bytes);
                        write(stream.get_mut(), &bytes).await;
                        if holds {
                            let _ = stream.read(&mut [0]).await;
                            leaving.send_modify(|count| *count += 1);
                        }
                        if holds || is_last {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, asked, left, _serving: serving }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }

    /// Waits until so many held connections were ended.
    pub async fn left(&self, count: usize) {
        self.left.clone().wait_for(|left| *left >= count).await.expect("the server lives");
    }
}

fn has_length(bytes: &[u8]) -> bool {
    bytes.windows(15).any(|window| window == b"content-length:")
}

/// In two pieces that cut whatever stands in the middle.
async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let (one, other) = bytes.split_at(bytes.len() / 2);
    for piece in [one, other] {
        // A client that has heard enough goes away.
        let _ = stream.write_all(piece).await;
        let _ = stream.flush().await;
        tokio::task::yield_now().await;
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let body =
        if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    let has_kind = body.is_null() || head.contains("content-type: application/json");
    assert!(has_kind && head.contains("accept-encoding: identity"), "{head}");
    Some(Asked { line, head, body })
}
