//! `gaia-node version`.

use std::process::ExitCode;

use anyhow::Result;

/// Prints name and version.
pub fn run() -> Result<ExitCode> {
    super::print(concat!("gaia-node ", env!("CARGO_PKG_VERSION")))?;
    Ok(ExitCode::SUCCESS)
}
