//! The socket to the host: standard input, a Unix stream socket that the host made.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use gaia_protocol::frame::{HEADER_BYTES, Header, HostFrame, WorkerFrame};

/// Both directions of the socket on standard input.
///
/// # Errors
/// Standard input can't be duplicated.
pub fn from_stdin() -> Result<(FrameReader, FrameWriter)> {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned();
    let stream = UnixStream::from(descriptor.context("duplicating standard input")?);
    let reading = stream.try_clone().context("duplicating the host's socket")?;
    Ok((FrameReader { stream: reading }, FrameWriter { stream: Arc::new(Mutex::new(stream)) }))
}

/// Reads what the host says.
pub struct FrameReader {
    stream: UnixStream,
}

impl FrameReader {
    /// The next frame; waits for it.
    ///
    /// # Errors
    /// The host closed the socket or wrote what is no frame.
    pub fn next(&mut self) -> Result<HostFrame> {
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).context("reading a frame's header")?;
        let header = Header::parse(&header)?;
        let mut payload = vec![0; header.payload_bytes];
        self.stream.read_exact(&mut payload).context("reading a frame's payload")?;
        Ok(HostFrame::decode(header, payload)?)
    }
}

/// Writes to the host, from any thread, whole frames at a time.
#[derive(Clone)]
pub struct FrameWriter {
    stream: Arc<Mutex<UnixStream>>,
}

impl FrameWriter {
    /// Sends one frame. The host always reads, so this waits for no client.
    ///
    /// A failure means that the host is gone; the reading side sees that too and ends the process,
    /// so it is not reported here.
    pub fn send(&self, frame: &WorkerFrame) {
        let bytes = frame.encode();
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = stream.write_all(&bytes) {
            tracing::debug!(%error, "the host does not read any more");
        }
    }
}
