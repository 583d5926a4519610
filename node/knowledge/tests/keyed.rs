//! The embedded engine whose words are looked up in Elasticsearch, against a strict one inside the test.

mod behaviour;
mod elastic;

use std::sync::Arc;

use behaviour::{animals, count, fill, near, point, upsert, words};
use gaia_core::knowledge::{By, Change, Filter, PointId, Search};
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::keywords::{Elastic, ElasticSettings, Keyed};
use gaia_knowledge::{Embedded, SnapshotLimits};
use tempfile::TempDir;

/// A folder and a server that outlive the engines over them.
struct Bench {
    folder: TempDir,
    fake: elastic::Fake,
}

impl Bench {
    fn engine(&self) -> Arc<dyn Knowledge> {
        let opened = Embedded::open(self.folder.path(), SnapshotLimits { bytes_max: 1 << 30 });
        Arc::new(opened.expect("it opens"))
    }

    async fn keyed(&self, only: &[&str]) -> Keyed {
        let index = Elastic::connect(self.fake.settings()).await.expect("it connects");
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        Keyed::new(self.engine(), Arc::new(index), only)
    }
}

impl behaviour::Bench for Bench {
    async fn open(&self) -> Box<dyn Knowledge> {
        Box::new(self.keyed(&[]).await)
    }
}

async fn bench() -> Bench {
    Bench { folder: tempfile::tempdir().expect("a folder"), fake: elastic::Fake::start().await }
}

behaviour::suite!(bench);

const REFUSED: (u16, &str) = (503, "unavailable_shards_exception");

#[tokio::test]
async fn settings_that_are_wrong_are_refused() {
    let fake = elastic::Fake::start().await;
    let good = fake.settings();
    let login = Some(("elastic".to_owned(), "other".to_owned()));
    for (wrong, why) in [
        (ElasticSettings { index: "a/b".into(), ..good.clone() }, "index"),
        (ElasticSettings { login, ..good.clone() }, "401"),
        (ElasticSettings { url: "ftp://localhost".into(), ..good.clone() }, "ftp"),
        (ElasticSettings { url: "http://127.0.0.1:1".into(), ..good.clone() }, "127.0.0.1:1"),
    ] {
        let error = Elastic::connect(wrong).await.err().expect(why);
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.to_string().contains("other"), "no password is shown: {error}");
    }
}

#[tokio::test]
async fn texts_that_can_not_be_indexed_are_not_written() {
    let bench = bench().await;
    let engine = bench.keyed(&[]).await;
    fill(&engine, animals()).await;
    let wolf = vec![point(9, [0.0, 0.0, 0.0, 1.0], "A later wolf.")];
    bench.fake.held().faults.push_back(REFUSED);
    let failed = upsert(&engine, wolf.clone()).await.expect_err("the index is out of reach");
    assert!(matches!(failed, KnowledgeError::Unavailable { .. }), "{failed}");
    assert_eq!((count(&engine).await, bench.fake.texts()), (3, 3));
    upsert(&engine, wolf).await.expect("it is back");
    assert_eq!(words(&engine, "wolf").await, [9]);
    bench.fake.held().faults.push_back((429, "disk usage exceeded flood-stage watermark"));
    assert_eq!(upsert(&engine, animals()).await, Err(KnowledgeError::DiskFull));
}

#[tokio::test]
async fn a_removed_point_is_never_found_though_its_text_stays() {
    let bench = bench().await;
    let engine = bench.keyed(&[]).await;
    fill(&engine, animals()).await;
    bench.fake.held().faults.push_back(REFUSED);
    let gone = Change::Remove(vec![PointId::Number(2)]);
    engine.change("c", gone).await.expect("the engine has removed it");
    assert_eq!(bench.fake.texts(), 3);
    assert_eq!(words(&engine, "dog").await, Vec::<u64>::new());
    engine.change("c", Change::Optimize).await.expect("brought in line");
    assert_eq!(bench.fake.texts(), 2);
    bench.fake.held().faults.push_back(REFUSED);
    engine.change("c", Change::Delete).await.expect("it is deleted");
    fill(&engine, vec![]).await;
    assert_eq!((words(&engine, "fox").await, bench.fake.texts()), (vec![], 0));
}

#[tokio::test]
async fn what_the_index_lost_comes_back() {
    let bench = bench().await;
    let engine = bench.keyed(&[]).await;
    fill(&engine, animals()).await;
    drop(engine);
    // Another index takes its place: it is empty.
    let fake = elastic::Fake::start().await;
    let bench = Bench { fake, ..bench };
    let engine = bench.keyed(&[]).await;
    assert_eq!(words(&engine, "dog").await, Vec::<u64>::new());
    engine.change("c", Change::Optimize).await.expect("brought in line");
    assert_eq!(words(&engine, "dog").await, [2]);
}

#[tokio::test]
async fn other_collections_keep_the_engines_own_words() {
    let bench = bench().await;
    let engine = bench.keyed(&["other"]).await;
    fill(&engine, animals()).await;
    assert_eq!((words(&engine, "dog").await, bench.fake.texts()), (vec![2], 0));
}

#[tokio::test]
async fn a_search_fails_aloud_and_vectors_are_found_without_the_index() {
    let bench = bench().await;
    let engine = bench.keyed(&[]).await;
    fill(&engine, animals()).await;
    bench.fake.held().faults.push_back(REFUSED);
    let by = By::Words("dog".into());
    let search = Search { collection: "c".into(), by, limit: 3, filter: None };
    let failed = engine.search(search.clone()).await.expect_err("out of reach");
    assert!(failed.to_string().contains("Elasticsearch refuses (503)"), "{failed}");
    assert_eq!(near(&engine, [1.0, 0.0, 0.0, 0.0]).await.expect("found").len(), 3);
    bench.fake.held().faults.push_back((429, "es_rejected_execution_exception"));
    assert_eq!(engine.search(search.clone()).await, Err(KnowledgeError::Overloaded));
    let only = Filter::Ids(vec![PointId::Number(1)]);
    let none = Search { filter: Some(only), ..search };
    assert_eq!(engine.search(none).await.expect("found"), []);
}
