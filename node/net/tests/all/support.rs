//! A small HTTP server whose answers a test writes itself, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// Where the asked range begins.
    pub fn range_start(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }
}

/// What a server does after its answer.
pub enum Then {
    /// Ends the connection.
    Close,
    /// Keeps it open and says nothing more, until the client goes.
    Hold,
    /// Repeats some bytes for as long as the client listens.
    Repeat(Vec<u8>),
}

/// An answer: its bytes as they go over the line, and what follows.
pub struct Reply(pub Vec<u8>, pub Then);

impl Reply {
    /// A whole answer with its length.
    pub fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let mut bytes = head(status, &format!("content-length: {length}\r\n{headers}"));
        bytes.extend_from_slice(body);
        Self(bytes, Then::Close)
    }

    pub fn redirect(to: &str) -> Self {
        Self::new("302 Found", &format!("location: {to}\r\n"), b"")
    }
}

/// The head of an answer; each header ends by CR LF.
pub fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which is told how many came before. Lives until the test ends.
    pub fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(vec![]));
        let (kept, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || {
                    let request = read(&stream)?;
                    let before = {
                        let mut kept = kept.lock().unwrap();
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    write(stream, answer(before, &request))
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let line = read_line(&mut reader)?;
    let mut headers = vec![];
    while let Some((name, value)) = read_line(&mut reader)?.split_once(':') {
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { line, headers, body: vec![] };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    Some(line.trim_end().to_owned())
}

fn write(mut stream: TcpStream, Reply(bytes, then): Reply) -> Option<()> {
    stream.write_all(&bytes).ok()?;
    match then {
        Then::Close => Some(()),
        Then::Hold => stream.read(&mut [0]).ok().map(|_| ()),
        Then::Repeat(bytes) => loop {
            stream.write_all(&bytes).ok()?;
        },
    }
}
