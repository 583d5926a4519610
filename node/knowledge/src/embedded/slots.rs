//! The collections of a folder by name: open, or broken with the reason.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, check_name};

use super::reason::reason;
use super::shelf::{self, Shelf, failed};

/// Collections at most: each holds files open.
const COLLECTIONS_MAX: usize = 1000;

/// A collection that is there.
#[derive(Clone, Debug)]
pub enum Slot {
    /// It can be used.
    Open(Arc<Shelf>),
    /// It could not be opened.
    Broken(Broken),
}

/// Why a collection could not be opened.
#[derive(Clone, Debug)]
pub struct Broken {
    reason: String,
    /// The folder of its current version, if there is one.
    version: Option<PathBuf>,
    tried: Instant,
}

/// All collections of a folder, which no other process has open.
pub struct Slots {
    folder: PathBuf,
    /// A lock held for as long as copying a pointer takes.
    all: RwLock<BTreeMap<String, Slot>>,
    /// Let go when all collections are closed.
    _lock: File,
}

impl Slots {
    /// Opens all collections in `folder`, which is made if it is not there. What can't be read is told
    /// in the log and left as it is.
    ///
    /// # Errors
    /// Another process has the folder open; a disk that fails.
    pub fn open(folder: &Path) -> Result<Self, KnowledgeError> {
        let collections = folder.join("collections");
        fs::create_dir_all(&collections).map_err(failed)?;
        let lock = lock(folder)?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&collections).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // What others leave in folders is no collection.
            if check_name(&name).is_err() || entry.path().is_file() {
                continue;
            }
            let slot = match Shelf::open(&entry.path(), &name) {
                Ok(None) => continue,
                Ok(Some(shelf)) => Slot::Open(Arc::new(shelf)),
                Err(error) => Slot::Broken(Broken::now(&entry.path(), &name, &error)),
            };
            all.insert(name, slot);
        }
        Ok(Self { folder: collections, all: RwLock::new(all), _lock: lock })
    }

    /// Where a collection's folder is.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The collection of that name, open or not.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Slot, KnowledgeError> {
        let all = self.read();
        all.get(name).cloned().ok_or_else(|| KnowledgeError::UnknownCollection {
            name: name.to_owned(),
            known: all.keys().cloned().collect(),
        })
    }

    /// The collection of that name.
    ///
    /// # Errors
    /// There is none, or it is broken.
    pub fn shelf(&self, name: &str) -> Result<Arc<Shelf>, KnowledgeError> {
        match self.find(name)? {
            Slot::Open(shelf) => Ok(shelf),
            Slot::Broken(Broken { reason, .. }) => {
                Err(KnowledgeError::Broken { name: name.to_owned(), reason })
            }
        }
    }

    /// All that is there.
    pub fn list(&self) -> Vec<(String, Slot)> {
        self.read().iter().map(|(name, slot)| (name.clone(), slot.clone())).collect()
    }

    /// Holds a new collection's name to what is there.
    ///
    /// # Errors
    /// There is one of that name, unless it may be replaced; there are too many.
    pub fn check_free(&self, name: &str, replaces: bool) -> Result<(), KnowledgeError> {
        let all = self.read();
        match all.contains_key(name) {
            true if replaces => Ok(()),
            true => Err(KnowledgeError::CollectionExists { name: name.to_owned() }),
            false if all.len() >= COLLECTIONS_MAX => Err(KnowledgeError::invalid(format!(
                "there are {COLLECTIONS_MAX} collections: delete some first"
            ))),
            false => Ok(()),
        }
    }

    /// Whether a broken collection was not tried for so long; then that counts as trying it.
    pub fn is_due(&self, name: &str, patience: Duration) -> bool {
        match self.write().get_mut(name) {
            Some(Slot::Broken(broken)) if broken.tried.elapsed() >= patience => {
                broken.tried = Instant::now();
                true
            }
            _ => false,
        }
    }

    /// Opens a broken collection again. Blocks; nothing else may change the collections meanwhile.
    ///
    /// # Errors
    /// It still can't be read.
    pub fn reopen(&self, name: &str) -> Result<Arc<Shelf>, KnowledgeError> {
        if let Slot::Open(shelf) = self.find(name)? {
            return Ok(shelf);
        }
        let place = self.place(name);
        let slot = match Shelf::open_again(&place, name) {
            Ok(shelf) => Slot::Open(Arc::new(shelf)),
            Err(error) => Slot::Broken(Broken::now(&place, name, &error)),
        };
        self.write().insert(name.to_owned(), slot);
        self.shelf(name)
    }

    /// Puts a collection in the place of another, or of none; the other's folder goes when its last
    /// search ends. Blocks, for closing writes.
    pub fn exchange(&self, name: &str, new: Option<Shelf>) {
        let kept = new.as_ref().map(|shelf| shelf.folder().to_owned());
        let old = match new {
            Some(shelf) => self.write().insert(name.to_owned(), Slot::Open(Arc::new(shelf))),
            None => self.write().remove(name),
        };
        match old {
            Some(Slot::Open(shelf)) => shelf.retire(),
            Some(Slot::Broken(Broken { version: Some(version), .. }))
                if Some(&version) != kept.as_ref() =>
            {
                shelf::remove_version(&version);
            }
            _ => {}
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Slot>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Slot>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// What is told of it.
    pub fn collection(&self, name: &str) -> Collection {
        let told = match self {
            Self::Open(shelf) => shelf.collection(),
            Self::Broken(Broken { reason, .. }) => {
                return Collection::broken(name.to_owned(), reason.clone());
            }
        };
        told.unwrap_or_else(|error| Collection::broken(name.to_owned(), reason(&error)))
    }
}

impl Broken {
    fn now(place: &Path, name: &str, error: &KnowledgeError) -> Self {
        tracing::error!(collection = name, %error, "a collection can't be read");
        let version = shelf::current(place).ok().map(|version| place.join(version));
        Self { reason: reason(error), version, tried: Instant::now() }
    }
}

fn lock(folder: &Path) -> Result<File, KnowledgeError> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.display();
            let message = format!(
                "{folder} is open in another process: stop that node, or give this one another \
                 folder by [knowledge] folder"
            );
            Err(KnowledgeError::Unavailable { message })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
