//! Files that are needed for one request.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::config::KnowledgeConfig;

/// What their names begin with, and what those of folders end with that the engine makes for them.
const PREFIX: &str = "scratch-";
const FOLDER_ENDING: &str = ".part";

/// Nobody else may read what is handed in.
const MODE: u32 = 0o700;

/// A name for a file that goes when nobody needs it any more; while it is held, no other node that
/// starts sweeps its folder.
#[derive(Debug)]
pub struct Scratch {
    /// The file; it need not be there.
    pub file: PathBuf,
    /// Open, with a lock.
    _folder: File,
}

impl Scratch {
    /// A name that no other has.
    ///
    /// # Errors
    /// Its folder can't be made, or is being swept.
    pub fn new(config: &KnowledgeConfig, id: &str) -> Result<Self> {
        let path = folder(config)?;
        let folder = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        if folder.try_lock_shared().is_err() {
            bail!("{} is being tidied by a node that starts: try again", path.display());
        }
        Ok(Self { file: path.join(format!("{PREFIX}{id}")), _folder: folder })
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
/// It can't be made, or is somebody else's.
pub fn folder(config: &KnowledgeConfig) -> Result<PathBuf> {
    let folder = config.engine.folder().join("downloads");
    let made = DirBuilder::new().recursive(true).mode(MODE).create(&folder);
    // It may be older than this rule.
    let made = made.and_then(|()| std::fs::set_permissions(&folder, Permissions::from_mode(MODE)));
    made.with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Removes what a node that was killed left, unless another one is at work there.
///
/// # Errors
/// The folder can't be made or read.
pub fn sweep(config: &KnowledgeConfig) -> Result<()> {
    let path = folder(config)?;
    let reading = || format!("reading {}", path.display());
    let folder = File::open(&path).with_context(reading)?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(()),
        locked => locked.with_context(reading)?,
    }
    for entry in std::fs::read_dir(&path).with_context(reading)?.filter_map(Result::ok) {
        let (name, is_folder) = (entry.file_name(), entry.file_type().is_ok_and(|it| it.is_dir()));
        let name = name.to_string_lossy();
        let swept = match is_folder {
            true if name.ends_with(FOLDER_ENDING) => std::fs::remove_dir_all(entry.path()),
            false if name.trim_start_matches('.').starts_with(PREFIX) => {
                std::fs::remove_file(entry.path())
            }
            _ => Ok(()),
        };
        if let Err(error) = swept {
            tracing::warn!(file = %entry.path().display(), %error, "what was left over stays");
        }
    }
    Ok(())
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
        for name in ["scratch-2", ".scratch-2.writing", "0123abcd.part"] {
            std::fs::write(downloads.join(name), b"x").expect("written");
        }
        for name in ["scratch-2.18a5.part", "a.snapshot.18a6.part"] {
            std::fs::create_dir_all(downloads.join(name).join("content")).expect("made");
        }
        let left = || std::fs::read_dir(&downloads).expect("read").count();
        let other = Scratch::new(&config, "3").expect("a name");
        sweep(&config).expect("somebody is at work");
        assert_eq!(left(), 5);
        drop(other);
        sweep(&config).expect("swept");
        assert_eq!(left(), 1, "a download goes on where it was");
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn nobody_else_reads_what_is_handed_in() {
        let home = std::env::temp_dir().join(format!("gaia-scratch-mode-{}", std::process::id()));
        std::fs::create_dir_all(home.join("downloads")).expect("made");
        let engine = crate::config::EngineConfig::Server {
            folder: home.clone(),
            url: "http://localhost:6334".into(),
            rest_url: None,
            api_key_file: None,
        };
        let config = KnowledgeConfig { engine, ..KnowledgeConfig::in_folder(home.clone()) };
        let scratch = Scratch::new(&config, "1").expect("a name");
        assert!(scratch.file.starts_with(&home));
        let mode = home.join("downloads").metadata().expect("made").permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
