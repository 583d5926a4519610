//! Snapshots are made, and become collections.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gaia_archive::{Compression, Limits, Watch, pack, unpack};
use gaia_core::knowledge::{Change, PointId, Restore, Scan};
use gaia_core::{Knowledge, KnowledgeError};
use tempfile::TempDir;

use super::{animals, collection, count, fill, near, object, point, scan_all, upsert, words};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn restore(name: &str, file: &Path) -> Restore {
    Restore { collection: name.into(), file: file.into(), embedder: None, dimension: None }
}

/// A snapshot of `c`, which has the animals.
async fn snapshot(engine: &dyn Knowledge, folder: &TempDir) -> PathBuf {
    fill(engine, animals()).await;
    let file = folder.path().join("c.snapshot");
    engine.snapshot("c", file.clone()).await.expect("it is made");
    file
}

/// What is in a folder.
fn list(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).expect("it is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("a file").file_name();
    entries.map(name).map(|name| name.to_string_lossy().into_owned()).collect()
}

pub async fn a_snapshot_never_overwrites(engine: &dyn Knowledge) {
    let folder = folder();
    fill(engine, animals()).await;
    let file = folder.path().join("c.snapshot");
    std::fs::write(&file, b"precious").expect("it is written");
    assert!(engine.snapshot("c", file.clone()).await.is_err());
    assert_eq!(std::fs::read(&file).expect("it is there"), b"precious");
    let nowhere = folder.path().join("none/c.snapshot");
    assert!(engine.snapshot("c", nowhere).await.is_err());
    assert_eq!(list(&folder), ["c.snapshot"]);
}

pub async fn a_snapshot_of_an_unknown_collection_is_refused(engine: &dyn Knowledge) {
    let folder = folder();
    let refused = engine.snapshot("c", folder.path().join("c.snapshot")).await;
    assert!(matches!(refused, Err(KnowledgeError::UnknownCollection { .. })), "{refused:?}");
    assert_eq!(list(&folder), Vec::<String>::new());
}

pub async fn what_is_no_snapshot_is_refused_and_nothing_changed(engine: &dyn Knowledge) {
    let folder = folder();
    let good = snapshot(engine, &folder).await;
    let whole = std::fs::read(&good).expect("it is there");
    let bad = folder.path().join("bad.snapshot");
    let missing = restore("c", &folder.path().join("missing"));
    assert!(engine.restore(missing).await.is_err());
    for bytes in [&[][..], b"hello", &[0; 4096], &whole[..whole.len() / 2], &whole[..600]] {
        std::fs::write(&bad, bytes).expect("it is written");
        for name in ["c", "new"] {
            let refused = engine.restore(restore(name, &bad)).await;
            let length = bytes.len();
            assert!(
                matches!(refused, Err(KnowledgeError::Unreadable { .. })),
                "{length} bytes into {name}: {refused:?}"
            );
        }
    }
    assert!(engine.restore(restore("../c", &good)).await.is_err());
    unchanged(engine).await;
}

/// Only `c` is there, as it was filled.
async fn unchanged(engine: &dyn Knowledge) {
    assert_eq!(engine.collections().await.expect("they are listed").len(), 1);
    assert_eq!(count(engine).await, 3);
    assert_eq!(words(engine, "dog").await, [2]);
}

pub async fn a_snapshot_of_another_dimension_is_refused_and_nothing_changed(
    engine: &dyn Knowledge,
) {
    let folder = folder();
    let file = snapshot(engine, &folder).await;
    for name in ["c", "new"] {
        let wrong = Restore { dimension: Some(384), ..restore(name, &file) };
        let refused = engine.restore(wrong).await.expect_err("384 are wanted");
        let message = refused.to_string();
        assert!(message.contains("384") && message.contains('4'), "{message}");
    }
    unchanged(engine).await;
}

