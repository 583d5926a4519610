//! Binary `gaia-worker`: one model, its wasm app, and the socket to the host.
//!
//! Without arguments it serves the host on standard input. `info` prints what this machine can run
//! as JSON; `run-app` runs an unmodified WASI-NN command; `run-wasm` runs a stranger's program in the
//! compile sandbox's jail, and `libraries` prints what that jail must show it.
#![forbid(unsafe_code)]

mod card;
mod engine;
mod info;
mod requests;
mod run_app;
mod run_wasm;
mod serve;
mod socket;
mod stats;
mod window;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> Result<ExitCode> {
    log_to_stderr();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None => serve::serve().map(|()| ExitCode::SUCCESS),
        Some("info") => info::print().map(|()| ExitCode::SUCCESS),
        Some("run-app") => run_app::run(&arguments[1..]),
        Some("run-wasm") => run_wasm::run(&arguments[1..]),
        Some("libraries") => run_wasm::libraries().map(|()| ExitCode::SUCCESS),
        Some(other) => {
            bail!(
                "unknown command {other:?}: expected nothing, info, run-app, run-wasm or libraries"
            )
        }
    }
}

/// One line per event; the host adds the time and the model's name.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GAIA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_env_filter(filter)
        .init();
}
