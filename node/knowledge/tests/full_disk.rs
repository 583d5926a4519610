//! A disk that is full: a small one of its own for each test, which takes root. Elsewhere there is none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gaia_core::knowledge::{
    Batches, By, Change, CollectionSpec, Import, Point, PointId, Reply, Restore, Search,
};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::{Embedded, SnapshotLimits};
use serde_json::json;

const MIB: usize = 1 << 20;

/// A disk in memory; it goes with this. The engine keeps 64 MiB of it free, and, as it is in memory, what
/// its files grow to when they are read.
struct Disk(PathBuf);

impl Disk {
    /// `None` where nobody may mount one.
    fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let size = format!("size={mebibytes}m");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        match Command::new("mount").args(options).arg(&folder).output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            refused => {
                eprintln!("no disk can be mounted here: {refused:?}");
                std::fs::remove_dir(&folder).expect("it is empty");
                None
            }
        }
    }

    fn open(&self) -> Embedded {
        let limits = SnapshotLimits { bytes_max: 1 << 30 };
        Embedded::open(&self.0.join("kb"), limits).expect("it opens")
    }

    /// Takes room, all but so many bytes.
    fn fill(&self, left: usize) -> PathBuf {
        let free = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.0).output();
        let free = String::from_utf8(free.expect("df runs").stdout).expect("text");
        let free: usize =
            free.lines().last().and_then(|n| n.trim().parse().ok()).expect("a number");
        let file = self.0.join("ballast");
        let bytes = free.saturating_sub(left).max(1).to_string();
        let filled = Command::new("fallocate").args(["-l", &bytes]).arg(&file).status();
        assert!(filled.is_ok_and(|status| status.success()), "there is room");
        file
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
        std::fs::remove_dir(&self.0).expect("it is empty");
    }
}

fn spec() -> CollectionSpec {
    CollectionSpec { dimension: 4, ..CollectionSpec::default() }
}

/// Points of about a mebibyte.
fn batch(number: u64) -> Vec<Point> {
    let text = |id: u64| format!("word{id} {}", "filler and nothing else ".repeat(340));
    let point = |id: u64| Point {
        id: PointId::Number(id),
        vector: vec![1.0, 0.5, 0.25, 0.125],
        payload: json!({"source": text(id)}).as_object().cloned().expect("an object"),
    };
    (number * 128..(number + 1) * 128).map(point).collect()
}

async fn finds(engine: &Embedded, id: u64) -> bool {
    let by = By::Words(format!("word{id}"));
    let search = Search { collection: "c".into(), by, limit: 1, filter: None };
    let found = engine.search(search).await.expect("it searches");
    found.first().is_some_and(|found| found.id == PointId::Number(id))
}

async fn points(engine: &Embedded) -> u64 {
    engine.collections().await.expect("listed").iter().map(|one| one.points).sum()
}

fn versions(disk: &Disk) -> usize {
    std::fs::read_dir(disk.0.join("kb/collections/c")).expect("read").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_have_no_room_are_refused_and_nothing_is_lost() {
    let Some(disk) = Disk::mount(256) else { return };
    let engine = disk.open();
    engine.change("c", Change::Create(spec())).await.expect("made");
    let mut written = 0;
    let refused = loop {
        match engine.change("c", Change::Upsert(batch(written))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 200, "the disk is never full");
    };
    assert_eq!(refused, KnowledgeError::DiskFull);
    assert!(written > 5, "{written} MiB fit");
    let wanted = written * 128;
    assert_eq!(points(&engine).await, wanted);
    assert!(finds(&engine, wanted - 1).await && !finds(&engine, wanted).await);
    assert_eq!(engine.change("c", Change::Optimize).await, Err(KnowledgeError::DiskFull));
    let ballast = disk.fill(60 * MIB);
    assert_eq!(engine.change("d", Change::Create(spec())).await, Err(KnowledgeError::DiskFull));
    std::fs::remove_file(ballast).expect("removed");
    // Not even the reserve is left: searches go on, and what can't be opened says why.
    let ballast = disk.fill(0);
    assert!(finds(&engine, 7).await);
    let gone: Vec<_> = (0..wanted).map(PointId::Number).collect();
    let refused = engine.change("c", Change::Remove(gone.clone())).await;
    assert_eq!(refused, Err(KnowledgeError::DiskFull));
    drop(engine);
    let engine = disk.open().retrying_after(Duration::ZERO);
    let refused = engine.change("c", Change::Optimize).await.expect_err("it is not open");
    assert!(refused.to_string().contains("its disk is full: free some space"), "{refused}");
    std::fs::remove_file(ballast).expect("removed");
    engine.change("c", Change::Reopen).await.expect("there is room again");
    assert_eq!(points(&engine).await, wanted);
    assert!(finds(&engine, 7).await);
    engine.change("c", Change::Remove(gone)).await.expect("there is room for that");
    assert_eq!(points(&engine).await, 0);
}

/// One batch after the other, without an end.
struct Endless(u64);

impl Batches for Endless {
    fn next(&mut self) -> Reply<'_, Vec<Point>> {
        self.0 += 1;
        let points = batch(self.0);
        Box::pin(std::future::ready(Ok(points)))
    }
}

fn restore(file: &Path) -> Restore {
    Restore { collection: "c".into(), file: file.into(), embedder: None, dimension: Some(4) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restores_and_imports_that_have_no_room_leave_the_old_state() {
    let Some(disk) = Disk::mount(512) else { return };
    let other = tempfile::tempdir().expect("a folder");
    let engine = disk.open();
    engine.change("c", Change::Create(spec())).await.expect("made");
    for number in 0..8 {
        engine.change("c", Change::Upsert(batch(number))).await.expect("written");
    }
    let snapshot = other.path().join("c.snapshot");
    engine.snapshot("c", snapshot.clone()).await.expect("written");
    for left in [70 * MIB, 30 * MIB, 4 * MIB] {
        let ballast = disk.fill(left);
        let refused = engine.restore(restore(&snapshot)).await.expect_err("no room");
        assert_eq!(refused, KnowledgeError::DiskFull, "{left} bytes left");
        let points = Box::new(Endless(0));
        let import = Import { collection: "c".into(), spec: spec(), replaces: true, points };
        let refused = engine.import(import).await.expect_err("no room");
        assert_eq!(refused, KnowledgeError::DiskFull, "{left} bytes left");
        assert_eq!(points_and_versions(&engine, &disk).await, (8 * 128, 2));
        assert!(finds(&engine, 7).await);
        std::fs::remove_file(ballast).expect("removed");
    }
    let refused = engine.snapshot("c", disk.0.join("full.snapshot"));
    let ballast = disk.fill(MIB);
    assert_eq!(refused.await, Err(KnowledgeError::DiskFull));
    assert!(!disk.0.join("full.snapshot").exists());
    std::fs::remove_file(ballast).expect("removed");
    let restored = engine.restore(restore(&snapshot)).await.expect("there is room again");
    assert_eq!(restored.points, 8 * 128);
}

async fn points_and_versions(engine: &Embedded, disk: &Disk) -> (u64, usize) {
    (points(engine).await, versions(disk))
}
