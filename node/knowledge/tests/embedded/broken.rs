//! Collections whose files are damaged, on a real disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gaia_core::knowledge::{
    Batches, By, Change, Collection, CollectionSpec, CollectionState, Import, Point, PointId,
    Reply, Restore, Scan, Search,
};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::{Embedded, SnapshotLimits};
use serde_json::json;

const LIMITS: SnapshotLimits = SnapshotLimits { bytes_max: 4 << 30 };

/// A way to damage the version of a collection.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 6] = [
    ("its manifest is cut", |version| cut(&version.join("manifest.json"))),
    ("its manifest is gone", |version| remove(&version.join("manifest.json"))),
    ("its shard's config is noise", |version| noise(&version.join("shard/edge_config.json"))),
    ("its segments are noise", |version| {
        files(&version.join("shard/segments"), "segment.json").iter().for_each(|file| noise(file));
    }),
    ("its version is gone", |version| fs::remove_dir_all(version).expect("removed")),
    ("its current file is empty", |version| {
        fs::write(version.with_file_name("current"), "").expect("written");
    }),
];

fn cut(file: &Path) {
    let whole = fs::read(file).expect("it is there");
    fs::write(file, &whole[..40]).expect("written");
}

fn remove(file: &Path) {
    fs::remove_file(file).expect("it is there");
}

fn noise(file: &Path) {
    assert!(file.exists(), "{}", file.display());
    fs::write(file, [7; 1000]).expect("written");
}

/// The files of that name below a folder.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let found: Vec<_> =
        entries.map(|folder| folder.join(name)).filter(|file| file.exists()).collect();
    assert!(!found.is_empty(), "{} has no {name}", folder.display());
    found
}

fn point(id: u64, text: &str) -> Point {
    let payload = json!({"source": text}).as_object().cloned().expect("an object");
    Point { id: PointId::Number(id), vector: vec![1.0, 0.5, 0.0, 0.1], payload }
}

fn spec() -> CollectionSpec {
    CollectionSpec { dimension: 4, ..CollectionSpec::default() }
}

async fn fill(engine: &Embedded, name: &str) {
    engine.change(name, Change::Create(spec())).await.expect("new");
    let points = (1..20).map(|id| point(id, &format!("word{id}"))).collect();
    engine.change(name, Change::Upsert(points)).await.expect("written");
}

/// A folder with a snapshot and the collections `bad`, damaged since, and `good`.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new(damage: Damage) -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder") };
        let engine = bench.open(Duration::MAX);
        fill(&engine, "bad").await;
        fill(&engine, "good").await;
        engine.snapshot("good", bench.snapshot()).await.expect("written");
        drop(engine);
        damage(&bench.version());
        bench
    }

    fn open(&self, retry_after: Duration) -> Embedded {
        let engine = Embedded::open(&self.folder.path().join("kb"), LIMITS);
        engine.expect("the others open").retrying_after(retry_after)
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("good.snapshot")
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("kb/collections/bad")
    }

    fn version(&self) -> PathBuf {
        self.place().join("v000001")
    }

    fn restore(&self) -> Restore {
        let file = self.snapshot();
        Restore { collection: "bad".into(), file, embedder: None, dimension: Some(4) }
    }
}

fn search(collection: &str) -> Search {
    let by = By::Words("word7".into());
    Search { collection: collection.into(), by, limit: 3, filter: None }
}

async fn bad(engine: &Embedded) -> Collection {
    let all = engine.collections().await.expect("listed");
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["bad", "good"]);
    assert!(all[1].is_ready(), "{all:?}");
    all.into_iter().next().expect("there")
}

fn is_broken<T: std::fmt::Debug>(done: Result<T, KnowledgeError>) -> bool {
    matches!(&done, Err(KnowledgeError::Broken { name, .. }) if name == "bad")
}

/// One batch and no more.
struct Once(Vec<Point>);

impl Batches for Once {
    fn next(&mut self) -> Reply<'_, Vec<Point>> {
        Box::pin(std::future::ready(Ok(std::mem::take(&mut self.0))))
    }
}

fn import(replaces: bool) -> Import {
    let points = Box::new(Once(vec![point(7, "word7")]));
    Import { collection: "bad".into(), spec: spec(), replaces, points }
}

