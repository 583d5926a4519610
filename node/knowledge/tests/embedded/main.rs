//! The embedded engine on a real disk.

mod broken;
mod log;

use std::path::Path;
use std::sync::Arc;

use gaia_core::knowledge::{
    By, Change, CollectionSpec, Filter, Point, PointId, Restore, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::{Embedded, SnapshotLimits};
use serde_json::json;

const LIMITS: SnapshotLimits = SnapshotLimits { bytes_max: 4 << 30 };

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, LIMITS).expect("opens")
}

fn spec() -> CollectionSpec {
    CollectionSpec { dimension: 4, embedder: Some("e".into()), ..CollectionSpec::default() }
}

fn point(id: u64, vector: [f32; 4], text: &str) -> Point {
    let payload = json!({"source": text, "document": format!("{}.md", id % 3), "n": id});
    let payload = payload.as_object().cloned().expect("an object");
    Point { id: PointId::Number(id), vector: vector.to_vec(), payload }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn many(count: u64) -> Vec<Point> {
    let vector = |id: u64| {
        let angle = id as f32 / count as f32;
        [angle.cos(), angle.sin(), 0.1, 0.0]
    };
    (0..count).map(|id| point(id, vector(id), &format!("word{id} is here"))).collect()
}

async fn filled(engine: &Embedded, count: u64) {
    engine.change("book", Change::Create(spec())).await.expect("new");
    engine.change("book", Change::Upsert(many(count))).await.expect("written");
}

fn search(by: By) -> Search {
    Search { collection: "book".into(), by, limit: 3, filter: None }
}

#[tokio::test]
async fn a_second_process_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = open(folder.path());
    let error = Embedded::open(folder.path(), LIMITS).err().expect("refused");
    assert!(error.to_string().contains("open in another process"), "{error}");
}

#[tokio::test]
async fn wrong_names_dimensions_and_unknown_collections_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    for name in ["../x", "", "a/b"] {
        assert!(engine.change(name, Change::Create(spec())).await.is_err(), "{name}");
    }
    filled(&engine, 5).await;
    let again = engine.change("book", Change::Create(spec())).await;
    assert!(matches!(again, Err(KnowledgeError::CollectionExists { .. })));
    let wrong = Point { vector: vec![1.0; 3], ..point(1, [0.0; 4], "a") };
    assert!(engine.change("book", Change::Upsert(vec![wrong])).await.is_err());
    assert!(engine.search(search(By::Vector(vec![1.0]))).await.is_err());
    let unknown = Search { collection: "no".into(), ..search(By::Words("a".into())) };
    let error = engine.search(unknown).await.expect_err("unknown");
    assert_eq!(error.to_string(), "the collection `no` does not exist; there are: book");
    let bad = CollectionSpec { language: Some("klingon".into()), ..spec() };
    assert!(engine.change("other", Change::Create(bad)).await.is_err());
    assert_eq!(engine.collections().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn points_are_found_by_vector_by_words_and_by_filter() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    filled(&engine, 50).await;
    let near = engine.search(search(By::Vector(vec![1.0, 0.0, 0.1, 0.0]))).await.expect("found");
    assert_eq!(near[0].id, PointId::Number(0));
    let words = engine.search(search(By::Words("WORD17".into()))).await.expect("found");
    assert_eq!((words.len(), words[0].id), (1, PointId::Number(17)));
    assert!(engine.search(search(By::Words("the of".into()))).await.expect("none").is_empty());
    let ids = Filter::Ids(vec![PointId::Number(4), PointId::Number(5)]);
    let filter = Filter::All(vec![Filter::text("document", "1.md"), ids]);
    let filtered = Search { filter: Some(filter), ..search(By::Vector(vec![1.0, 0.0, 0.1, 0.0])) };
    let found = engine.search(filtered).await.expect("found");
    assert_eq!(found.iter().map(|f| f.id).collect::<Vec<_>>(), [PointId::Number(4)]);
}

