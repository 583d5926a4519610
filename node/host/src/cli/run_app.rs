//! `gaia-node run-app`: an unmodified WASI-NN command.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Error, Result};
use gaia_protocol::ModelConfig;

use crate::config::{Config, Overrides, Places, name_and_path};

/// A model that the command may load.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    name: String,
    path: PathBuf,
    mmproj_path: Option<PathBuf>,
}

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
    /// Projector with which the model of that name, or else the first one, reads pictures
    #[arg(long = "mmproj", value_name = "[NAME=]PATH")]
    projectors: Vec<String>,
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
    let mut models = models(&config, &arguments.models)?;
    add_projectors(&mut models, arguments, &config.places)?;
    for Model { name, path, mmproj_path } in with_default(models) {
        let mut pair = OsString::from(name + "=");
        pair.push(path);
        command.arg("--model").arg(pair);
        if let Some(path) = mmproj_path {
            command.arg("--mmproj").arg(path);
        }
    }
    let failure = command.arg("--").args(&arguments.rest).exec();
    Err(Error::new(failure).context(format!("starting {}", binary.display())))
}

/// The models given, then those of the config that are there; they are loaded when asked for.
fn models(config: &Config, given: &[String]) -> Result<Vec<Model>> {
    let mut models: Vec<Model> = vec![];
    for argument in given {
        let (name, path) = name_and_path(argument, &config.places)?;
        models.push(Model { name, path, mmproj_path: None });
    }
    for model in config.models.iter().map(|model| &model.model) {
        let ModelConfig { name, path, mmproj_path, .. } = model;
        let is_known = models.iter().any(|known| known.name == *name);
        if !is_known && path.try_exists().context("looking for models")? {
            let (name, path, mmproj_path) = (name.clone(), path.clone(), mmproj_path.clone());
            models.push(Model { name, path, mmproj_path });
        }
    }
    Ok(models)
}

fn add_projectors(models: &mut [Model], arguments: &Arguments, places: &Places) -> Result<()> {
    for argument in &arguments.projectors {
        let (name, path) = match argument.split_once('=') {
            Some((name, path)) => (Some(name), path),
            None => (None, &**argument),
        };
        let model = models.iter_mut().find(|model| name.is_none_or(|name| model.name == name));
        let model =
            model.with_context(|| format!("--mmproj {argument}: there is no such model"))?;
        model.mmproj_path = Some(places.resolve_typed(Path::new(path))?);
    }
    Ok(())
}

/// The first model is also named `default`, if no other one is.
fn with_default(mut models: Vec<Model>) -> Vec<Model> {
    let default = models.first().map(|first| Model { name: "default".into(), ..first.clone() });
    models.extend(default.filter(|_| models.iter().all(|model| model.name != "default")));
    models
}
