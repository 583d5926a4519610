//! A plain HTTP/1.1 client on a bare socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::events::EventStream;

/// A read that takes longer means that the node hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Sends requests to one node, each on its own connection.
#[derive(Clone)]
pub struct Client {
    address: String,
    key: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: String,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// One header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What is sent, before the key and the lengths are added.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` and its like.
    pub method: &'a str,
    /// From the slash on.
    pub path: &'a str,
    /// Besides those that every request carries.
    pub headers: &'a [(&'a str, &'a str)],
    /// As it goes over the wire.
    pub body: &'a [u8],
}

impl Client {
    /// A client of the node at `address` (host:port).
    #[must_use]
    pub fn new(address: String) -> Self {
        Self { address, key: None }
    }

    /// The same, with an API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { address: self.address.clone(), key: Some(key.to_owned()) }
    }

    /// `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.send(&Request { method: "GET", path, headers: &[], body: b"" })
    }

    /// `POST` of JSON.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.send(&Request {
            method: "POST",
            path,
            headers: &[("content-type", "application/json")],
            body: body.to_string().as_bytes(),
        })
    }

    /// Any request, answered as a whole.
    ///
    /// # Panics
    /// The node does not answer in HTTP.
    #[must_use]
    pub fn send(&self, request: &Request) -> Response {
        let mut stream = self.connect();
        // A refusal may come, and the connection close, before the whole body is written.
        let written = stream.write_all(&self.bytes(request));
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader)
            .unwrap_or_else(|error| panic!("no answer: {error} (writing: {written:?})"));
        let chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let mut body = vec![];
        if chunked {
            while let Some(chunk) = read_chunk(&mut reader) {
                body.extend(chunk);
            }
        } else {
            reader.read_to_end(&mut body).expect("the body ends");
        }
        Response { status, headers, body: String::from_utf8(body).expect("the body is UTF-8") }
    }

    /// `POST` of JSON whose answer is read event by event. An answer that is no event stream is a
    /// refusal: `Err`.
    ///
    /// # Errors
    /// The whole answer, if its status is not 200.
    ///
    /// # Panics
    /// The node does not answer in HTTP.
    pub fn stream(&self, path: &str, body: &Value) -> Result<EventStream, Box<Response>> {
        let mut stream = self.connect();
        let body = body.to_string();
        let request = Request {
            method: "POST",
            path,
            headers: &[("content-type", "application/json")],
            body: body.as_bytes(),
        };
        stream.write_all(&self.bytes(&request)).expect("the node reads the request");
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader).expect("the node answers");
        if status == 200 {
            return Ok(EventStream::new(reader));
        }
        let mut body = String::new();
        reader.read_to_string(&mut body).expect("the body ends");
        Err(Box::new(Response { status, headers, body }))
    }

    /// A fresh connection.
    ///
    /// # Panics
    /// The node does not accept.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the node accepts");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a timeout above 0");
        stream
    }

    fn bytes(&self, request: &Request) -> Vec<u8> {
        let Request { method, path, headers, body } = *request;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(key) = &self.key {
            head += &format!("authorization: Bearer {key}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }
}

type Head = (u16, Vec<(String, String)>);

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Head> {
    let status_line = read_line(reader)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status =
        status.ok_or_else(|| std::io::Error::other(format!("no status: {status_line:?}")))?;
    let mut headers = vec![];
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { return Ok((status, headers)) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// One chunk of a chunked body; `None` at its end, or where the connection breaks.
pub(crate) fn read_chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let size = read_line(reader).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    (size > 0).then_some(chunk)
}

fn read_line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
