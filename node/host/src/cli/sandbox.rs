//! `gaia-node sandbox check`: which layers of the jail hold on this machine, and what to do.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use gaia_sandbox::builder::{Crates, Toolchain};

use crate::compile;
use crate::config::{CompileConfig, Config, Overrides};

/// What to do with the sandbox.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try each layer; exit code 1 if the node would not offer the service
    Check(Overrides),
}

/// Runs the command.
///
/// # Errors
/// The config can't be read, or standard output is gone.
pub fn run(command: &Command) -> Result<ExitCode> {
    let Command::Check(overrides) = command;
    let config = Config::load(overrides)?.compile;
    let mut whole = print_layers(&config)?;
    whole &= print_tools(&config)?;
    if !config.enabled {
        super::print("closed       compile.enabled is false: the node offers no compile service")?;
        whole = false;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_layers(config: &CompileConfig) -> Result<bool> {
    let jail = match compile::jail(config) {
        Ok(jail) => jail,
        Err(error) => {
            super::print(&format!("missing      the jail: {error:#}"))?;
            return Ok(false);
        }
    };
    let report = jail.probe();
    super::print(report.to_string().trim_end())?;
    let missing = compile::missing(&report, &config.accept);
    if !missing.is_empty() {
        super::print(
            "the node would not offer the service: fix what is missing, or name it in compile.accept",
        )?;
    }
    Ok(missing.is_empty())
}

fn print_tools(config: &CompileConfig) -> Result<bool> {
    let toolchain = match Toolchain::find(config.toolchain.as_deref()) {
        Ok(toolchain) => toolchain,
        Err(error) => {
            super::print(&format!("missing      toolchain: {error}"))?;
            return Ok(false);
        }
    };
    let version = toolchain.version().lines().next().unwrap_or_default();
    super::print(&format!("toolchain    {version}, {}", toolchain.root().display()))?;
    let crates = Crates::open(&config.crates, &toolchain)?;
    let told = match (crates.index(), crates.prebuilt()) {
        (None, _) => "none are fetched; run scripts/setup".to_owned(),
        (Some(index), None) => format!("{} fetched, none compiled ahead", index.packages().len()),
        (Some(index), Some(_)) => {
            format!("{} fetched, common ones compiled ahead", index.packages().len())
        }
    };
    super::print(&format!("crates       {told}"))?;
    Ok(true)
}
