//! Puts the service together when the node starts, or says why there is none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use gaia_sandbox::builder::{Builder, Crates, Toolchain, WasmRunner};
use gaia_sandbox::jail::{Jail, Layer, Report, State};

use super::service::Service;
use crate::config::CompileConfig;

/// The service, or why this node has none.
#[derive(Clone)]
pub enum Offer {
    /// It is there.
    Open(Arc<Service>),
    /// It is not: the reason, for whoever asks for it.
    Closed(String),
}

/// Tries the jail and opens the service. Takes about a second, on a blocking thread. The worker runs
/// programs for WebAssembly.
#[must_use]
pub fn open(config: &CompileConfig, worker: &Path) -> Offer {
    if !config.enabled {
        let reason = "this node compiles nothing: compile.enabled is false in its config";
        return Offer::Closed(reason.to_owned());
    }
    match try_open(config, worker) {
        Ok(service) => Offer::Open(Arc::new(service)),
        Err(error) => {
            tracing::warn!("the compile sandbox is closed: {error:#}");
            Offer::Closed(format!("this node compiles nothing: {error:#}"))
        }
    }
}

fn try_open(config: &CompileConfig, worker: &Path) -> Result<Service> {
    let jail = jail(config)?;
    let report = jail.probe();
    let missing = missing(&report, &config.accept);
    anyhow::ensure!(
        missing.is_empty(),
        "layers of the jail do not hold: {}; `gaia-node sandbox check` tells what to do",
        missing.join(", ")
    );
    let toolchain = Toolchain::find(config.toolchain.as_deref()).context("compile.toolchain")?;
    let crates = Crates::open(&config.crates, &toolchain).context("reading the fetched crates")?;
    if crates.folder().is_none() {
        tracing::warn!(
            "no crates are fetched: projects with dependencies are refused; run scripts/setup"
        );
    }
    let wasm = WasmRunner::find(worker, &jail);
    if let Err(reason) = &wasm {
        tracing::warn!("programs for wasm32-wasip1 are built and not run: {reason}");
    }
    let builder = Builder::new(jail, toolchain, crates).with_wasm(wasm);
    Ok(Service::new(builder, config.clone()))
}

/// The jail of a config.
///
/// # Errors
/// Its programs are missing, or its settings can't be used.
pub fn jail(config: &CompileConfig) -> Result<Jail> {
    Ok(Jail::new(config.settings(helper()?))?)
}

/// The program `gaia-jail` beside this one.
///
/// # Errors
/// This program's own place can't be told.
pub fn helper() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    Ok(own.with_file_name("gaia-jail"))
}

/// Layers that do not hold and are not accepted. A degraded layer holds in part, and is told.
pub fn missing(report: &Report, accepted: &[Layer]) -> Vec<String> {
    let missing = report.layers.iter().filter(|layer| !accepted.contains(&layer.layer));
    missing
        .filter_map(|layer| match &layer.state {
            State::Missing { why, .. } => Some(format!("{} ({why})", layer.layer)),
            State::Enforced | State::Degraded { .. } => None,
        })
        .collect()
}
