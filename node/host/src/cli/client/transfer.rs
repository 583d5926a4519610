//! Files to and from a node, and answers that tell how far they are.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{Stream, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::{Request, Response};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Client, Events, judge, whole};

/// As much of a file as is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// A longer event is none of a node's.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// A file in the making; it goes unless it was kept.
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(part) = &self.0 {
            // There is an error to report already.
            let _ = std::fs::remove_file(part);
        }
    }
}

impl Client {
    /// Brings what stands at `path` into a new file; `tell` hears how many bytes have come, and of how
    /// many. Returns how many they were.
    ///
    /// # Errors
    /// As [`Client::ask`]; the file is there already or can't be written.
    pub async fn download(
        &self,
        path: &str,
        file: &Path,
        tell: impl FnMut(u64, Option<u64>),
    ) -> Result<u64> {
        if file.symlink_metadata().is_ok() {
            bail!("{} is there already: choose another name", file.display());
        }
        let request =
            self.request("GET", path, "application/json").body(Full::<Bytes>::default())?;
        self.converse(request, |response| save(response, file, tell)).await
    }

    /// Sends a file and hears the events of the answer until its last one, which is returned.
    ///
    /// # Errors
    /// As [`Client::ask`]; the file can't be read.
    pub async fn upload(
        &self,
        path: &str,
        file: &Path,
        tell: impl FnMut(&str, &Value),
    ) -> Result<Value> {
        let opened =
            File::open(file).await.with_context(|| format!("opening {}", file.display()))?;
        let bytes = opened.metadata().await?.len();
        let request = self.request("PUT", path, "application/zstd").header(CONTENT_LENGTH, bytes);
        let body = StreamBody::new(pieces(opened));
        self.converse(request.body(body)?, |response| events(response, tell)).await
    }

    /// Asks, and hears the events of the answer until its last one, which is returned.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn follow(
        &self,
        path: &str,
        body: &Value,
        tell: impl FnMut(&str, &Value),
    ) -> Result<Value> {
        let request = self.request("POST", path, "application/json");
        let request = request.body(Full::<Bytes>::from(body.to_string()))?;
        self.converse(request, |response| events(response, tell)).await
    }

    async fn converse<B, T, F>(
        &self,
        request: Request<B>,
        hear: impl FnOnce(Response<Incoming>) -> F,
    ) -> Result<T>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        F: Future<Output = Result<T>>,
    {
        let context = || format!("asking the node at http://{}", self.authority);
        let (mut sender, connection) = self.connect().await.with_context(context)?;
        let answer = async move {
            let response = sender.send_request(request).await.with_context(context)?;
            if response.status().is_success() {
                return hear(response).await;
            }
            let status = response.status();
            judge(status, &whole(response.into_body()).await?)?;
            bail!("the node refused ({status})")
        };
        match select(Box::pin(answer), Box::pin(connection)).await {
            Either::Left((answer, _)) => answer,
            // What broke the connection is what the answer tells.
            Either::Right((_, answer)) => answer.await,
        }
    }
}

fn pieces(file: File) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
    stream::unfold(file, |mut file| async {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        match file.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Frame::data(piece.into())), file)),
            Err(error) => Some((Err(error), file)),
        }
    })
}

async fn save(
    response: Response<Incoming>,
    file: &Path,
    mut tell: impl FnMut(u64, Option<u64>),
) -> Result<u64> {
    let of = response.headers().get(CONTENT_LENGTH);
    let of = of.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut name = file.file_name().context("the path names no file")?.to_owned();
    name.push(".part");
    let path = file.with_file_name(name);
    let context = || format!("writing {}", file.display());
    let mut writing = File::create(&path).await.with_context(context)?;
    let mut part = Part(Some(path.clone()));
    let (mut body, mut bytes) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame.context("the answer broke off")?.into_data().unwrap_or_default();
        bytes += data.len() as u64;
        writing.write_all(&data).await.with_context(context)?;
        tell(bytes, of);
    }
    if of.is_some_and(|of| of != bytes) {
        bail!("the answer broke off after {bytes} bytes");
    }
    writing.sync_all().await.with_context(context)?;
    std::fs::rename(&path, file).with_context(context)?;
    part.0 = None;
    Ok(bytes)
}

/// Hears `progress` until `done`; an `error` fails.
async fn events(response: Response<Incoming>, mut tell: impl FnMut(&str, &Value)) -> Result<Value> {
    let (mut body, mut heard) = (response.into_body(), Events::default());
    while let Some(frame) = body.frame().await {
        heard.take(&frame.context("the answer broke off")?.into_data().unwrap_or_default());
        while let Some((name, data)) = next(&mut heard)? {
            match name.as_str() {
                "done" => return Ok(data),
                "error" => bail!("{}", data["error"]["message"].as_str().unwrap_or_default()),
                name => tell(name, &data),
            }
        }
    }
    bail!("the answer broke off: is the node still running?")
}

/// The next event that has come: its name and its data.
fn next(heard: &mut Events) -> Result<Option<(String, Value)>> {
    if let Some(event) = heard.next() {
        return parse(std::str::from_utf8(&event).context("the answer is no text")?).map(Some);
    }
    if heard.waiting() > EVENT_BYTES_MAX {
        bail!("the answer is too long: is this a Gaia node?");
    }
    Ok(None)
}

fn parse(event: &str) -> Result<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ").unwrap_or("null");
    let data = serde_json::from_str(data).context("the answer is no event of a Gaia node's")?;
    Ok((field("event: ").unwrap_or_default().to_owned(), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_their_bytes_come() {
        let text = "event: progress\ndata: {\"file\":\"Übung.md\"}\n\nevent: done\ndata: 1\n\n";
        for size in [1, 2, 3, text.len()] {
            let (mut heard, mut events) = (Events::default(), vec![]);
            for frame in text.as_bytes().chunks(size) {
                heard.take(frame);
                while let Some(event) = next(&mut heard).expect("events") {
                    events.push(event);
                }
            }
            let progress = ("progress".to_owned(), serde_json::json!({"file": "Übung.md"}));
            assert_eq!(events, [progress, ("done".to_owned(), Value::from(1))], "{size}");
        }
    }

    #[test]
    fn what_is_no_event_of_a_node_is_an_error() {
        for bad in [&b"data: \xff\n\n"[..], b"data: {\n\n", &vec![b'a'; EVENT_BYTES_MAX + 1]] {
            let mut heard = Events::default();
            heard.take(bad);
            assert!(next(&mut heard).is_err());
        }
    }
}
