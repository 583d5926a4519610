//! Keeps one model's worker alive.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use gaia_core::Model;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::connection::{Connection, Ending};
use super::model::{Reporter, WorkerModel};
use super::process::{self, Launch, Process};
use super::session::Session;
use crate::config::SupervisionConfig;

const LAST_WORDS: Duration = Duration::from_secs(1);

/// What keeps one model's worker alive.
pub struct Supervisor {
    /// The model.
    pub model: Arc<WorkerModel>,
    /// How its worker is started.
    pub launch: Launch,
    /// How patient to be.
    pub config: SupervisionConfig,
    /// When the worker must be gone, once the node ends.
    pub drain: Receiver<Option<Instant>>,
}

/// How one worker's life ended.
struct Life {
    reason: String,
    /// How long it served.
    healthy: Duration,
}

impl Supervisor {
    /// Starts the worker again whenever it stops, until the node drains and the worker is gone.
    pub async fn run(mut self) {
        let config = &self.config;
        let mut backoff = Backoff::new(config.restart_delay_min, config.restart_delay_max);
        let mut again = false;
        loop {
            self.model.set_loading(again);
            let life = self.live_once().await;
            let delay = backoff.delay(life.healthy);
            let draining = self.drain.borrow().is_some();
            self.model.set_down(delay, life.reason.clone());
            if draining {
                return;
            }
            let name = self.model.name();
            tracing::error!(model = name, delay_ms = delay.as_millis(), "{}", life.reason);
            tokio::select! {
                () = tokio::time::sleep(delay) => again = true,
                _ = drain_deadline(&mut self.drain) => return,
            }
        }
    }

    /// One worker from its start to its end.
    async fn live_once(&mut self) -> Life {
        match self.try_live().await {
            Ok(life) => life,
            Err(error) => Life { reason: format!("{error:#}"), healthy: Duration::ZERO },
        }
    }

    async fn try_live(&mut self) -> Result<Life> {
        let config = self.model.config().clone();
        let (process, socket, stderr) = self.launch.start()?;
        let (session, frames) = Session::new(&config.app);
        session.start(config);
        let session = Arc::new(session);
        let reporter = Reporter::new(Arc::clone(&self.model), Arc::clone(&session));
        let (read, write) = socket.into_split();
        let connection = Connection {
            read,
            write,
            session: &session,
            frames,
            observer: &reporter,
            hang_timeout: self.config.hang_timeout,
        };
        let name = self.model.name().to_owned();
        let log = process::log_lines(&name, stderr);
        let life = finish(connection.run(), &session, &mut self.drain, process);
        let reason = while_logging(life, log).await;
        let healthy = reporter.ready_since().map_or(Duration::ZERO, |since| since.elapsed());
        Ok(Life { reason, healthy })
    }
}

/// Logs while a worker lives, and its last words for a moment longer: a process that it started may
/// hold its standard error open.
async fn while_logging<T>(life: impl Future<Output = T>, log: impl Future<Output = ()>) -> T {
    let (mut life, mut log) = (pin!(life), pin!(log));
    tokio::select! {
        ended = &mut life => {
            // No more is lost than the words of a stranger.
            let _ = tokio::time::timeout(LAST_WORDS, log).await;
            ended
        }
        () = &mut log => life.await,
    }
}

/// Waits for the connection's end, ends the process, and tells how both went.
async fn finish(
    connection: impl Future<Output = Ending>,
    session: &Session,
    drain: &mut Receiver<Option<Instant>>,
    process: Process,
) -> String {
    let mut connection = pin!(connection);
    let ending = tokio::select! {
        ending = &mut connection => Some(ending),
        deadline = drain_deadline(drain) => {
            session.drain();
            tokio::time::timeout_at(deadline, connection).await.ok()
        }
    };
    session.close();
    match ending {
        Some(Ending::Fatal(reason)) => {
            process.end().await;
            reason
        }
        Some(Ending::Closed) => format!("{} ({})", Ending::Closed, process.end().await),
        Some(ending) => format!("{ending} ({})", process.kill().await),
        None => format!("the worker did not drain in time ({})", process.kill().await),
    }
}

/// Waits until the node drains. A node whose drain handle is gone drains at once.
async fn drain_deadline(drain: &mut Receiver<Option<Instant>>) -> Instant {
    match drain.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        Err(_) => Instant::now(),
    }
}
