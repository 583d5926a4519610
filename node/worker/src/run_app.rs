//! `gaia-worker run-app FILE.wasm [--model NAME=PATH]… [--cache DIR] -- ARGS`: an unmodified
//! WASI-NN command with this process's standard streams.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use gaia_inference::{Engine, EngineConfig, EngineKind, LoadError};
use gaia_runtime::CommandApp;

/// The parsed command line.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    path: PathBuf,
    models: Vec<(String, PathBuf)>,
    cache_dir: Option<PathBuf>,
    rest: Vec<String>,
}

/// Runs the command to its end; the exit code is its own.
///
/// # Errors
/// The command line, the file, or a trap.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let Arguments { path, models, cache_dir, rest } = parse(arguments)?;
    let loader = Box::new(move |name: &str| {
        let (_, path) = models.iter().find(|(known, _)| known == name)?;
        Some(load(path.clone()))
    });
    let command = CommandApp { path, arguments: rest, cache_dir, models: loader };
    let code = gaia_runtime::run_app(command)?;
    // A process has eight bits of exit code; more can't be told.
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// One sequence is enough: the command is the only user. Which of the kinds of engine a file is
/// for, its header says.
fn load(path: PathBuf) -> Result<Engine, LoadError> {
    let kind = gaia_inference::kind_of(&path)?;
    let config = EngineConfig { sequences_max: 1, ..EngineConfig::new(path, kind) };
    let config = match kind {
        EngineKind::Generate => config,
        // A command may open many contexts and compute them together.
        EngineKind::Embed | EngineKind::Rank => {
            EngineConfig { sequences_max: 16, queue_max: 1024, ..config }
        }
    };
    Engine::load(&config, Box::new(|_| true))
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.iter();
    parsed.path = arguments.next().context("expected FILE.wasm")?.into();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--model" => parsed.models.push(model(value()?)?),
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

fn model(pair: &str) -> Result<(String, PathBuf)> {
    let (name, path) = pair.split_once('=').context("--model needs NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn models_and_arguments_are_told_apart() {
        let parsed =
            parse(&words("a.wasm --model m=/m.gguf --cache /c -- --model x")).expect("fine");
        assert_eq!(parsed.path, PathBuf::from("a.wasm"));
        assert_eq!(parsed.models, [("m".to_owned(), PathBuf::from("/m.gguf"))]);
        assert_eq!(parsed.cache_dir, Some("/c".into()));
        assert_eq!(parsed.rest, ["--model", "x"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in
            [("a.wasm --model", "value"), ("a.wasm --model m", "NAME=PATH"), ("a.wasm x", "--")]
        {
            let error = parse(&words(line)).expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
