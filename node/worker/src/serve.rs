//! A worker's life: start, load, ready, serve, drain.
//!
//! Threads: the reader (main) takes frames and never waits for anything but the socket, so that it
//! sees at once when the host is gone; the loader makes the engine and the pool; the pool's own
//! threads run the guests and write their events.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gaia_inference::Engine;
use gaia_protocol::frame::{HostFrame, WorkerFrame};
use gaia_protocol::{Outcome, WorkerConfig};
use gaia_runtime::AppPool;
use rustix::process::{Signal, getpid, kill_process};

use crate::requests::Requests;
use crate::socket::FrameWriter;
use crate::{card, engine, stats};

/// A drained request may take as long as the host lets it: the host kills a worker that is late.
const DRAIN_GRACE: Duration = Duration::from_secs(3600);

/// What serves requests once it is loaded.
struct Service {
    engine: Engine,
    pool: AppPool,
}

/// Serves the host on standard input until it drains this worker or goes away.
///
/// # Errors
/// The first frame is not a start frame.
pub fn serve() -> Result<()> {
    let (mut reader, writer) = crate::socket::from_stdin()?;
    let HostFrame::Start(config) = reader.next()? else {
        bail!("the host's first frame must be a start frame");
    };
    let requests = Requests::new(writer.clone(), config.app.window_events);
    let service = Arc::new(OnceLock::new());
    spawn_loader(*config, writer.clone(), Arc::clone(&service));
    loop {
        match reader.next() {
            Ok(frame) => apply(frame, &service, &requests, &writer),
            Err(error) => end_at_once(&error),
        }
    }
}

fn spawn_loader(config: WorkerConfig, writer: FrameWriter, service: Arc<OnceLock<Service>>) {
    std::thread::spawn(move || match load(&config, &writer) {
        Ok(loaded) => {
            let card = card::card(&config.model, &loaded.engine);
            if service.set(loaded).is_ok() {
                writer.send(&WorkerFrame::Ready(Box::new(card)));
            }
        }
        Err(error) => {
            tracing::error!("{error:#}");
            writer.send(&WorkerFrame::Fatal(format!("{error:#}")));
            std::process::exit(1);
        }
    });
}

fn load(config: &WorkerConfig, writer: &FrameWriter) -> Result<Service> {
    let progress = {
        let writer = writer.clone();
        let mut last_percent = -1.0;
        Box::new(move |share: f32| {
            let percent = (share * 100.0).floor();
            if percent > last_percent {
                last_percent = percent;
                writer.send(&WorkerFrame::Progress(share));
            }
            true
        })
    };
    let model = &config.model;
    let engine = Engine::load(&engine::engine_config(model), progress)
        .with_context(|| format!("loading model {} from {}", model.name, model.path.display()))?;
    let pool = AppPool::start(engine.clone(), &config.app, &model.name)
        .with_context(|| format!("starting app {}", config.app.path.display()))?;
    Ok(Service { engine, pool })
}

fn apply(
    frame: HostFrame,
    service: &Arc<OnceLock<Service>>,
    requests: &Requests,
    writer: &FrameWriter,
) {
    match frame {
        HostFrame::Picture { id, picture } => requests.keep(id, picture),
        HostFrame::Request { id, body } => match service.get() {
            Some(service) => requests.submit(&service.pool, id, body),
            None => requests.refuse(id, still_loading()),
        },
        HostFrame::Cancel { id } => requests.cancel(id),
        HostFrame::Credit { id, events } => requests.credit(id, events),
        HostFrame::Stats => {
            let numbers = service.get().map(|service| stats::stats(&service.engine, &service.pool));
            writer.send(&WorkerFrame::Stats(numbers.unwrap_or_default()));
        }
        HostFrame::Drain => spawn_drain(Arc::clone(service)),
        HostFrame::Start(_) => tracing::error!("a second start frame is ignored"),
    }
}

fn still_loading() -> Outcome {
    Outcome::Failed { message: "the model is still loading".into() }
}

fn spawn_drain(service: Arc<OnceLock<Service>>) {
    std::thread::spawn(move || {
        if let Some(service) = service.get() {
            service.pool.drain(DRAIN_GRACE);
        }
        // Everything is said; a device driver's exit handlers could only hang.
        end_at_once(&"drained");
    });
}

/// Ends the process without exit handlers: a stuck device driver must not keep a worker alive that
/// has no host any more.
fn end_at_once(why: &dyn std::fmt::Display) -> ! {
    tracing::debug!(%why, "the worker ends");
    if kill_process(getpid(), Signal::KILL).is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}
