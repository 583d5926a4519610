//! The folder of all vector stores.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::VectorStore;

const ENDING: &str = "json";
/// What is being written.
const NEW: &str = ".new-";
/// A thousand files with all their attributes are smaller.
const STORE_BYTES_MAX: u64 = 64 << 20;

/// All whole stores. What a crash left half done is removed; what is foreign is left alone.
pub fn read(folder: &Path) -> io::Result<Vec<VectorStore>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut stores = vec![];
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(NEW) {
            std::fs::remove_file(&path)?;
        } else if path.extension().is_some_and(|ending| ending == ENDING) {
            stores.extend(read_store(&path));
        }
    }
    Ok(stores)
}

/// Writes a store in place of what it was.
pub fn write(folder: &Path, store: &VectorStore) -> io::Result<()> {
    // What users keep is nobody else's business.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = folder.join(format!("{NEW}{}", store.id));
    let written = write_new(&new, store).and_then(|()| {
        std::fs::rename(&new, folder.join(format!("{}.{ENDING}", store.id)))?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Removes a store; one that is not there is no error.
pub fn remove(folder: &Path, id: &str) -> io::Result<()> {
    match std::fs::remove_file(folder.join(format!("{id}.{ENDING}"))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(folder)?.sync_all(),
    }
}

fn write_new(path: &Path, store: &VectorStore) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&serde_json::to_vec(store)?)?;
    file.sync_all()
}

fn read_store(path: &Path) -> Option<VectorStore> {
    match try_read_store(path) {
        Ok(store) => Some(store),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "not a vector store: left alone");
            None
        }
    }
}

fn try_read_store(path: &Path) -> io::Result<VectorStore> {
    if path.metadata()?.len() > STORE_BYTES_MAX {
        return Err(io::Error::other("it is too large"));
    }
    let store: VectorStore = serde_json::from_slice(&std::fs::read(path)?)?;
    match path.file_stem().and_then(|stem| stem.to_str()) == Some(&store.id) {
        true => Ok(store),
        false => Err(io::Error::other("it speaks of another store")),
    }
}
