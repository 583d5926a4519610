//! The folder of all files.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::FileInfo;

/// The bytes in a file's folder.
pub const CONTENT: &str = "content";

const META: &str = "meta.json";
const META_BYTES_MAX: u64 = 65_536;
/// What is being written, and what is being removed.
const UPLOAD: &str = ".upload-";
const GONE: &str = ".gone-";

/// No upload runs for so long: its node has crashed.
const UPLOAD_AGE_MAX: Duration = Duration::from_hours(24);

/// All whole files. What a crash left half done is removed.
pub fn read(folder: &Path) -> io::Result<Vec<FileInfo>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut files = vec![];
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with(GONE) || (name.starts_with(UPLOAD) && is_old(&path)) {
            clear(&path);
        } else if !name.starts_with('.') {
            files.extend(read_file(&path, name));
        }
    }
    Ok(files)
}

/// A new folder for the file of that id, under a name that no reader looks at.
pub fn begin(folder: &Path, id: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!("{UPLOAD}{id}"));
    // What users upload is nobody else's business.
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&path)?;
    Ok(path)
}

/// Gives the folder `begun`, whose content is durable already, its own name for good.
pub fn settle(begun: &Path, folder: &Path, info: &FileInfo) -> io::Result<()> {
    let mut meta = File::create_new(begun.join(META))?;
    meta.write_all(&serde_json::to_vec(info)?)?;
    meta.sync_all()?;
    sync_folder(begun)?;
    std::fs::rename(begun, folder.join(&info.id))?;
    sync_folder(folder)
}

/// Makes a file vanish at once; the folder that is left is to be removed.
pub fn hide(folder: &Path, id: &str) -> io::Result<PathBuf> {
    let gone = folder.join(format!("{GONE}{id}"));
    std::fs::rename(folder.join(id), &gone)?;
    sync_folder(folder)?;
    Ok(gone)
}

/// A name is durable when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_old(path: &Path) -> bool {
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age > UPLOAD_AGE_MAX)
}

fn clear(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "could not clear away a half-done file");
    }
}

fn read_file(path: &Path, name: &str) -> Option<FileInfo> {
    match try_read_file(path, name) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "not a file of this node: left alone");
            None
        }
    }
}

fn try_read_file(path: &Path, name: &str) -> io::Result<FileInfo> {
    let meta = path.join(META);
    if meta.metadata()?.len() > META_BYTES_MAX {
        return Err(io::Error::other("its meta.json is too large"));
    }
    let file: FileInfo = serde_json::from_slice(&std::fs::read(meta)?)?;
    let bytes = path.join(CONTENT).metadata()?.len();
    if file.id != name || file.bytes != bytes {
        return Err(io::Error::other("its meta.json speaks of another file"));
    }
    Ok(file)
}
