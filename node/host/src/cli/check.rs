//! `gaia-node check`: everything that would keep the node from serving, told at once.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::{Config, LogConfig, Overrides, ServedConfig, UpstreamConfig};
use crate::upstream::Upstream;
use crate::workers::{Launch, probe};

/// Loads each model in a worker of its own; exit code 1 if anything is wrong.
pub async fn run(overrides: &Overrides) -> Result<ExitCode> {
    let config = Config::load(overrides)?;
    // What goes wrong is told below; a worker's own words are for `start`.
    crate::log::start(&LogConfig { filter: "off".into(), ..config.log.clone() })?;
    let launch = Launch::new(&config)?;
    let mut problems = 0;
    for model in &config.models {
        problems += tell(&model.model.name, check(&launch, model).await)?;
    }
    for upstream in &config.upstreams {
        problems += tell(&upstream.name, check_upstream(upstream).await)?;
    }
    if problems > 0 {
        let count = config.models.len() + config.upstreams.len();
        super::print(&format!("{problems} of {count} models can't be served"))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints one line; how many problems it tells.
fn tell(name: &str, found: Result<String>) -> Result<usize> {
    match found {
        Ok(summary) => super::print(&format!("ok       {name}: {summary}")).map(|()| 0),
        Err(error) => super::print(&format!("problem  {name}: {error:#}")).map(|()| 1),
    }
}

async fn check_upstream(config: &UpstreamConfig) -> Result<String> {
    Upstream::open(config.clone())?.probe().await
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
    if let Some(path) = config.model.mmproj_path.as_ref().filter(|path| !is_file(path)) {
        anyhow::bail!(
            "the projector (mmproj_path) {} is missing: correct the path",
            path.display()
        );
    }
    let card = probe(launch, &config.worker()).await?;
    let pictures = if card.takes_pictures { ", takes pictures" } else { "" };
    Ok(format!("{} ({} tokens of context{pictures})", card.description, card.context_tokens))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}
