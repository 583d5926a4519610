//! The library's log of writes: it stays short, and its numbers go on, here and in snapshots.

use std::fs;
use std::path::{Path, PathBuf};

use gaia_archive::{Limits, Watch, unpack};
use gaia_core::Knowledge;
use gaia_core::knowledge::{By, Change};
use gaia_knowledge::Embedded;
use qdrant_edge::{
    EdgeShard, PointInsertOperations, PointOperations, PointStruct, ScrollRequest, UpdateOperation,
    Vector, WithPayloadInterface, WithVector,
};
use serde_json::json;

use super::{filled, open, point, search, spec};

/// Bytes of a point that nearly fills a piece of the log.
const LARGE: usize = 3 << 20;

fn pieces(log: &Path) -> Vec<String> {
    let entries = fs::read_dir(log).expect("there").map(|entry| entry.expect("one").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Changes two points; a write whose number was used before would be left out.
async fn change(engine: &Embedded, text: &str) {
    for id in [3, 99] {
        let changed = vec![point(id, [0.0, 1.0, 0.0, 0.0], text)];
        engine.change("book", Change::Upsert(changed)).await.expect("written");
    }
    let found = engine.search(search(By::Words(text.into()))).await.expect("found");
    assert_eq!(found.len(), 2, "{text}");
}

#[tokio::test]
async fn it_stays_short_and_the_writes_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    engine.change("book", Change::Create(spec())).await.expect("new");
    for id in 0..8 {
        let mut large = point(id, [1.0, 0.0, 0.0, 0.0], "large");
        large.payload.insert("ballast".into(), "x".repeat(LARGE).into());
        engine.change("book", Change::Upsert(vec![large])).await.expect("written");
    }
    let log = folder.path().join("collections/book/v000001/shard/wal");
    assert!(pieces(&log).len() <= 3, "{:?}", pieces(&log));
    change(&engine, "alpha").await;
    drop(engine);
    for text in ["beta", "gamma"] {
        let engine = open(folder.path());
        change(&engine, text).await;
        assert!(pieces(&log).len() <= 3, "{:?}", pieces(&log));
        assert_eq!(engine.collections().await.expect("listed")[0].points, 9);
    }
}

fn unpacked(file: &Path, into: &Path) {
    let limits =
        Limits { bytes_max: 1 << 30, files_max: 1000, path_bytes_max: 1024, ratio_max: 2000 };
    unpack(file, into, limits, Watch::default()).expect("unpacked");
}

/// The shard of a snapshot as Qdrant's own restore lays it out.
fn laid_out(snapshot: &Path, folder: &Path) -> PathBuf {
    unpacked(snapshot, folder);
    let shard = folder.join("0");
    for segment in pieces(&shard.join("segments")) {
        let tar = shard.join("segments").join(&segment);
        let (aside, to) = (folder.join("aside"), tar.with_extension(""));
        unpacked(&tar, &aside);
        fs::rename(aside.join("snapshot/files"), to).expect("moved");
        fs::remove_dir_all(&aside).expect("removed");
        fs::remove_file(&tar).expect("removed");
    }
    shard
}

#[tokio::test]
async fn a_snapshot_has_an_empty_one_that_goes_on_behind_the_last_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(&folder.path().join("kb"));
    filled(&engine, 50).await;
    change(&engine, "zebra").await;
    let file = folder.path().join("book.snapshot");
    engine.snapshot("book", file.clone()).await.expect("written");
    let bytes = fs::metadata(&file).expect("there").len();
    assert!(bytes < 3 << 20, "{bytes} bytes for 51 points");
    let shard = laid_out(&file, &folder.path().join("unpacked"));
    let log = pieces(&shard.join("wal"));
    assert!(log.len() == 1 && log[0].starts_with("closed-"), "{log:?}");
    // What stands in the log is not needed, and what is written next is not left out.
    let shard = EdgeShard::load(&shard, None).expect("the library reads it");
    let points = shard.scroll(all()).expect("listed").0;
    assert_eq!(points.len(), 51);
    let id = points[0].id;
    let vector = Vector::new_dense(vec![0.0, 1.0, 0.0, 0.0]);
    let changed = PointStruct::new(id, vec![(String::new(), vector)], json!({"source": "giraffe"}));
    let list = PointInsertOperations::PointsList(vec![changed.into()]);
    let change = UpdateOperation::PointOperation(PointOperations::UpsertPoints(list));
    shard.update(change).expect("written");
    let points = shard.scroll(all()).expect("listed").0;
    let payload = points[0].payload.clone().expect("a payload");
    assert_eq!(payload.0["source"], "giraffe");
}

fn all() -> ScrollRequest {
    ScrollRequest {
        offset: None,
        limit: Some(100),
        filter: None,
        with_payload: Some(WithPayloadInterface::Bool(true)),
        with_vector: WithVector::Bool(false),
        order_by: None,
    }
}
