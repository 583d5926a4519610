//! Writes a snapshot of a collection as Qdrant's own server does, so that a server takes it over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gaia_archive::{Compression, pack};
use gaia_core::KnowledgeError;
use serde_json::{Value, json};

use super::super::log;
use super::super::room;
use super::super::shard::WORDS_VECTOR;
use super::super::shelf::{Shelf, failed};
use super::layout::{METADATA, OWN_METADATA};
use super::{beside, convert};

/// The version of a collection's files, by Qdrant's `collection` crate; the same since 0.8.
const COLLECTION_VERSION: &str = "0.4.2";

/// The single shard's folder.
const SHARD: &str = "0";

/// Writes the collection to a new file; writes wait meanwhile, searches don't. A name that ends in
/// `.gz` gets a compressed one, in the form that Gaia's nodes publish.
///
/// # Errors
/// The file is there already; a disk that fails.
pub fn write(shelf: &Shelf, file: &Path) -> Result<(), KnowledgeError> {
    if file.exists() {
        let message = format!("{} is there already: choose another name", file.display());
        return Err(KnowledgeError::Invalid { message });
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("{}: its folder is not there", file.display());
        return Err(KnowledgeError::Invalid { message });
    }
    // Its segments are packed once each, and then all of them.
    room::check(folder, 2 * room::taken(shelf.shard.folder())?)?;
    let staging = Staging(beside(file, ".staging"));
    fs::create_dir_all(staging.0.join(SHARD).join("segments")).map_err(failed)?;
    shelf.shard.while_still(|engine| stage_shard(engine.path(), &staging.0.join(SHARD)))??;
    stage_collection(shelf, &staging.0)?;
    let is_gzip = file.extension().is_some_and(|ending| ending == "gz");
    let compression = if is_gzip { Compression::Gzip } else { Compression::None };
    pack(&staging.0, file, compression, &|_| true).map_err(packing)?;
    Ok(())
}

/// A folder that goes when the snapshot is written, or could not be.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed lies beside the snapshot, under its name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The segments, each a tar with `snapshot/files`, and a log without entries: all are in the segments.
fn stage_shard(shard: &Path, into: &Path) -> Result<(), KnowledgeError> {
    for entry in fs::read_dir(shard.join("segments")).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if !entry.path().is_dir() || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let part = into.join("part");
        link_all(&entry.path(), &part.join("snapshot").join("files")).map_err(failed)?;
        let mut tar = into.join("segments").join(&name).into_os_string();
        tar.push(".tar");
        pack(&part, Path::new(&tar), Compression::None, &|_| true).map_err(packing)?;
        fs::remove_dir_all(&part).map_err(failed)?;
    }
    log::write_empty(shard, into)
}

fn stage_collection(shelf: &Shelf, into: &Path) -> Result<(), KnowledgeError> {
    let shard = into.join(SHARD);
    let text = |value: &Value| value.to_string();
    let files = [
        (into.join("version.info"), COLLECTION_VERSION.to_owned()),
        (into.join("config.json"), text(&config(shelf))),
        (into.join("shard_key_mapping.json"), "{}".to_owned()),
        (into.join("payload_index.json"), text(&payload_index())),
        (shard.join("shard_config.json"), text(&json!({"type": "ReplicaSet"}))),
        (shard.join("replica_state.json"), text(&replica_state())),
    ];
    files.iter().try_for_each(|(path, text)| fs::write(path, text)).map_err(failed)
}

fn replica_state() -> Value {
    json!({"is_local": true, "this_peer_id": 1, "peers": {"1": "Active"}})
}

fn payload_index() -> Value {
    json!({"schema": {"document": "keyword"}})
}

/// The collection's config as the server writes it.
fn config(shelf: &Shelf) -> Value {
    let spec = &shelf.manifest.spec;
    let distance = format!("{:?}", convert::distance(spec.distance));
    let vectors = match shelf.manifest.vector.as_str() {
        "" => json!({"size": spec.dimension, "distance": distance}),
        name => json!({name: {"size": spec.dimension, "distance": distance}}),
    };
    json!({
        "params": {
            "vectors": vectors,
            "shard_number": 1,
            "replication_factor": 1,
            "write_consistency_factor": 1,
            "on_disk_payload": true,
            "sparse_vectors": {WORDS_VECTOR: {"modifier": "idf"}},
        },
        "hnsw_config": {
            "m": 16,
            "ef_construct": 100,
            "full_scan_threshold": 10_000,
            "max_indexing_threads": 0,
            "on_disk": false,
        },
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "max_segment_size": null,
            "memmap_threshold": null,
            "indexing_threshold": 10_000,
            "flush_interval_sec": 5,
            "max_optimization_threads": null,
        },
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        "quantization_config": null,
        METADATA: {OWN_METADATA: spec},
    })
}

/// Links files instead of copying them: they don't change while the shard is still.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (from, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if from.is_dir() {
            link_all(&from, &target)?;
        } else {
            fs::hard_link(&from, &target).or_else(|_| fs::copy(&from, &target).map(drop))?;
        }
    }
    Ok(())
}

fn packing(error: gaia_archive::PackError) -> KnowledgeError {
    let message = error.to_string();
    if message.contains("os error 28") {
        KnowledgeError::DiskFull
    } else {
        KnowledgeError::unavailable(message)
    }
}