#[tokio::test]
async fn what_is_damaged_is_listed_with_its_reason_and_refuses_to_be_used() {
    for (what, damage) in DAMAGES {
        let bench = Bench::new(damage).await;
        let engine = bench.open(Duration::MAX);
        let CollectionState::Broken { reason } = bad(&engine).await.state else { panic!("{what}") };
        let folder = bench.folder.path().to_str().expect("UTF-8");
        assert!(!reason.is_empty() && !reason.contains(folder), "{what}: {reason}");
        assert!(is_broken(engine.search(search("bad")).await), "{what}");
        let scan = Scan { collection: "bad".into(), limit: 1, ..Scan::default() };
        assert!(is_broken(engine.scan(scan).await), "{what}");
        let file = bench.folder.path().join("bad.snapshot");
        assert!(is_broken(engine.snapshot("bad", file).await), "{what}");
        let points = vec![point(1, "a")];
        assert!(is_broken(engine.change("bad", Change::Upsert(points)).await), "{what}");
        assert!(is_broken(engine.change("bad", Change::Remove(vec![PointId::Number(1)])).await));
        for change in [Change::Optimize, Change::Reopen] {
            assert!(is_broken(engine.change("bad", change).await), "{what}");
        }
        let exists = engine.change("bad", Change::Create(spec())).await;
        assert!(matches!(exists, Err(KnowledgeError::CollectionExists { .. })), "{what}");
        let exists = engine.import(import(false)).await;
        assert!(matches!(exists, Err(KnowledgeError::CollectionExists { .. })), "{what}");
        assert_eq!(engine.search(search("good")).await.expect("found").len(), 1);
    }
}

#[tokio::test]
async fn a_snapshot_or_an_import_takes_its_place_and_it_can_be_deleted() {
    let ways = ["restore", "import", "delete"].into_iter().cycle();
    for ((what, damage), how) in DAMAGES.into_iter().zip(ways) {
        let bench = Bench::new(damage).await;
        let engine = bench.open(Duration::MAX);
        match how {
            "restore" => drop(engine.restore(bench.restore()).await.expect(what)),
            "import" => drop(engine.import(import(true)).await.expect(what)),
            _ => engine.change("bad", Change::Delete).await.expect(what),
        }
        if how == "delete" {
            fill(&engine, "bad").await;
        }
        drop(engine);
        let engine = bench.open(Duration::MAX);
        assert!(bad(&engine).await.is_ready(), "{what}, {how}");
        let found = engine.search(search("bad")).await.expect("found");
        assert_eq!(found.len(), 1, "{what}, {how}");
        let left = fs::read_dir(bench.place()).expect("there").count();
        assert_eq!(left, 2, "{what}, {how}: one version and its name");
    }
}

#[tokio::test]
async fn what_was_mended_is_opened_when_its_time_has_come_or_an_operator_asks() {
    let damage: Damage = |version| {
        fs::rename(version.join("manifest.json"), version.join("aside")).expect("moved");
    };
    for retry_after in [Duration::MAX, Duration::ZERO] {
        let bench = Bench::new(damage).await;
        let engine = bench.open(retry_after);
        assert!(is_broken(engine.search(search("bad")).await));
        fs::rename(bench.version().join("aside"), bench.version().join("manifest.json"))
            .expect("back");
        if retry_after == Duration::MAX {
            assert!(is_broken(engine.change("bad", Change::Reopen).await), "it was tried just now");
            engine.change("bad", Change::Optimize).await.expect("it is opened at once");
        }
        assert_eq!(engine.search(search("bad")).await.expect("found").len(), 1);
        assert_eq!(bad(&engine).await.points, 19);
    }
}

#[tokio::test]
async fn opening_again_removes_nothing_that_is_being_put_back() {
    let bench = Bench::new(|version| remove(&version.with_file_name("current"))).await;
    // At a start this is what a deleted collection has left.
    assert_eq!(bench.open(Duration::ZERO).collections().await.expect("listed").len(), 1);
    let bench = Bench::new(|version| {
        fs::write(version.with_file_name("current"), "v9").expect("written");
    })
    .await;
    let engine = bench.open(Duration::ZERO);
    remove(&bench.place().join("current"));
    assert!(is_broken(engine.search(search("bad")).await));
    assert!(bench.version().join("manifest.json").exists(), "the points stay");
    fs::write(bench.place().join("current"), "v000001").expect("written");
    assert_eq!(engine.search(search("bad")).await.expect("found").len(), 1);
}

#[tokio::test]
async fn files_that_others_leave_are_no_collections() {
    let bench = Bench::new(|_| {}).await;
    fs::write(bench.place().with_file_name("notes.txt"), "hello").expect("written");
    fs::create_dir(bench.place().with_file_name("lost+found")).expect("made");
    let engine = bench.open(Duration::MAX);
    assert!(bad(&engine).await.is_ready());
}

#[tokio::test]
async fn a_restore_that_nobody_waits_for_ends_and_loses_no_later_write() {
    let bench = Bench::new(|_| {}).await;
    let engine = bench.open(Duration::MAX);
    let restoring = tokio::time::timeout(Duration::ZERO, engine.restore(bench.restore()));
    assert!(restoring.await.is_err(), "its client hung up");
    // Changes come one after the other: when this one is done, that one was.
    engine.change("later", Change::Create(spec())).await.expect("new");
    engine.change("later", Change::Delete).await.expect("deleted");
    engine.change("bad", Change::Upsert(vec![point(99, "afterwards")])).await.expect("written");
    drop(engine);
    let engine = bench.open(Duration::MAX);
    let words = Search { by: By::Words("afterwards".into()), ..search("bad") };
    assert_eq!(engine.search(words).await.expect("found").len(), 1);
    assert_eq!(fs::read_dir(bench.place()).expect("there").count(), 2);
}
