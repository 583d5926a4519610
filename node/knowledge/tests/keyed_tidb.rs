//! The embedded engine whose words are looked up in TiDB, against a strict one inside the test.

mod behaviour;
mod tidb;

use std::sync::Arc;

use behaviour::{animals, count, fill, point, upsert, words};
use gaia_core::knowledge::Change;
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::keywords::{Keyed, Tidb, TidbSettings};
use gaia_knowledge::{Embedded, SnapshotLimits};
use tempfile::TempDir;

/// A folder and a server that outlive the engines over them.
struct Bench {
    folder: TempDir,
    fake: tidb::Fake,
}

impl Bench {
    async fn new(is_full_text: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, fake: tidb::Fake::start(is_full_text).await }
    }
}

impl behaviour::Bench for Bench {
    async fn open(&self) -> Box<dyn Knowledge> {
        let opened = Embedded::open(self.folder.path(), SnapshotLimits { bytes_max: 1 << 30 });
        let index = Tidb::connect(self.fake.settings()).await.expect("it connects");
        Box::new(Keyed::new(Arc::new(opened.expect("it opens")), Arc::new(index), vec![]))
    }
}

async fn bench() -> Bench {
    Bench::new(true).await
}

behaviour::suite!(bench);

#[tokio::test]
async fn a_server_without_full_text_search_finds_words_as_they_are_written() {
    let bench = Bench::new(false).await;
    let engine = behaviour::Bench::open(&bench).await;
    fill(&*engine, animals()).await;
    assert_eq!(words(&*engine, "LAZY dog").await, [2]);
    assert_eq!(words(&*engine, "qu_ck").await, Vec::<u64>::new());
    assert_eq!(words(&*engine, "' OR 77 = 77 --").await, Vec::<u64>::new());
    engine.change("c", Change::Delete).await.expect("it is deleted");
    assert_eq!(bench.fake.texts(), 0);
}

#[tokio::test]
async fn a_statement_that_fails_is_an_error_and_nothing_is_written() {
    let bench = bench().await;
    let engine = behaviour::Bench::open(&bench).await;
    fill(&*engine, animals()).await;
    let wolf = vec![point(9, [0.0, 0.0, 0.0, 1.0], "A later wolf.")];
    bench.fake.held().faults.push(1021);
    assert_eq!(upsert(&*engine, wolf.clone()).await, Err(KnowledgeError::DiskFull));
    bench.fake.held().faults.push(1205);
    let failed = upsert(&*engine, wolf.clone()).await.expect_err("it is locked");
    assert!(failed.to_string().contains("TiDB"), "{failed}");
    assert_eq!((count(&*engine).await, bench.fake.texts()), (3, 3));
    upsert(&*engine, wolf).await.expect("it is written");
    assert_eq!(words(&*engine, "wolf").await, [9]);
}

#[tokio::test]
async fn settings_that_are_wrong_are_refused() {
    let fake = tidb::Fake::start(true).await;
    let good = fake.settings();
    let login = Some(("somebody".to_owned(), "password1".to_owned()));
    let refused = format!("{}?x", good.url.replace("/gaia", ""));
    for (wrong, why) in [
        (TidbSettings { table: "a`b".into(), ..good.clone() }, "index"),
        (TidbSettings { login, ..good.clone() }, "Access denied"),
        (TidbSettings { url: refused, ..good.clone() }, "url"),
    ] {
        let error = Tidb::connect(wrong).await.err().expect(why).to_string();
        assert!(error.contains(why) && !error.contains("password1"), "{error}");
    }
}
