//! One connection to one worker, from the start frame to its end.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use gaia_protocol::frame::{FrameError, HEADER_BYTES, Header, HostFrame, WorkerFrame};
use gaia_protocol::{ModelCard, WorkerStats};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::session::Session;

/// How often a worker is asked whether it lives.
const PING_EVERY: Duration = Duration::from_millis(250);

/// Frames that are written with one system call, if they are not too large.
const FRAMES_PER_WRITE: usize = 64;

/// A picture has megabytes.
const BYTES_PER_WRITE: usize = 1 << 20;

/// Why a worker is not to be trusted any further.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// More than was asked for.
    #[error("it sent more than {window_events} unread events of request {id}")]
    Flood {
        /// The request.
        id: u64,
        /// Its window.
        window_events: u32,
    },
    /// Larger than agreed.
    #[error("it sent an event of {bytes} bytes, over event_bytes_max")]
    EventTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Never asked for.
    #[error("it spoke of request {id}, which does not run")]
    UnknownRequest {
        /// The number.
        id: u64,
    },
    /// Out of order.
    #[error("it said twice that it is ready, or answered before it was")]
    OutOfOrder,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// The worker closed it: it exited or was killed.
    #[error("the worker ended")]
    Closed,
    /// The socket failed.
    #[error("the socket to the worker failed: {0}")]
    Socket(std::io::Error),
    /// The worker says why it can't go on.
    #[error("{0}")]
    Fatal(String),
    /// What came is not a frame.
    #[error("the worker broke the protocol: {0}")]
    Frame(#[from] FrameError),
    /// The frame should not have come.
    #[error("the worker broke the protocol: {0}")]
    Violation(#[from] Violation),
    /// It does not read what it is sent.
    #[error("the worker does not read its socket")]
    Stuck,
    /// It answers nothing.
    #[error("the worker has said nothing for {} ms", .0.as_millis())]
    Hang(Duration),
}

/// Who is told what the worker says of itself.
pub trait Observer {
    /// `share` (0 to 1) of the model is loaded.
    fn progress(&self, share: f32);
    /// Requests may come.
    fn ready(&self, card: ModelCard);
    /// New numbers.
    fn stats(&self, stats: WorkerStats);
}

/// What a connection is made of.
pub struct Connection<'a, Read, Write, Watcher> {
    /// Where the worker's frames come from.
    pub read: Read,
    /// Where frames to the worker go.
    pub write: Write,
    /// The requests.
    pub session: &'a Session,
    /// The frames that the session wants sent.
    pub frames: Receiver<HostFrame>,
    /// Who is told what the worker says of itself.
    pub observer: &'a Watcher,
    /// A ready worker that says nothing for so long hangs.
    pub hang_timeout: Duration,
}

impl<Read, Write, Watcher> Connection<'_, Read, Write, Watcher>
where
    Read: AsyncRead + Unpin,
    Write: AsyncWrite + Unpin,
    Watcher: Observer,
{
    /// Serves until the worker ends, hangs or breaks the protocol. When it returns, no request of
    /// the session is left.
    pub async fn run(self) -> Ending {
        let pulse = Pulse::default();
        let read = listen(self.read, self.session, self.observer, &pulse);
        let ending = tokio::select! {
            ending = read => ending,
            ending = speak(self.write, self.frames) => ending,
            () = self.session.stuck() => Ending::Stuck,
            ending = watch(self.session, &pulse, self.hang_timeout) => ending,
        };
        self.session.close();
        ending
    }
}

/// When the worker was last heard of; `None` while it loads, which may take any time.
#[derive(Default)]
struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(
    read: impl AsyncRead + Unpin,
    session: &Session,
    observer: &impl Observer,
    pulse: &Pulse,
) -> Ending {
    let mut read = BufReader::with_capacity(64 << 10, read);
    loop {
        let frame = match next_frame(&mut read).await {
            Ok(frame) => frame,
            Err(ending) => return ending,
        };
        if pulse.last().is_some() {
            pulse.beat();
        }
        if let Err(ending) = apply(frame, session, observer, pulse) {
            return ending;
        }
    }
}

fn apply(
    frame: WorkerFrame,
    session: &Session,
    observer: &impl Observer,
    pulse: &Pulse,
) -> Result<(), Ending> {
    let ready = pulse.last().is_some();
    match frame {
        WorkerFrame::Fatal(reason) => return Err(Ending::Fatal(reason)),
        WorkerFrame::Progress(share) if !ready => observer.progress(share.clamp(0.0, 1.0)),
        WorkerFrame::Ready(card) if !ready => {
            pulse.beat();
            observer.ready(*card);
        }
        WorkerFrame::Event { id, body } if ready => session.event(id, body)?,
        WorkerFrame::End { id, outcome } if ready => session.end(id, outcome)?,
        WorkerFrame::Stats(stats) if ready => {
            observer.stats(stats);
            session.pong();
        }
        _ => return Err(Violation::OutOfOrder.into()),
    }
    Ok(())
}

async fn next_frame(read: &mut (impl AsyncRead + Unpin)) -> Result<WorkerFrame, Ending> {
    let mut header = [0; HEADER_BYTES];
    read.read_exact(&mut header).await.map_err(lost)?;
    let header = Header::parse(&header)?;
    let mut payload = vec![0; header.payload_bytes];
    read.read_exact(&mut payload).await.map_err(lost)?;
    Ok(WorkerFrame::decode(header, payload)?)
}

fn lost(error: std::io::Error) -> Ending {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | BrokenPipe | ConnectionReset => Ending::Closed,
        _ => Ending::Socket(error),
    }
}

/// Writes what the session wants sent.
async fn speak(mut write: impl AsyncWrite + Unpin, mut frames: Receiver<HostFrame>) -> Ending {
    let mut batch = Vec::with_capacity(FRAMES_PER_WRITE);
    while frames.recv_many(&mut batch, FRAMES_PER_WRITE).await > 0 {
        if write_all(&mut write, batch.drain(..)).await.is_err() {
            break;
        }
    }
    // The reading end knows better why: it may still hold the worker's last words.
    std::future::pending().await
}

async fn write_all(
    write: &mut (impl AsyncWrite + Unpin),
    frames: impl Iterator<Item = HostFrame>,
) -> std::io::Result<()> {
    let mut bytes = vec![];
    for frame in frames {
        bytes.extend(frame.encode());
        if bytes.len() >= BYTES_PER_WRITE {
            write.write_all(&bytes).await?;
            bytes.clear();
        }
    }
    write.write_all(&bytes).await
}

/// Asks a ready worker for its numbers, again and again, and notices when it falls silent.
async fn watch(session: &Session, pulse: &Pulse, hang_timeout: Duration) -> Ending {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        let Some(heard) = pulse.last() else { continue };
        if heard.elapsed() >= hang_timeout {
            return Ending::Hang(hang_timeout);
        }
        session.ping();
    }
}
