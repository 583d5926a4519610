//! Binary `gaia-node`: serves models behind the OpenAI API.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match gaia_host::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gaia-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}
