//! One collection on disk: a folder with versions of which one is current.
//!
//!     NAME/current        the name of the current version, replaced as a whole
//!     NAME/v000003/       manifest.json and the shard
//!
//! A version that is not current is what a crash left, or is being built; opening removes it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, CollectionSpec};
use serde::{Deserialize, Serialize};

use super::shard::Shard;

const CURRENT: &str = "current";
const MANIFEST: &str = "manifest.json";
const SHARD: &str = "shard";

/// What is known of a version besides its points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What its points are.
    pub spec: CollectionSpec,
    /// The name of its dense vector.
    #[serde(default)]
    pub vector: String,
}

/// A collection that is open. Its folder goes with it once it was replaced or deleted.
#[derive(Debug)]
pub struct Shelf {
    /// Its name.
    pub name: String,
    /// What is known of it.
    pub manifest: Manifest,
    /// Its points. Closing them writes, so they are dropped before the folder goes.
    pub shard: Shard,
    folder: Folder,
}

/// The folder of a version.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    is_retired: AtomicBool,
}

impl Shelf {
    /// The collection as it is now.
    ///
    /// # Errors
    /// The engine's own.
    pub fn collection(&self) -> Result<Collection, KnowledgeError> {
        Ok(Collection {
            name: self.name.clone(),
            spec: self.manifest.spec.clone(),
            points: self.shard.count()?,
            has_keywords: self.shard.has_keywords,
            ..Collection::default()
        })
    }

    /// Opens the current version of the collection in `place` and removes all others. Nothing: there
    /// is none, for its making was cut off, or it was deleted.
    ///
    /// # Errors
    /// It can't be read.
    pub fn open(place: &Path, name: &str) -> Result<Option<Self>, KnowledgeError> {
        if let Err(error) = fs::symlink_metadata(place.join(CURRENT))
            && error.kind() == io::ErrorKind::NotFound
        {
            fs::remove_dir_all(place).map_err(failed)?;
            return Ok(None);
        }
        let version = current(place)?;
        remove_others(place, &version)?;
        Self::load(place.join(version), name).map(Some)
    }

    /// Opens the current version, and removes nothing: another one may be in the making.
    ///
    /// # Errors
    /// It can't be read.
    pub fn open_again(place: &Path, name: &str) -> Result<Self, KnowledgeError> {
        Self::load(place.join(current(place)?), name)
    }

    /// Opens one version.
    ///
    /// # Errors
    /// It can't be read.
    pub fn load(folder: PathBuf, name: &str) -> Result<Self, KnowledgeError> {
        let text = fs::read(folder.join(MANIFEST)).map_err(|error| of_file(MANIFEST, error))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
            KnowledgeError::unavailable(format!("{MANIFEST} is damaged: {error}"))
        })?;
        let shard = Shard::open(&folder.join(SHARD), &manifest.vector, &manifest.spec)?;
        let folder = Folder { path: folder, is_retired: AtomicBool::new(false) };
        Ok(Self { name: name.into(), manifest, shard, folder })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Its folder goes when the last one who uses it lets go.
    pub fn retire(&self) {
        self.folder.is_retired.store(true, Ordering::Release);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_retired.load(Ordering::Acquire) {
            remove_version(&self.path);
        }
    }
}

/// Removes a version that is not current any more.
pub fn remove_version(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "could not remove old points");
    }
    // A deleted collection's own folder is empty now; another version keeps it.
    let _ = folder.parent().map(fs::remove_dir);
}

/// A version that is being built; dropped before it is current, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    place: PathBuf,
    version: String,
    is_current: bool,
}

impl Draft {
    /// A new folder for a version of the collection in `place`.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn begin(place: &Path) -> Result<Self, KnowledgeError> {
        fs::create_dir_all(place).map_err(failed)?;
        let numbers = fs::read_dir(place).map_err(failed)?.filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_prefix('v')?.parse::<u64>().ok()
        });
        let version = format!("v{:06}", numbers.max().unwrap_or(0) + 1);
        let draft = Self { place: place.to_owned(), version, is_current: false };
        fs::create_dir_all(draft.shard_folder()).map_err(failed)?;
        Ok(draft)
    }

    /// Where its shard goes.
    #[must_use]
    pub fn shard_folder(&self) -> PathBuf {
        self.folder().join(SHARD)
    }

    /// Where whatever else is needed while it is built may go.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.place.join(&self.version)
    }

    /// Makes it what the next start opens. Its shard must be closed; it is opened anew.
    ///
    /// # Errors
    /// A disk that fails; a shard that can't be read back.
    pub fn publish(mut self, name: &str, manifest: &Manifest) -> Result<Shelf, KnowledgeError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(KnowledgeError::unavailable)?;
        replace(&self.folder().join(MANIFEST), &text).map_err(failed)?;
        let shelf = Shelf::load(self.folder(), name)?;
        replace(&self.place.join(CURRENT), self.version.as_bytes()).map_err(failed)?;
        self.is_current = true;
        Ok(shelf)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_current {
            // What is left is removed when the collection is opened next.
            let _ = fs::remove_dir_all(self.folder());
            let _ = fs::remove_dir(&self.place);
        }
    }
}

/// Forgets which version is current: the next start removes the rest.
///
/// # Errors
/// A disk that fails.
pub fn forget(place: &Path) -> Result<(), KnowledgeError> {
    match fs::remove_file(place.join(CURRENT)) {
        // Of a collection that is damaged it may be gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed),
    }
}

/// The name of the current version, whose folder is there.
///
/// # Errors
/// It can't be read, or names none.
pub fn current(place: &Path) -> Result<String, KnowledgeError> {
    let text = fs::read(place.join(CURRENT)).map_err(|error| of_file(CURRENT, error))?;
    let version = String::from_utf8_lossy(&text).trim().to_owned();
    let is_name = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match version.strip_prefix('v').is_some_and(is_name) && place.join(&version).is_dir() {
        true => Ok(version),
        false => Err(KnowledgeError::unavailable(format!(
            "its file `{CURRENT}` is damaged: it names no version that is there"
        ))),
    }
}

/// A file of the collection's own that can't be read.
fn of_file(name: &str, error: io::Error) -> KnowledgeError {
    match failed(error) {
        KnowledgeError::Unavailable { message } => {
            KnowledgeError::unavailable(format!("{name}: {message}"))
        }
        other => other,
    }
}

fn remove_others(place: &Path, current: &str) -> Result<(), KnowledgeError> {
    for entry in fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name == CURRENT || name == current {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.map_err(failed)?;
    }
    Ok(())
}

/// Writes a file so that a crash leaves the old one or the new one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().expect("a file is in a folder");
    fs::File::open(folder)?.sync_all()
}

/// A disk's failure in our words.
pub fn failed(error: io::Error) -> KnowledgeError {
    match is_storage_full(&error) {
        true => KnowledgeError::DiskFull,
        false => KnowledgeError::unavailable(error),
    }
}

/// Whether a disk has no room, or none for this user.
pub fn is_storage_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
