//! The files of a folder that may be read, in the same order every time.

use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::kind::Kind;

/// Folders of what programs made or fetched, in no knowledge base.
const LEFT_OUT: &[&str] = &["target", "node_modules", ".git"];
/// Folders in folders.
const DEPTH_MAX: usize = 64;

/// What a walk may find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of one file; a larger one is reported.
    pub file_bytes_max: u64,
    /// Files and reports together.
    pub entries_max: usize,
    /// Bytes of all files together.
    pub bytes_max: u64,
}

impl Default for Rules {
    /// 100,000 files, 32 MiB each, 4 GiB together.
    fn default() -> Self {
        Self { file_bytes_max: 32 << 20, entries_max: 100_000, bytes_max: 4 << 30 }
    }
}

/// A file that was found, or a thing that was left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file to read.
    File {
        /// Its path from the folder on, with `/`: the source's name.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// Its bytes, as far as known before it is read.
        bytes: u64,
    },
    /// Something that can't be read; the walk goes on.
    Left {
        /// Its path from the folder on, with `/`.
        name: String,
        /// Why.
        reason: Reason,
    },
}

/// Why something in a folder was left aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A link; it may lead anywhere, also in circles.
    #[error("links are not followed: give the folder or file that it leads to")]
    Link,
    /// A pipe, socket or device.
    #[error("it is no regular file")]
    Special,
    /// More bytes than [`Rules::file_bytes_max`].
    #[error("it has {bytes} bytes, at most {bytes_max} are read: split it")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A file whose ending is that of no readable document.
    #[error("{0}")]
    Unsupported(#[from] crate::error::ReadError),
    /// A name that is not UTF-8.
    #[error("its name is not UTF-8: rename it")]
    Name,
    /// The system refused.
    #[error("{0}: check its permissions")]
    Unreadable(String),
}

/// Why a folder could not be walked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// No folder, or one that can't be opened.
    #[error("{path} can't be opened as a folder: {why}")]
    NoFolder {
        /// The folder.
        path: String,
        /// What the system says.
        why: String,
    },
    /// More files than [`Rules::entries_max`].
    #[error("the folder has more than {entries_max} files: give its subfolders one by one")]
    TooMany {
        /// The limit.
        entries_max: usize,
    },
    /// More bytes than [`Rules::bytes_max`].
    #[error(
        "the files of the folder have more than {bytes_max} bytes: give its subfolders one by one"
    )]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
}

/// The files in a folder and its subfolders, by name. Hidden ones, those that a `.gitignore` in the
/// folder names, and `target`, `node_modules` and `.git` are left out; links are not followed.
///
/// # Errors
///
/// [`WalkError`]: no folder, or one with more than the rules allow. A single thing that can't be read
/// is an [`Entry::Left`].
pub fn walk(folder: &Path, rules: &Rules) -> Result<Vec<Entry>, WalkError> {
    check_folder(folder)?;
    let (mut entries, mut bytes_all) = (vec![], 0_u64);
    for found in walker(folder).build() {
        let Some(entry) = look(folder, found, rules) else { continue };
        if let Entry::File { bytes, .. } = entry {
            bytes_all = bytes_all.saturating_add(bytes);
        }
        if entries.len() >= rules.entries_max {
            return Err(WalkError::TooMany { entries_max: rules.entries_max });
        }
        if bytes_all > rules.bytes_max {
            return Err(WalkError::TooLarge { bytes_max: rules.bytes_max });
        }
        entries.push(entry);
    }
    entries.sort_by(|one, other| name(one).cmp(name(other)));
    Ok(entries)
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::File { name, .. } | Entry::Left { name, .. } => name,
    }
}

fn check_folder(folder: &Path) -> Result<(), WalkError> {
    let opened = std::fs::read_dir(folder).map(drop);
    opened.map_err(|error| WalkError::NoFolder {
        path: folder.display().to_string(),
        why: error.to_string(),
    })
}

/// Only what lies in the folder has a say: the same folder gives the same files everywhere.
fn walker(folder: &Path) -> WalkBuilder {
    let mut walker = WalkBuilder::new(folder);
    walker
        .standard_filters(false)
        .hidden(true)
        .git_ignore(true)
        .require_git(false)
        .follow_links(false)
        .max_depth(Some(DEPTH_MAX))
        .filter_entry(|entry| entry.depth() == 0 || !is_left_out(entry));
    walker
}

fn is_left_out(entry: &DirEntry) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    is_folder && LEFT_OUT.iter().any(|name| entry.file_name() == *name)
}

/// What was found, if it is anything to report: folders are not.
fn look(folder: &Path, found: Result<DirEntry, ignore::Error>, rules: &Rules) -> Option<Entry> {
    let entry = match found {
        Ok(entry) => entry,
        Err(error) => return Some(unreadable(folder, &error)),
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    let path = entry.path();
    let inside = path.strip_prefix(folder).unwrap_or(path);
    let name = inside.to_string_lossy().replace('\\', "/");
    let left = |reason| Some(Entry::Left { name: name.clone(), reason });
    if kind.is_symlink() {
        return left(Reason::Link);
    }
    if !kind.is_file() {
        return left(Reason::Special);
    }
    if inside.to_str().is_none() {
        return left(Reason::Name);
    }
    if let Err(error) = Kind::of_name(&name) {
        return left(error.into());
    }
    match entry.metadata() {
        Ok(metadata) if metadata.len() > rules.file_bytes_max => {
            left(Reason::TooLarge { bytes: metadata.len(), bytes_max: rules.file_bytes_max })
        }
        Ok(metadata) => Some(Entry::File { bytes: metadata.len(), path: path.to_owned(), name }),
        Err(error) => left(Reason::Unreadable(error.to_string())),
    }
}

/// What the system or a `.gitignore` said, with the path it is about.
fn unreadable(folder: &Path, error: &ignore::Error) -> Entry {
    let (mut error, mut name) = (error, String::new());
    loop {
        error = match error {
            ignore::Error::WithPath { path, err } => {
                let inside = path.strip_prefix(folder).unwrap_or(path);
                name = inside.to_string_lossy().into_owned();
                err
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => err,
            error => {
                let reason = Reason::Unreadable(error.to_string());
                return Entry::Left { name, reason };
            }
        };
    }
}