pub async fn a_snapshot_becomes_a_collection(engine: &dyn Knowledge) {
    let folder = folder();
    let file = snapshot(engine, &folder).await;
    assert_eq!(list(&folder), ["c.snapshot"]);
    engine.change("c", Change::Delete).await.expect("it is deleted");
    let embedder = Some("all-MiniLM".to_owned());
    let restore = Restore { embedder, dimension: Some(4), ..restore("c", &file) };
    let restored = engine.restore(restore).await.expect("it is restored");
    assert_eq!((restored.name.as_str(), restored.points), ("c", 3));
    assert_eq!((restored.spec.dimension, restored.has_keywords), (4, true));
    assert_eq!(restored.spec.embedder.as_deref(), Some("all-MiniLM"));
    assert_eq!(collection(engine, "c").await, Some(restored));
    let scan = Scan { collection: "c".into(), limit: 10, with_vectors: true, ..Scan::default() };
    assert_eq!(scan_all(engine, scan).await, animals());
    assert_eq!(words(engine, "dog").await, [2]);
    engine.change("c", Change::Delete).await.expect("it is deleted");
    assert_eq!(engine.collections().await.expect("they are listed"), []);
}

pub async fn a_compressed_snapshot_becomes_a_collection(engine: &dyn Knowledge) {
    let folder = folder();
    let file = snapshot(engine, &folder).await;
    // As it is published: the snapshot as the one file of an archive.
    let outer = folder.path().join("outer");
    std::fs::create_dir(&outer).expect("it is made");
    std::fs::rename(&file, outer.join("c.snapshot")).expect("it is moved");
    let published = folder.path().join("c.snapshot.tar.gz");
    pack(&outer, &published, Compression::Gzip, &|_| true).expect("it is packed");
    // And its content compressed.
    let content = folder.path().join("content");
    let limits =
        Limits { bytes_max: 1 << 30, files_max: 1000, path_bytes_max: 1024, ratio_max: 2000 };
    let plain = outer.join("c.snapshot");
    unpack(&plain, &content, limits, Watch::default()).expect("it is unpacked");
    let compressed = folder.path().join("c.snapshot.zst");
    pack(&content, &compressed, Compression::Zstd, &|_| true).expect("it is packed");
    for (name, file) in [("one", &published), ("two", &compressed)] {
        let restored = engine.restore(restore(name, file)).await.expect("it is restored");
        assert_eq!((restored.points, restored.has_keywords), (3, true));
    }
    let bytes = std::fs::read(&published).expect("it is there");
    std::fs::write(&published, &bytes[..bytes.len() / 2]).expect("it is written");
    let refused = engine.restore(restore("three", &published)).await;
    assert!(matches!(refused, Err(KnowledgeError::Unreadable { .. })), "{refused:?}");
    assert_eq!(engine.collections().await.expect("they are listed").len(), 3);
    assert_eq!(list(&folder).len(), 4, "{:?}", list(&folder));
}

pub async fn a_snapshot_replaces_a_collection(engine: &dyn Knowledge) {
    let folder = folder();
    let file = snapshot(engine, &folder).await;
    let later = point(9, [0.0, 0.0, 0.0, 1.0], "A later wolf.");
    // The first time what is replaced was made here, the second time it was restored.
    for _ in 0..2 {
        upsert(engine, vec![later.clone()]).await.expect("it is written");
        assert_eq!(count(engine).await, 4);
        let restored = engine.restore(restore("c", &file)).await.expect("it is restored");
        assert_eq!(restored.points, 3);
        assert_eq!(words(engine, "wolf").await, Vec::<u64>::new());
        assert_eq!(engine.collections().await.expect("they are listed").len(), 1);
    }
    upsert(engine, vec![later]).await.expect("it is written");
    assert_eq!(words(engine, "wolf").await, [9]);
    let again = folder.path().join("again.snapshot");
    engine.snapshot("c", again.clone()).await.expect("it is made");
    let restored = engine.restore(restore("copy", &again)).await.expect("it is restored");
    assert_eq!(restored.points, 4);
    assert_eq!(count(engine).await, 4);
}

pub async fn searches_find_something_while_a_snapshot_is_restored(engine: &dyn Knowledge) {
    let folder = folder();
    let file = snapshot(engine, &folder).await;
    let done = AtomicBool::new(false);
    let restoring = async {
        for _ in 0..3 {
            engine.restore(restore("c", &file)).await.expect("it is restored");
        }
        done.store(true, Ordering::SeqCst);
    };
    let searching = async {
        while !done.load(Ordering::SeqCst) {
            let found = near(engine, [1.0, 0.0, 0.0, 0.0]).await.expect("it searches");
            assert_eq!(found[0].id, PointId::Number(1));
            assert_eq!(
                found[0].payload,
                object(serde_json::json!({"source": "The quick fox jumps."}))
            );
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::join(restoring, searching).await;
}
