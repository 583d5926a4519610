//! The command line: one file per command.

mod check;
mod client;
mod info;
mod kb;
mod keys;
mod mcp;
mod models;
mod run_app;
mod sandbox;
mod start;
mod version;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::config::Overrides;

/// Serves language models behind the OpenAI API: models run in worker processes, requests in wasm
/// apps.
#[derive(Debug, Parser)]
#[command(name = "gaia-node", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to end (Ctrl-C or SIGTERM lets running answers finish)
    Start(Overrides),
    /// Tell everything that is wrong with the config, the files and the models
    Check(Overrides),
    /// Tell versions, places, models and what this machine computes with
    Info(info::Arguments),
    /// Load, unload and swap the models of a running node
    Models(models::Arguments),
    /// Fill, search and move the knowledge bases of a running node
    Kb(kb::Arguments),
    /// Offer the tools of a running node to an editor or agent, over standard input and output
    ///
    /// Speaks the Model Context Protocol (MCP), one message per line. Editors start it themselves:
    /// see the README. Clients that speak HTTP need it not: they use http://HOST:PORT/mcp.
    Mcp(mcp::Arguments),
    /// Tell the version
    Version,
    /// Make API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Try the jail in which projects of others are compiled
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Run an unmodified WASI-NN command with this terminal's input and output
    RunApp(run_app::Arguments),
}

impl Cli {
    /// Runs the command; the exit code is its answer.
    ///
    /// # Errors
    /// It could not be done: the message says what was attempted, on which thing, and what to do.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Start(overrides) => runtime()?.block_on(start::run(&overrides)),
            Command::Check(overrides) => runtime()?.block_on(check::run(&overrides)),
            Command::Info(arguments) => info::run(&arguments),
            Command::Models(arguments) => runtime()?.block_on(models::run(arguments)),
            Command::Kb(arguments) => runtime()?.block_on(kb::run(arguments)),
            Command::Mcp(arguments) => runtime()?.block_on(mcp::run(arguments)),
            Command::Version => version::run(),
            Command::Keys(command) => keys::run(command),
            Command::Sandbox(command) => sandbox::run(&command),
            Command::RunApp(arguments) => run_app::run(&arguments),
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the threads that serve")
}

/// Prints an answer on standard output. A reader that has gone away is no failure.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
