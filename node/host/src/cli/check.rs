//! `gaia-node check`: everything that would keep the node from serving, told at once.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::{Config, LogConfig, Overrides, ServedConfig};
use crate::workers::{Launch, probe};

/// Loads each model in a worker of its own; exit code 1 if anything is wrong.
pub async fn run(overrides: &Overrides) -> Result<ExitCode> {
    let config = Config::load(overrides)?;
    // What goes wrong is told below; a worker's own words are for `start`.
    crate::log::start(&LogConfig { filter: "off".into(), ..config.log.clone() })?;
    let launch = Launch::new(&config)?;
    let mut problems = 0;
    for model in &config.models {
        let name = &model.model.name;
        match check(&launch, model).await {
            Ok(summary) => super::print(&format!("ok       {name}: {summary}"))?,
            Err(error) => {
                problems += 1;
                super::print(&format!("problem  {name}: {error:#}"))?;
            }
        }
    }
    if problems > 0 {
        super::print(&format!("{problems} of {} models can't be served", config.models.len()))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(launch: &Launch, config: &ServedConfig) -> Result<String> {
    let advice = "run scripts/setup, or correct the path";
    for (what, path) in [
        ("the worker's program", &launch.binary),
        ("the model", &config.model.path),
        ("the app", &config.app.path),
    ] {
        if !is_file(path) {
            anyhow::bail!("{what} {} is missing: {advice}", path.display());
        }
    }
    let card = probe(launch, &config.worker()).await?;
    Ok(format!("{} ({} tokens of context)", card.description, card.context_tokens))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}
