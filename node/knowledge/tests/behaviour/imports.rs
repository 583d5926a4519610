//! Collections are made of points that come in batches.

use gaia_core::knowledge::{Batches, Chunker, CollectionSpec, Import, Point, Reply, Scan};
use gaia_core::{Knowledge, KnowledgeError};

use super::{animals, collection, count, fill, near, point, scan_all, spec, upsert, words};

/// Batches as they are told to come; the last may be a failure.
struct Told(std::vec::IntoIter<Result<Vec<Point>, KnowledgeError>>);

impl Batches for Told {
    fn next(&mut self) -> Reply<'_, Vec<Point>> {
        let next = self.0.next().unwrap_or(Ok(vec![]));
        Box::pin(std::future::ready(next))
    }
}

fn told(batches: Vec<Result<Vec<Point>, KnowledgeError>>) -> Import {
    let points = Box::new(Told(batches.into_iter()));
    Import { collection: "c".into(), spec: spec(), replaces: true, points }
}

fn wolf() -> Vec<Point> {
    vec![point(9, [0.0, 0.0, 0.0, 1.0], "A later wolf.")]
}

/// Only `c` is there, as it was filled.
async fn unchanged(engine: &dyn Knowledge) {
    assert_eq!(engine.collections().await.expect("they are listed").len(), 1);
    assert_eq!(count(engine).await, 3);
    assert_eq!(words(engine, "dog").await, [2]);
    assert_eq!(words(engine, "wolf").await, Vec::<u64>::new());
}

pub async fn batches_become_a_collection(engine: &dyn Knowledge) {
    let spec = CollectionSpec {
        embedder: Some("e".into()),
        words_mean: Some(7.5),
        chunker: Some(Chunker { tokens_max: 100, overlap_tokens: 10 }),
        ..spec()
    };
    let import = told(vec![Ok(animals()), Ok(wolf())]);
    let import = Import { spec: spec.clone(), replaces: false, ..import };
    let imported = engine.import(import).await.expect("it is imported");
    assert_eq!((imported.name.as_str(), imported.points), ("c", 4));
    assert_eq!((imported.spec.clone(), imported.has_keywords), (spec, true));
    assert_eq!(collection(engine, "c").await, Some(imported));
    let scan = Scan { collection: "c".into(), limit: 10, with_vectors: true, ..Scan::default() };
    assert_eq!(scan_all(engine, scan).await, [animals(), wolf()].concat());
    assert_eq!(words(engine, "wolf").await, [9]);
    let found = near(engine, [0.0, 1.0, 0.0, 0.0]).await.expect("it searches");
    assert_eq!(found[0].payload["source"], "The lazy dog sleeps and sleeps.");
}

pub async fn what_is_there_is_replaced_only_if_that_is_asked(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let refused = engine.import(Import { replaces: false, ..told(vec![Ok(wolf())]) }).await;
    assert!(matches!(refused, Err(KnowledgeError::CollectionExists { .. })), "{refused:?}");
    unchanged(engine).await;
    // The first time what is replaced was made here, the second time it was imported.
    for _ in 0..2 {
        let imported = engine.import(told(vec![Ok(wolf())])).await.expect("it is imported");
        assert_eq!(imported.points, 1);
        assert_eq!(words(engine, "dog").await, Vec::<u64>::new());
        assert_eq!(engine.collections().await.expect("they are listed").len(), 1);
    }
    upsert(engine, animals()).await.expect("they are written");
    assert_eq!(count(engine).await, 4);
}

pub async fn an_import_that_fails_leaves_everything_as_it_was(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let short = Point { vector: vec![1.0; 3], ..wolf()[0].clone() };
    let not_finite = Point { vector: vec![1.0, f32::NAN, 0.0, 0.0], ..wolf()[0].clone() };
    let failure = KnowledgeError::unavailable("the source is gone");
    for (why, last) in [
        ("fails", Err(failure)),
        ("short", Ok(vec![short])),
        ("not finite", Ok(vec![not_finite])),
        ("an id twice", Ok(wolf())),
    ] {
        for name in ["c", "new"] {
            let import = told(vec![Ok(wolf()), last.clone()]);
            let import = Import { collection: name.into(), ..import };
            assert!(engine.import(import).await.is_err(), "{why} into {name}");
            unchanged(engine).await;
        }
    }
    let twice = engine.import(told(vec![Ok(wolf()), Ok(wolf())])).await.expect_err("twice");
    assert!(matches!(twice, KnowledgeError::Unreadable { .. }), "{twice:?}");
    let none = CollectionSpec { dimension: 0, ..spec() };
    for wrong in [
        Import { collection: "../c".into(), ..told(vec![]) },
        Import { spec: none, ..told(vec![]) },
    ] {
        assert!(engine.import(wrong).await.is_err());
    }
    unchanged(engine).await;
}

pub async fn nothing_can_be_imported_too(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    assert_eq!(engine.import(told(vec![])).await.expect("it is imported").points, 0);
    assert_eq!(count(engine).await, 0);
}
