//! A connection whose peer must keep reading.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that a peer must take in each while in which more wait for it. hyper keeps some 400 KB for a
/// peer before it stops asking for more, and nobody looks at an answer's deadline while it does not
/// ask: at this rate that is a few minutes with the default of 30 s, and for slow lines it is enough.
const BYTES_MIN: usize = 64 << 10;

/// Breaks off when the peer takes too little for a while. Otherwise a client that stops reading, or
/// reads a byte now and then, would hold its answer, and the answer's place in the model, for ever.
pub struct Patient<S = TcpStream> {
    stream: S,
    patience: Duration,
    /// Since a write had to wait, until the peer has caught up or has taken enough.
    wait: Option<Wait>,
}

struct Wait {
    until: Pin<Box<Sleep>>,
    taken_bytes: usize,
}

impl<S> Patient<S> {
    /// Waits at most `patience` for each 64 KiB.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, wait: None }
    }

    fn limit(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => self.count(bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let patience = self.patience;
                let wait = self.wait.get_or_insert_with(|| Wait::new(patience));
                let over = wait.until.as_mut().poll(context);
                return over.map(|()| Err(Error::from(ErrorKind::TimedOut)));
            }
        }
        written
    }

    fn count(&mut self, bytes: usize) {
        if let Some(wait) = &mut self.wait {
            wait.taken_bytes += bytes;
        }
        self.wait.take_if(|wait| wait.taken_bytes >= BYTES_MIN);
    }
}

impl Wait {
    fn new(patience: Duration) -> Self {
        Self { until: Box::pin(sleep_until(Instant::now() + patience)), taken_bytes: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limit(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.limit(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when all is written: the peer has caught up.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.wait = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    fn pair() -> (Patient<DuplexStream>, DuplexStream) {
        let (stream, peer) = duplex(16);
        (Patient::new(stream, PATIENCE), peer)
    }

    /// Reads so much each so often, to the end.
    async fn read(mut peer: DuplexStream, (bytes, pause): (usize, Duration)) {
        let mut buffer = vec![0; bytes];
        loop {
            sleep(pause).await;
            match peer.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_a_trickle_is_given_up() {
        let (mut patient, peer) = pair();
        let whole = vec![0; 1 << 20];
        let written = tokio::select! {
            written = patient.write_all(&whole) => written,
            () = read(peer, (1, SECOND)) => Ok(()),
        };
        assert_eq!(written.expect_err("broken off").kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_steadily_gets_all() {
        let (mut patient, peer) = pair();
        let whole = vec![0; 4 * BYTES_MIN];
        let write = async {
            patient.write_all(&whole).await.expect("it is fast enough");
            drop(patient);
        };
        // More than is asked for, and longer than it may take for some.
        let rate = (16, PATIENCE * 8 / u32::try_from(BYTES_MIN).expect("small"));
        tokio::join!(write, read(peer, rate));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_catches_up_may_be_late_again() {
        let (mut patient, peer) = pair();
        let write = async {
            for _ in 0..8 {
                patient.write_all(&[0; 64]).await.expect("it catches up");
                patient.flush().await.expect("nothing to do");
                sleep(PATIENCE).await;
            }
            drop(patient);
        };
        tokio::join!(write, read(peer, (16, SECOND)));
    }
}
