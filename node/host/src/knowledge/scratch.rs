//! Files that are needed for one request.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::config::{EngineConfig, KnowledgeConfig};

/// What their names begin with.
const PREFIX: &str = "scratch-";

/// A name for a file that goes when nobody needs it any more.
#[derive(Debug)]
pub struct Scratch {
    /// The file; it need not be there.
    pub file: PathBuf,
}

impl Scratch {
    /// A name that no other has.
    ///
    /// # Errors
    /// Its folder can't be made.
    pub fn new(config: &KnowledgeConfig, id: &str) -> Result<Self> {
        Ok(Self { file: folder(config)?.join(format!("{PREFIX}{id}")) })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let file = self.file.display();
                tracing::warn!(%file, %error, "a file that is no longer needed stays");
            }
            _ => {}
        }
    }
}

/// The folder for what is downloaded, handed in and packed.
///
/// # Errors
/// It can't be made.
pub fn folder(config: &KnowledgeConfig) -> Result<PathBuf> {
    let folder = match &config.engine {
        EngineConfig::Embedded { folder } => folder.join("downloads"),
        EngineConfig::Server { .. } => std::env::temp_dir().join("gaia-node"),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Removes what a node that was killed left in `folder`; nobody else may use it.
pub fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder.join("downloads")) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.strip_prefix('.').unwrap_or(name).starts_with(PREFIX));
        if is_ours && let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(file = %entry.path().display(), %error, "a left-over file stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_of_a_request_nor_of_a_kill() {
        let home = std::env::temp_dir().join(format!("gaia-scratch-{}", std::process::id()));
        let config = KnowledgeConfig::in_folder(home.clone());
        let scratch = Scratch::new(&config, "1").expect("a name");
        std::fs::write(&scratch.file, b"x").expect("written");
        let downloads = home.join("downloads");
        drop(scratch);
        assert_eq!(std::fs::read_dir(&downloads).expect("read").count(), 0);
        for name in ["scratch-2", ".scratch-2.writing", "0123abcd"] {
            std::fs::write(downloads.join(name), b"x").expect("written");
        }
        sweep(&home);
        let left: Vec<_> = std::fs::read_dir(&downloads).expect("read").flatten().collect();
        assert_eq!(left.len(), 1, "a download goes on where it was: {left:?}");
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
