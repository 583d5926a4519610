//! The library's log of writes. A shard's points are on the disk before a write is reported, and the
//! library does not read its log when it opens, so the log serves for one thing: it numbers the writes,
//! and a write whose number a point has seen is left out. The library never makes the log shorter.
//!
//!     wal/closed-N    a full piece, whose first write is number N
//!     wal/open-I      the piece that is written, and one more

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gaia_core::KnowledgeError;
use serde::Deserialize;

use super::shelf::failed;

const FOLDER: &str = "wal";
const CLOSED: &str = "closed-";

/// What a piece begins with: its kind, its version, and a seed for the checksums of its entries.
const HEADER: [u8; 8] = *b"wal\0gaia";

/// What is read of a segment's state.
#[derive(Deserialize)]
struct State {
    /// The number of the last write that it took.
    version: Option<u64>,
}

/// Removes the full pieces of a shard's log but the last, by which the numbers go on. The shard may be
/// open: the library does not come back to them.
///
/// # Errors
/// A disk that fails.
pub fn trim(shard: &Path) -> io::Result<()> {
    let folder = shard.join(FOLDER);
    let mut closed = closed(&folder)?;
    closed.pop();
    if closed.is_empty() {
        return Ok(());
    }
    // The last one got its name a moment ago: it must be on the disk before the others go.
    fs::File::open(&folder)?.sync_all()?;
    closed.iter().try_for_each(|(_, path)| fs::remove_file(path))
}

/// The full pieces, in order.
fn closed(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut closed = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(CLOSED)?.parse().ok());
        closed.extend(number.map(|number: u64| (number, entry.path())));
    }
    closed.sort_unstable();
    Ok(closed)
}

/// Writes a log without entries for a copy of a shard that is still, whose numbers go on behind the
/// shard's. It is what Qdrant's servers put into snapshots without a log.
///
/// # Errors
/// A segment's state that can't be read; a disk that fails.
pub fn write_empty(shard: &Path, into: &Path) -> Result<(), KnowledgeError> {
    let last = last_write(shard)?;
    let folder = into.join(FOLDER);
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::write(folder.join(format!("{CLOSED}{}", last + 1)), HEADER).map_err(failed)
}

/// The number of the last write that a segment took.
fn last_write(shard: &Path) -> Result<u64, KnowledgeError> {
    let pieces = closed(&shard.join(FOLDER)).map_err(failed)?;
    let mut last = pieces.last().map_or(0, |(number, _)| *number);
    for entry in fs::read_dir(shard.join("segments")).map_err(failed)? {
        let state = entry.map_err(failed)?.path().join("segment.json");
        if !state.exists() {
            continue;
        }
        let text = fs::read(&state).map_err(failed)?;
        let state: State = serde_json::from_slice(&text).map_err(KnowledgeError::unavailable)?;
        last = last.max(state.version.unwrap_or(0));
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard() -> tempfile::TempDir {
        let shard = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(shard.path().join("segments/one")).expect("made");
        fs::create_dir(shard.path().join(FOLDER)).expect("made");
        for name in ["closed-0", "closed-9", "closed-100", "open-3", "open-4", "closed-x"] {
            fs::write(shard.path().join(FOLDER).join(name), HEADER).expect("written");
        }
        shard
    }

    fn names(shard: &Path) -> Vec<String> {
        let entries = fs::read_dir(shard.join(FOLDER)).expect("there");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("one").file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_last_full_piece_stays() {
        let shard = shard();
        for _ in 0..2 {
            trim(shard.path()).expect("trimmed");
            assert_eq!(names(shard.path()), ["closed-100", "closed-x", "open-3", "open-4"]);
        }
        assert!(trim(&shard.path().join("none")).is_err());
    }

    #[test]
    fn an_empty_log_goes_on_behind_the_last_write() {
        for (state, wanted) in
            [(r#"{"version": 217, "config": {}}"#, 218), (r#"{"version": null}"#, 101)]
        {
            let (shard, into) = (shard(), tempfile::tempdir().expect("a folder"));
            fs::write(shard.path().join("segments/one/segment.json"), state).expect("written");
            write_empty(shard.path(), into.path()).expect("written");
            assert_eq!(names(into.path()), [format!("closed-{wanted}")]);
        }
        let shard = shard();
        fs::write(shard.path().join("segments/one/segment.json"), "{").expect("written");
        assert!(write_empty(shard.path(), shard.path()).is_err());
    }
}
