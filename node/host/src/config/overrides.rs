//! What the command line changes in a config.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gaia_protocol::ModelKind;

use super::model::{ServedConfig, is_name};
use super::{Config, Places, names_twice};

/// The command line's part of a config.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Overrides {
    /// Config file; without one, the built-in config serves two small models
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// GGUF file to serve, as NAME=PATH or PATH (then the file's name is the model's name).
    ///
    /// A model of that name gets the file. Else the first one takes the place of the first chat
    /// model, and each further one is added with that model's settings, all but its
    /// context_tokens, which belong to the file.
    #[arg(long = "model", value_name = "[NAME=]PATH")]
    pub models: Vec<String>,
}

impl Overrides {
    pub(super) fn apply(&self, config: &mut Config) -> Result<()> {
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        let mut replaced = false;
        for argument in &self.models {
            let (name, path) = name_and_path(argument, &config.places)?;
            replaced = place(config, name, path, replaced);
        }
        let names = config.models.iter().map(|model| model.names().collect::<Vec<_>>());
        let others = config.upstreams.iter().map(|upstream| upstream.names().collect());
        if let Some((_, name)) = names_twice(names.chain(others)).first() {
            bail!("--model: {name:?} is an alias of another model; choose another name");
        }
        Ok(())
    }
}

/// Puts a file into the config; true once the first chat model has been replaced.
fn place(config: &mut Config, name: String, path: PathBuf, replaced: bool) -> bool {
    let models = &mut config.models;
    if let Some(same) = models.iter_mut().find(|other| other.model.name == name) {
        same.set_path(path);
        return replaced;
    }
    let chat = models.iter().position(|other| other.model.kind == ModelKind::Chat);
    let Some(chat) = chat else {
        models.push(ServedConfig::plain(name, path, &config.places));
        return true;
    };
    let new = models[chat].like_this(name, path);
    if replaced {
        // The aliases stay with the model that has the settings.
        models.push(new.without_aliases());
    } else {
        models[chat] = new;
    }
    true
}

/// Splits `NAME=PATH` or `PATH`; the path starts from the current folder.
pub fn name_and_path(argument: &str, places: &Places) -> Result<(String, PathBuf)> {
    let (name, path) = match argument.split_once('=') {
        Some((name, path)) => (name.to_owned(), Path::new(path)),
        None => (stem(argument)?, Path::new(argument)),
    };
    if !is_name(&name) {
        bail!("--model {argument}: {name:?} is no name for a model; write --model NAME={argument}");
    }
    let path = places.resolve_typed(path).with_context(|| format!("--model {argument}"))?;
    Ok((name, path))
}

fn stem(argument: &str) -> Result<String> {
    let stem = Path::new(argument).file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).with_context(|| format!("--model {argument}: write NAME=PATH"))
}
