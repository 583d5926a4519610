//! `gaia-worker run-app FILE.wasm [--model NAME=PATH [--mmproj PATH]]… [--cache DIR] -- ARGS`: an
//! unmodified WASI-NN command with this process's standard streams.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use gaia_inference::{Engine, EngineConfig, EngineKind, LoadError};
use gaia_pictures::{Decoded, Limits};
use gaia_protocol::Picture;
use gaia_runtime::CommandApp;

/// The parsed command line.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    path: PathBuf,
    models: Vec<Model>,
    cache_dir: Option<PathBuf>,
    rest: Vec<String>,
}

/// A model that the command may load.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    name: String,
    path: PathBuf,
    /// What makes it see.
    mmproj_path: Option<PathBuf>,
}

/// Runs the command to its end; the exit code is its own.
///
/// # Errors
/// The command line, the file, or a trap.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let Arguments { path, models, cache_dir, rest } = parse(arguments)?;
    let loader = Box::new(move |name: &str| {
        let model = models.iter().find(|model| model.name == name)?;
        Some(load(model.clone()))
    });
    let pictures = Box::new(picture);
    let command = CommandApp { path, arguments: rest, cache_dir, models: loader, pictures };
    let code = gaia_runtime::run_app(command)?;
    // A process has eight bits of exit code; more can't be told.
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// One sequence is enough: the command is the only user. Which of the kinds of engine a file is
/// for, its header says.
fn load(model: Model) -> Result<Engine, LoadError> {
    let Model { path, mmproj_path, .. } = model;
    let kind = gaia_inference::kind_of(&path)?;
    let config = EngineConfig { sequences_max: 1, mmproj_path, ..EngineConfig::new(path, kind) };
    let config = match kind {
        EngineKind::Generate => config,
        // A command may open many contexts and compute them together.
        EngineKind::Embed | EngineKind::Rank => {
            EngineConfig { sequences_max: 16, queue_max: 1024, ..config }
        }
    };
    Engine::load(&config, Box::new(|_| true))
}

/// A picture in a prompt of the command.
fn picture(base64: &str) -> Result<Picture, String> {
    let limits = Limits::default();
    let file = gaia_pictures::from_base64(base64, &limits);
    let decoded = file.and_then(|file| gaia_pictures::decode(&file, &limits));
    let Decoded { width, height, rgb } = decoded.map_err(|error| error.to_string())?;
    Picture::new(width, height, Arc::new(rgb)).ok_or_else(|| "its decoder gave up".into())
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.iter();
    parsed.path = arguments.next().context("expected FILE.wasm")?.into();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--model" => parsed.models.push(model(value()?)?),
            "--mmproj" => {
                let model = parsed.models.last_mut().context("--mmproj comes after its --model")?;
                model.mmproj_path = Some(value()?.into());
            }
            "--cache" => parsed.cache_dir = Some(value()?.into()),
            "--" => {
                parsed.rest = arguments.cloned().collect();
                break;
            }
            other => bail!("unexpected {other:?}: the command's own arguments come after --"),
        }
    }
    Ok(parsed)
}

fn model(pair: &str) -> Result<Model> {
    let (name, path) = pair.split_once('=').context("--model needs NAME=PATH")?;
    Ok(Model { name: name.to_owned(), path: path.into(), mmproj_path: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn models_and_arguments_are_told_apart() {
        let line = "a.wasm --model m=/m.gguf --mmproj /p --model n=/n --cache /c -- --model x";
        let parsed = parse(&words(line)).expect("fine");
        assert_eq!(parsed.path, PathBuf::from("a.wasm"));
        let model = |name: &str, path: &str, mmproj_path: Option<&str>| Model {
            name: name.into(),
            path: path.into(),
            mmproj_path: mmproj_path.map(PathBuf::from),
        };
        assert_eq!(parsed.models, [model("m", "/m.gguf", Some("/p")), model("n", "/n", None)]);
        assert_eq!(parsed.cache_dir, Some("/c".into()));
        assert_eq!(parsed.rest, ["--model", "x"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in [
            ("a.wasm --model", "value"),
            ("a.wasm --model m", "NAME=PATH"),
            ("a.wasm --mmproj p", "after its --model"),
            ("a.wasm x", "--"),
        ] {
            let error = parse(&words(line)).expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
