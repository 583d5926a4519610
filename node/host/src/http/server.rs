//! Accepts connections and drains them.
//!
//! Task tree: [`serve`] owns one task per connection; hyper runs the connection's requests inside
//! it, one at a time, and drops the one at work when its client goes away.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::patient::Patient;
use super::{State, router};

/// Out of file descriptors, most likely: some are free again soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is true, then waits for the requests that run. With all connections
/// taken, further ones wait in the system's queue.
pub async fn serve(listener: TcpListener, state: Arc<State>, shutdown: watch::Receiver<bool>) {
    serve_with(listener, (state, Router::new()), shutdown).await;
}

/// The same with the routes of others, who want the key checked: what is around HTTP's own routes is
/// around these too.
pub async fn serve_with(
    listener: TcpListener,
    (state, others): (Arc<State>, Router),
    shutdown: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(state.connections_max));
    let router = router(&state, others);
    let mut connections = JoinSet::new();
    let mut stop = shutdown.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = accept(&listener, &permits) => {
                let (stream, permit) = accepted;
                let connection = Connection { stream, permit, router: router.clone() };
                connections.spawn(connection.run(Arc::clone(&state), shutdown.clone()));
            }
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

struct Connection {
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: Router,
}

impl Connection {
    async fn run(self, state: Arc<State>, mut shutdown: watch::Receiver<bool>) {
        let Self { stream, permit, router } = self;
        let _permit = permit;
        // A token is a small packet that must not wait for the next one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
        let io = TokioIo::new(Patient::new(stream, state.body_timeout));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(state.header_timeout)
            .serve_connection(io, TowerToHyperService::new(router));
        pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut shutdown) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The peer hung up before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Returns when the node shall stop; that its owner is gone means the same.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task panicked");
    }
}
