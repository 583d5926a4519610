//! A place for a file that is not whole yet.

use std::path::{Path, PathBuf};

use gaia_core::KnowledgeError;

/// A new folder beside a file, for what becomes the file or is made of it; it goes with all that is in
/// it.
pub(super) struct Beside(PathBuf);

impl Beside {
    /// # Errors
    /// The folder can't be made.
    pub(super) fn new(file: &Path) -> Result<Self, KnowledgeError> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", super::restore::stamp()));
        let folder = file.with_file_name(name);
        std::fs::create_dir(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(Self(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where the file goes.
    pub(super) fn file(&self) -> PathBuf {
        self.0.join("snapshot")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            let folder = self.0.display();
            tracing::warn!(%folder, %error, "a folder that is no longer needed stays");
        }
    }
}

/// The folder that a file is in.
pub(super) fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// What a failure of the disk means.
pub(super) fn failed(path: &Path, error: &std::io::Error) -> KnowledgeError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return KnowledgeError::DiskFull;
    }
    KnowledgeError::unavailable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_grows_beside_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.snapshot");
        let beside = Beside::new(&file).expect("a folder");
        assert_eq!(beside.0.parent(), Some(folder.path()));
        std::fs::write(beside.file(), b"x").expect("a file");
        std::fs::rename(beside.file(), &file).expect("it is placed");
        drop(beside);
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 1);
        assert!(Beside::new(&folder.path().join("none/a.snapshot")).is_err());
    }
}
