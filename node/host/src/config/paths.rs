//! Where files are: the one place that reads the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders that paths in a config start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `GAIA_NODE_HOME`: models, apps and caches.
    pub node_home: PathBuf,
    /// The person's home, for `~/`.
    pub user_home: PathBuf,
    /// The config file's folder, for `./` and `../`.
    pub config_folder: PathBuf,
}

impl Places {
    /// Reads `GAIA_NODE_HOME` (default `~/.cache/gaia-node`) and the person's home.
    ///
    /// # Errors
    /// Neither is set, or the current folder is gone.
    pub fn from_environment(config: Option<&Path>) -> Result<Self> {
        let user_home = std::env::home_dir().filter(|home| home.is_absolute());
        let node_home = node_home_from_environment();
        let node_home = match (node_home, &user_home) {
            (Some(folder), _) => std::path::absolute(folder)?,
            (None, Some(home)) => home.join(".cache/gaia-node"),
            (None, None) => anyhow::bail!("set GAIA_NODE_HOME, or HOME to an absolute path"),
        };
        let config_folder = match config {
            Some(file) => folder_of(file)?,
            None => std::env::current_dir().context("the current folder is gone")?,
        };
        let user_home = user_home.unwrap_or_else(|| node_home.clone());
        Ok(Self { node_home, user_home, config_folder })
    }

    /// An absolute path as a person types it: relative means from the current folder.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn resolve_typed(&self, path: &Path) -> Result<PathBuf> {
        match path.strip_prefix("~") {
            Ok(rest) => Ok(self.user_home.join(rest)),
            Err(_) => std::path::absolute(path).with_context(|| path.display().to_string()),
        }
    }

    /// An absolute path: `/…` as it is, `~/…` from the person's home, `./…` and `../…` from the
    /// config file's folder, anything else from `GAIA_NODE_HOME`.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        if let Ok(rest) = path.strip_prefix("~") {
            return self.user_home.join(rest);
        }
        if path.starts_with("..") {
            return self.config_folder.join(path);
        }
        match path.strip_prefix(".") {
            Ok(rest) => self.config_folder.join(rest),
            Err(_) => self.node_home.join(path),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn node_home_from_environment() -> Option<OsString> {
    std::env::var_os("GAIA_NODE_HOME").filter(|home| !home.is_empty())
}

/// The API key that a variable holds which the command line names.
///
/// # Errors
/// There is no such variable, or it holds no text.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn key_from_environment(name: &str) -> Result<String> {
    let key = std::env::var(name).with_context(|| format!("reading the variable {name}"))?;
    anyhow::ensure!(!key.trim().is_empty(), "the variable {name} holds nothing");
    Ok(key.trim().to_owned())
}

fn folder_of(file: &Path) -> Result<PathBuf> {
    let file = std::path::absolute(file)
        .with_context(|| format!("finding the folder of {}", file.display()))?;
    let folder = file.parent().context("a config file lies in a folder")?;
    Ok(folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_path_has_its_own_start() {
        let places = Places {
            node_home: "/node".into(),
            user_home: "/home/ada".into(),
            config_folder: "/etc/gaia".into(),
        };
        for (written, meant) in [
            ("/models/a.gguf", "/models/a.gguf"),
            ("~/a.gguf", "/home/ada/a.gguf"),
            ("./a.gguf", "/etc/gaia/a.gguf"),
            ("../a.gguf", "/etc/gaia/../a.gguf"),
            ("models/a.gguf", "/node/models/a.gguf"),
        ] {
            assert_eq!(places.resolve(Path::new(written)), Path::new(meant), "{written}");
        }
    }
}
