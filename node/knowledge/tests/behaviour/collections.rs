//! Collections are made, listed and deleted.

use gaia_core::knowledge::{By, Change, Chunker, CollectionSpec, Distance, Scan, Search};
use gaia_core::{Knowledge, KnowledgeError};

use super::{animals, collection, count, fill, spec};

pub async fn bad_names_are_refused(engine: &dyn Knowledge) {
    for name in ["", "..", "a/b", "a b", "-a", "ä"] {
        let refused = engine.change(name, Change::Create(spec())).await;
        assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{name:?}: {refused:?}");
        let by = By::Vector(vec![0.0; 4]);
        let search = Search { collection: name.into(), by, limit: 1, filter: None };
        assert!(engine.search(search).await.is_err(), "{name:?}");
    }
    assert_eq!(engine.collections().await.expect("they are listed"), []);
}

pub async fn an_unknown_collection_is_named_with_those_there_are(engine: &dyn Knowledge) {
    engine.change("there", Change::Create(spec())).await.expect("it is made");
    let unknown =
        KnowledgeError::UnknownCollection { name: "c".into(), known: vec!["there".into()] };
    let by = By::Vector(vec![0.0; 4]);
    let search = Search { collection: "c".into(), by, limit: 1, filter: None };
    assert_eq!(engine.search(search).await, Err(unknown.clone()));
    let scan = Scan { collection: "c".into(), limit: 1, ..Scan::default() };
    assert_eq!(engine.scan(scan).await, Err(unknown.clone()));
    for change in [Change::Upsert(animals()), Change::Remove(vec![]), Change::Delete] {
        assert_eq!(engine.change("c", change).await, Err(unknown.clone()));
    }
    assert_eq!(engine.change("c", Change::Optimize).await, Err(unknown));
}

pub async fn a_collection_is_made_once(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    let again = engine.change("c", Change::Create(spec())).await;
    assert_eq!(again, Err(KnowledgeError::CollectionExists { name: "c".into() }));
    assert_eq!(count(engine).await, 3);
}

pub async fn specs_that_make_no_sense_are_refused(engine: &dyn Knowledge) {
    let wrong = CollectionSpec::default();
    let refused = engine.change("c", Change::Create(wrong)).await;
    assert!(matches!(refused, Err(KnowledgeError::Invalid { .. })), "{refused:?}");
    assert_eq!(collection(engine, "c").await, None);
}

pub async fn what_is_known_of_a_collection_is_kept(engine: &dyn Knowledge) {
    let known = CollectionSpec {
        dimension: 3,
        distance: Distance::Euclid,
        embedder: Some("all-MiniLM".into()),
        query_prefix: Some("search_query: ".into()),
        text_prefix: Some("search_document: ".into()),
        language: Some("german".into()),
        words_mean: Some(120.5),
        chunker: Some(Chunker { tokens_max: 256, overlap_tokens: 32 }),
        description: Some("Füchse".into()),
    };
    engine.change("b", Change::Create(known.clone())).await.expect("it is made");
    engine.change("a", Change::Create(spec())).await.expect("it is made");
    let collections = engine.collections().await.expect("they are listed");
    let names: Vec<_> = collections.iter().map(|collection| collection.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(collections[1].spec, known);
    assert!(collections[1].has_keywords);
    assert_eq!(collections[1].points, 0);
}

pub async fn a_deleted_collection_is_gone(engine: &dyn Knowledge) {
    fill(engine, animals()).await;
    engine.change("c", Change::Delete).await.expect("it is deleted");
    assert_eq!(collection(engine, "c").await, None);
    assert!(super::near(engine, [1.0; 4]).await.is_err());
    fill(engine, vec![]).await;
    assert_eq!(count(engine).await, 0);
}
