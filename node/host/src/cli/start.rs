//! `gaia-node start`: listen, load, serve, drain.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gaia_core::Node;
use gaia_protocol::ModelKind;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::compile;
use crate::config::{Config, LogFormat, Overrides};
use crate::http::{self, Storage};
use crate::knowledge;
use crate::mcp;
use crate::store::{Files, VectorLimits, VectorStores};
use crate::upstream::Upstreams;
use crate::workers::Workers;

/// A worker with nothing left to do needs no longer to end.
const WORKER_GRACE_MIN: Duration = Duration::from_secs(2);

/// How often it is looked whether all models are ready, to tell the person.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Files besides connections: sockets to workers, pipes, the listener.
const FILES_BESIDES: u64 = 256;

/// What shells report for a process that a person interrupted.
const INTERRUPTED: u8 = 130;

/// Serves until the first signal, then drains. The port is taken before any model is loaded, so
/// that a port in use is told at once.
pub async fn run(overrides: &Overrides) -> Result<ExitCode> {
    let config = Config::load(overrides)?;
    crate::log::start(&config.log)?;
    allow_files(config.server.connections_max);
    let mut signals = Signals::new()?;
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr().context("asking which port was taken")?;
    announce(&config, &format!("Listening on http://{address}"));
    let storage = open_storage(&config)?;
    let knowledge = knowledge::open(&config.knowledge).await?;
    let workers = Workers::start(&config)?;
    let _upstreams = Upstreams::start(&config.upstreams, &workers.models())?;
    let (sandbox, worker) = (config.compile.clone(), config.worker_binary()?);
    let sandbox = tokio::task::spawn_blocking(move || compile::open(&sandbox, &worker));
    let sandbox = sandbox.await.context("trying the compile sandbox")?;
    let mut state = http::State::new(&config.server, &config.auth, workers.models().all(), storage)
        .managed(workers.manager())
        .compiling(sandbox.clone())
        .showing(config.pictures);
    if let Some(knowledge) = &knowledge {
        let stores = open_vector_stores(&config)?;
        let (knowledge, plans) = (Arc::clone(knowledge), knowledge::plans(&config));
        state = state
            .knowing(Arc::clone(&knowledge), config.knowledge.clone(), plans)
            .storing(stores, knowledge);
    }
    let state = state.coding(config.coder.clone(), knowledge);
    let state = Arc::new(state);
    let (stop, stopping) = watch::channel(false);
    let tools = tools(&config, &state, (sandbox, stopping.clone()));
    let served = (Arc::clone(&state), tools);
    let mut serving = pin!(http::serve_with(listener, served, stopping));
    tokio::select! {
        () = &mut serving => bail!("the HTTP server ended by itself"),
        () = greet(&config, address, state.node()) => {}
        () = signals.next() => {}
    }
    stop.send_replace(true);
    announce(&config, "Finishing what runs; once more ends at once");
    let drained = drain(serving, workers, config.worker.drain_grace);
    Ok(tokio::select! {
        () = drained => ExitCode::SUCCESS,
        () = signals.next() => ExitCode::from(INTERRUPTED),
    })
}

/// The routes of MCP, over what HTTP serves too.
fn tools(
    config: &Config,
    state: &Arc<http::State>,
    (compile, stopping): (compile::Offer, watch::Receiver<bool>),
) -> axum::Router {
    if !config.mcp.enabled {
        return axum::Router::new();
    }
    // What a call does becomes a job when it takes long.
    let budget = config.coder.job_budget();
    let (node, works) = (state.node().clone(), state.works().clone());
    let state = Arc::clone(state);
    let coders = Box::new(move |owner: &_, builder| state.coder_with(owner, builder));
    let parts = mcp::Parts { node, compile, coders, works, budget, stopping };
    mcp::router(parts, &config.mcp, &config.server)
}

/// Lets answers end first, then the workers that make them.
async fn drain(serving: impl Future<Output = ()>, workers: Workers, grace: Duration) {
    let deadline = Instant::now() + grace;
    if tokio::time::timeout_at(deadline, serving).await.is_err() {
        tracing::warn!("some answers did not end in time and are cut short");
    }
    let left = deadline.saturating_duration_since(Instant::now());
    workers.drain(left.max(WORKER_GRACE_MIN)).await;
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("listening on {address}: choose another with --listen or server.listen")
    })
}

fn open_storage(config: &Config) -> Result<Storage> {
    let files = Files::open(config.files.clone());
    let files = files.with_context(|| format!("reading {}", config.files.folder.display()))?;
    Ok(Storage { responses: config.responses, files })
}

/// They stand beside the files that they are made of.
fn open_vector_stores(config: &Config) -> Result<VectorStores> {
    let folder = config.files.folder.with_file_name("vector_stores");
    let stores = VectorStores::open(folder.clone(), VectorLimits::default());
    stores.with_context(|| format!("reading {}", folder.display()))
}

/// Thousands of connections need more files than a shell allows by default.
fn allow_files(connections_max: usize) {
    let wanted = connections_max as u64 + FILES_BESIDES;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed >= wanted => {}
        Ok(allowed) => tracing::warn!(
            allowed,
            wanted,
            "this process may open fewer files than server.connections_max needs: raise `ulimit -n`"
        ),
        Err(error) => tracing::warn!(%error, "could not ask for more open files"),
    }
}

/// Makes the knowledge bases that are missing and tells how to try the node, as soon as every model
/// is ready. Never ends.
async fn greet(config: &Config, address: SocketAddr, node: &Node) {
    while !node.models.are_ready() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if let Err(error) = knowledge::provide(node, &config.knowledge).await {
        tracing::error!("{error:#}");
    }
    announce(config, &invitation(config, address));
    std::future::pending().await
}

/// A line to paste into a terminal.
fn invitation(config: &Config, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let key = match config.auth.keys.is_empty() {
        true => "",
        false => " -H 'Authorization: Bearer YOUR-KEY'",
    };
    let own = config.models.iter().map(|model| (model.model.kind, &model.model.name));
    let others = config.upstreams.iter().map(|upstream| (upstream.kind, &upstream.name));
    let chat = own.chain(others).find(|(kind, _)| *kind == ModelKind::Chat);
    let call = chat.map_or("/v1/models".to_owned(), |(_, name)| {
        let messages = r#"[{"role":"user","content":"Hello!"}]"#;
        format!(
            "/v1/chat/completions -H 'Content-Type: application/json' \
             -d '{{\"model\":\"{name}\",\"messages\":{messages}}}'"
        )
    });
    format!("Ready. Try:\n  curl http://{address}{call}{key}")
}

/// Tells the person who started the node; that is not a matter of the log's filter.
fn announce(config: &Config, text: &str) {
    match config.log.format {
        LogFormat::Text => eprintln!("{text}"),
        LogFormat::Json => tracing::info!("{text}"),
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
