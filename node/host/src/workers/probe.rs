//! Loads one model in a worker of its own, to find out whether that works.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Result, bail};
use gaia_protocol::{ModelCard, WorkerConfig, WorkerStats};
use tokio::sync::Notify;

use super::connection::{Connection, Ending, Observer};
use super::process::{Launch, log_lines};
use super::session::Session;

/// Loads the model and its app, then ends the worker. What it turned out to be.
///
/// # Errors
/// It does not load: the message is the worker's, which names the file.
pub async fn probe(launch: &Launch, config: &WorkerConfig) -> Result<ModelCard> {
    let (process, socket, stderr) = launch.start()?;
    let (session, frames) = Session::new(&config.app);
    session.start(config.clone());
    let (read, write) = socket.into_split();
    let witness = Witness::default();
    let connection = Connection {
        read,
        write,
        session: &session,
        frames,
        observer: &witness,
        // It is ended as soon as it is ready.
        hang_timeout: Duration::MAX,
    };
    let ending = tokio::select! {
        ending = connection.run() => Some(ending),
        () = witness.ready.notified() => None,
        () = forever(log_lines(&config.model.name, stderr)) => None,
    };
    let card = witness.card.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (card, ending) {
        (Some(card), _) => {
            process.kill().await;
            Ok(card)
        }
        (None, Some(Ending::Fatal(reason))) => {
            process.end().await;
            bail!(reason)
        }
        (None, Some(ending)) => bail!("{ending} ({})", process.end().await),
        (None, None) => bail!("the worker gave no reason ({})", process.kill().await),
    }
}

async fn forever(work: impl Future<Output = ()>) {
    work.await;
    std::future::pending().await
}

#[derive(Default)]
struct Witness {
    card: Mutex<Option<ModelCard>>,
    ready: Notify,
}

impl Observer for Witness {
    fn progress(&self, _: f32) {}

    fn ready(&self, card: ModelCard) {
        *self.card.lock().unwrap_or_else(PoisonError::into_inner) = Some(card);
        self.ready.notify_one();
    }

    fn stats(&self, _: WorkerStats) {}
}
