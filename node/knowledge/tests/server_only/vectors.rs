//! Collections that others made, with vectors of their own.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{By, Scan};
use gaia_knowledge::server::{Server, ServerSettings};

use super::connect;
use crate::behaviour::{animals, collection, ids, near, scan_all, search, upsert};
use crate::fake::{Dense, Fake, Shelf};

/// A server with a collection `c` of these vectors, the sparse ones with or without IDF.
async fn foreign(dense: &[&str], sparse: &[(&str, bool)]) -> Fake {
    let fake = Fake::start().await;
    let of = |name: &&str| ((*name).to_owned(), Dense { size: 4, distance: 1 });
    let shelf = Shelf {
        dense: dense.iter().map(of).collect(),
        sparse: sparse.iter().map(|(name, idf)| ((*name).to_owned(), *idf)).collect(),
        ..Shelf::default()
    };
    fake.state().collections.insert("c".into(), shelf);
    fake
}

async fn works(server: &Server) {
    upsert(server, animals()).await.expect("they are written");
    let found = near(server, [0.0, 1.0, 0.0, 0.0]).await.expect("it searches");
    assert_eq!(ids(&found)[0], 2);
    let scan = Scan { collection: "c".into(), limit: 10, with_vectors: true, ..Scan::default() };
    assert_eq!(scan_all(server, scan).await, animals());
}

#[tokio::test]
async fn the_only_vector_is_used_whatever_its_name() {
    let fake = foreign(&["text-dense"], &[]).await;
    works(&connect(&fake).await).await;
    assert!(
        fake.state().collections["c"].points.values().all(|p| p.dense.contains_key("text-dense"))
    );
}

#[tokio::test]
async fn of_several_vectors_one_must_be_chosen() {
    let fake = foreign(&["a", "b"], &[("bm25", true)]).await;
    let server = connect(&fake).await;
    assert_eq!(collection(&server, "c").await, None);
    let refused = near(&server, [1.0, 0.0, 0.0, 0.0]).await.expect_err("which one?");
    assert!(matches!(refused, KnowledgeError::Invalid { .. }), "{refused:?}");
    assert!(refused.to_string().contains("vector_name"), "{refused}");
    let settings = ServerSettings { vector_name: Some("b".into()), ..fake.settings() };
    let server = Server::connect(settings).await.expect("it connects");
    works(&server).await;
    assert!(fake.state().collections["c"].points.values().all(|p| p.dense.contains_key("b")));
    let found = search(&server, By::Words("dog".into())).await.expect("it searches");
    assert_eq!(ids(&found), [2]);
}

#[tokio::test]
async fn words_need_a_vector_of_ours() {
    for sparse in [&[][..], &[("bm25", false)], &[("other", true)]] {
        let fake = foreign(&[""], sparse).await;
        let server = connect(&fake).await;
        works(&server).await;
        assert!(!collection(&server, "c").await.expect("it is there").has_keywords);
        assert_eq!(search(&server, By::Words("dog".into())).await.expect("it searches"), []);
        assert!(fake.state().collections["c"].points.values().all(|p| p.sparse.is_empty()));
    }
}

#[tokio::test]
async fn without_a_way_to_count_words_there_are_no_keywords() {
    let fake = foreign(&[""], &[("bm25", true)]).await;
    let settings = ServerSettings { bm25: None, ..fake.settings() };
    let server = Server::connect(settings).await.expect("it connects");
    works(&server).await;
    assert!(!collection(&server, "c").await.expect("it is there").has_keywords);
}