#[tokio::test]
async fn pages_are_in_order_and_removed_points_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    filled(&engine, 25).await;
    let gone = vec![PointId::Number(3), PointId::Number(99)];
    engine.change("book", Change::Remove(gone)).await.expect("removed");
    let mut scan =
        Scan { collection: "book".into(), limit: 10, with_vectors: true, ..Scan::default() };
    let mut ids = vec![];
    loop {
        let page = engine.scan(scan.clone()).await.expect("a page");
        assert!(page.points.iter().all(|point| point.vector.len() == 4));
        ids.extend(page.points.iter().map(|point| point.id));
        match page.next {
            Some(next) => scan.after = Some(next),
            None => break,
        }
    }
    let wanted: Vec<_> = (0..25).filter(|id| *id != 3).map(PointId::Number).collect();
    assert_eq!(ids, wanted);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    filled(&engine, 40).await;
    engine.change("gone", Change::Create(spec())).await.expect("new");
    engine.change("gone", Change::Delete).await.expect("deleted");
    drop(engine);
    let engine = open(folder.path());
    let collections = engine.collections().await.expect("listed");
    assert_eq!((collections.len(), collections[0].points), (1, 40));
    assert_eq!(collections[0].spec, spec());
    let new = vec![point(99, [0.0, 0.0, 1.0, 0.0], "new")];
    engine.change("book", Change::Upsert(new)).await.expect("written");
    let found = engine.search(search(By::Words("new".into()))).await.expect("found");
    assert_eq!(found[0].id, PointId::Number(99));
}

#[tokio::test]
async fn an_optimized_collection_finds_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path());
    filled(&engine, 500).await;
    engine.change("book", Change::Optimize).await.expect("optimized");
    let near = engine.search(search(By::Vector(vec![1.0, 0.0, 0.1, 0.0]))).await.expect("found");
    assert_eq!(near[0].id, PointId::Number(0));
    engine.change("book", Change::Remove(vec![PointId::Number(0)])).await.expect("removed");
    let near = engine.search(search(By::Vector(vec![1.0, 0.0, 0.1, 0.0]))).await.expect("found");
    assert_eq!(near[0].id, PointId::Number(1));
}

fn restore(collection: &str, file: &Path) -> Restore {
    Restore { collection: collection.into(), file: file.into(), embedder: None, dimension: Some(4) }
}

#[tokio::test]
async fn a_snapshot_is_taken_over_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Arc::new(open(&folder.path().join("kb")));
    filled(&engine, 300).await;
    for ending in ["snapshot", "snapshot.tar.gz"] {
        let file = folder.path().join(format!("book.{ending}"));
        engine.snapshot("book", file.clone()).await.expect("written");
        assert!(engine.snapshot("book", file.clone()).await.is_err(), "it is there already");
        let copy = engine.restore(restore("copy", &file)).await.expect("restored");
        assert_eq!((copy.points, copy.spec.embedder.as_deref()), (300, Some("e")));
        let words = Search { collection: "copy".into(), ..search(By::Words("word17".into())) };
        assert_eq!(engine.search(words).await.expect("found")[0].id, PointId::Number(17));
    }
    let file = folder.path().join("book.snapshot");
    let whole = std::fs::read(&file).expect("read");
    for (name, bytes) in
        [("cut", whole[..whole.len() / 2].to_vec()), ("noise", vec![7; 100_000]), ("empty", vec![])]
    {
        let broken = folder.path().join(name);
        std::fs::write(&broken, bytes).expect("written");
        let error = engine.restore(restore("copy", &broken)).await.expect_err("refused");
        assert!(matches!(error, KnowledgeError::Unreadable { .. }), "{name}: {error}");
    }
    let wrong = Restore { dimension: Some(5), ..restore("copy", &file) };
    let error = engine.restore(wrong).await.expect_err("refused");
    assert!(error.to_string().contains("4 values"), "{error}");
    let all = engine.collections().await.expect("listed");
    assert_eq!(all.iter().map(|c| c.points).collect::<Vec<_>>(), [300, 300]);
    let place = folder.path().join("kb/collections/copy");
    let left: Vec<_> = std::fs::read_dir(place).expect("read").collect();
    assert_eq!(left.len(), 2, "one version and its name: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_go_on_while_points_are_written_and_the_collection_is_exchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Arc::new(open(&folder.path().join("kb")));
    filled(&engine, 100).await;
    let file = folder.path().join("book.snapshot");
    engine.snapshot("book", file.clone()).await.expect("written");
    let mut searching = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let engine = Arc::clone(&engine);
        searching.spawn(async move { engine.search(search(By::Words("word17".into()))).await });
    }
    for _ in 0..3 {
        engine.change("book", Change::Upsert(many(100))).await.expect("written");
        engine.restore(restore("book", &file)).await.expect("restored");
    }
    while let Some(search) = searching.join_next().await {
        assert_eq!(search.expect("ran").expect("found").len(), 1);
    }
}
