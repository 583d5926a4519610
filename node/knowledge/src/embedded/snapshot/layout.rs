//! How Qdrant lays a snapshot out, through its versions (`SnapshotFormat` in its `segment` crate):
//! a segment is a tar of its folder (before 0.11), a tar with `snapshot/files` (0.11 on), or a folder
//! with `files`. Beside `files` stood backups of RocksDB, up to 1.16.

use std::fs;
use std::path::{Path, PathBuf};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::CollectionSpec;
use serde_json::Value;

use super::super::shelf::failed;
use super::unreadable;

/// Where Qdrant's collections keep what their owners say of them, and ours in it.
pub const METADATA: &str = "metadata";
/// Our part of a collection's metadata.
pub const OWN_METADATA: &str = "gaia";

/// A larger config is none.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Shards of a collection at most.
const SHARDS_MAX: usize = 64;

/// The folders of its shards.
///
/// # Errors
/// There is none: it is no snapshot.
pub fn shards(unpacked: &Path) -> Result<Vec<PathBuf>, KnowledgeError> {
    if unpacked.join("segments").is_dir() {
        return Ok(vec![unpacked.to_owned()]);
    }
    let is_shard = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_digit())
            && path.join("segments").is_dir()
    };
    let entries = fs::read_dir(unpacked).map_err(failed)?;
    let mut folders: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_shard).collect();
    folders.sort();
    if folders.is_empty() || folders.len() > SHARDS_MAX {
        let count = folders.len();
        return Err(unreadable(&format!(
            "it has {count} shards: is it a snapshot of a Qdrant collection or shard?"
        )));
    }
    Ok(folders)
}

/// What one of our own snapshots says of its collection.
#[must_use]
pub fn metadata(unpacked: &Path) -> Option<CollectionSpec> {
    let path = unpacked.join("config.json");
    if path.metadata().ok()?.len() > CONFIG_BYTES_MAX {
        return None;
    }
    let config: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    serde_json::from_value(config.get(METADATA)?.get(OWN_METADATA)?.clone()).ok()
}

/// Brings a shard's segments into the form in which the engine opens them; tells whether one had
/// backups of RocksDB, which are left out.
///
/// # Errors
/// A segment of another form.
pub fn unpack_segments(
    shard: &Path,
    aside: &Path,
    unpack: impl Fn(&Path, &Path) -> Result<(), KnowledgeError>,
) -> Result<bool, KnowledgeError> {
    let mut has_rocksdb = false;
    let entries = fs::read_dir(shard.join("segments")).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed));
    let paths: Result<Vec<_>, KnowledgeError> = paths.collect();
    for path in paths? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let folder = match path.extension().and_then(|ending| ending.to_str()) {
            Some("tar") if path.is_file() => {
                unpack(&path, aside)?;
                fs::remove_file(&path).map_err(failed)?;
                let folder = path.with_extension("");
                let inner = aside.join("snapshot");
                let content = if inner.is_dir() { inner } else { aside.to_owned() };
                fs::rename(content, &folder).map_err(failed)?;
                if aside.exists() {
                    fs::remove_dir_all(aside).map_err(failed)?;
                }
                folder
            }
            None if path.is_dir() => path,
            _ => return Err(unreadable(&format!("segments/{name} is no segment"))),
        };
        has_rocksdb |= settle(&folder)?;
    }
    Ok(has_rocksdb)
}

/// Lifts `files` up to the segment itself.
fn settle(segment: &Path) -> Result<bool, KnowledgeError> {
    let mut has_rocksdb = segment.join("CURRENT").exists();
    for backup in ["db_backup", "payload_index_db_backup"] {
        let backup = segment.join(backup);
        if backup.is_dir() {
            has_rocksdb = true;
            fs::remove_dir_all(backup).map_err(failed)?;
        }
    }
    let files = segment.join("files");
    if !files.is_dir() {
        return Ok(has_rocksdb);
    }
    for entry in fs::read_dir(&files).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = segment.join(entry.file_name());
        if target.exists() {
            return Err(unreadable("a segment holds a file twice"));
        }
        fs::rename(entry.path(), target).map_err(failed)?;
    }
    fs::remove_dir(files).map_err(failed)?;
    Ok(has_rocksdb)
}
