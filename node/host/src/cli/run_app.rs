//! `gaia-node run-app`: an unmodified WASI-NN command.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Error, Result};

use crate::config::{Config, Overrides, name_and_path};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The command, a wasm file
    file: PathBuf,
    /// Config file whose models the command may load, too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// GGUF file that the command may load by name; the first one is also named `default`
    #[arg(long = "model", value_name = "[NAME=]PATH")]
    models: Vec<String>,
    /// The command's own arguments
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// Becomes the worker that runs the command: input, output, signals and exit code are the command's.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match become_worker(arguments) {
        Ok(never) => match never {},
        Err(error) => Err(error),
    }
}

fn become_worker(arguments: &Arguments) -> Result<Infallible> {
    let overrides = Overrides { config: arguments.config.clone(), ..Overrides::default() };
    let config = Config::load(&overrides)?;
    let binary = config.worker_binary()?;
    let mut command = Command::new(&binary);
    command.arg("run-app").arg(&arguments.file);
    command.arg("--cache").arg(config.places.node_home.join("cache"));
    for (name, path) in models(&config, &arguments.models)? {
        let mut pair = OsString::from(name + "=");
        pair.push(path);
        command.arg("--model").arg(pair);
    }
    let failure = command.arg("--").args(&arguments.rest).exec();
    Err(Error::new(failure).context(format!("starting {}", binary.display())))
}

/// The models given, then those of the config that are there; they are loaded when asked for.
fn models(config: &Config, given: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let mut models = vec![];
    for argument in given {
        models.push(name_and_path(argument, &config.places)?);
    }
    for model in config.models.iter().map(|model| &model.model) {
        let is_known = models.iter().any(|(name, _)| *name == model.name);
        if !is_known && model.path.try_exists().context("looking for models")? {
            models.push((model.name.clone(), model.path.clone()));
        }
    }
    let default = models.first().map(|(_, path)| ("default".to_owned(), path.clone()));
    models.extend(default.filter(|_| models.iter().all(|(name, _)| name != "default")));
    Ok(models)
}
