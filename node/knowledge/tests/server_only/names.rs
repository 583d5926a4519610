//! Names, aliases, and the collections behind them.

use gaia_core::knowledge::{Change, Restore};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::json;
use tempfile::TempDir;
use tonic::Status;

use super::{connect, filled};
use crate::behaviour::{collection, count, near, point, spec, upsert, words};
use crate::fake::{Fake, Fault, Shelf};

const ALONG: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

/// A snapshot of `c`, to be restored under a name.
async fn snapshot(server: &dyn Knowledge, folder: &TempDir, name: &str) -> Restore {
    let file = folder.path().join(format!("{name}.snapshot"));
    server.snapshot("c", file.clone()).await.expect("it is made");
    Restore { collection: name.into(), file, embedder: None, dimension: Some(4) }
}

fn physical(fake: &Fake) -> Vec<String> {
    fake.state().collections.keys().cloned().collect()
}

#[tokio::test]
async fn names_that_we_could_not_have_given_are_not_shown() {
    let (fake, server) = filled().await;
    let shelf = fake.state().collections["c"].clone();
    for name in ["with blank", "ä", "c@0f", "x/y"] {
        fake.state().collections.insert(name.into(), shelf.clone());
    }
    let server2 = connect(&fake).await;
    let names: Vec<_> =
        server2.collections().await.expect("listed").into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["c"]);
    drop(server);
}

#[tokio::test]
async fn an_alias_of_others_is_a_name_but_not_ours_to_delete() {
    let (fake, server) = filled().await;
    fake.state().aliases.insert("other".into(), "c".into());
    let server = {
        drop(server);
        connect(&fake).await
    };
    assert_eq!(collection(&server, "other").await.expect("it is there").points, 3);
    let refused = server.change("other", Change::Delete).await.expect_err("an alias");
    assert!(refused.to_string().contains("`c`"), "{refused}");
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "other").await;
    server.restore(restore).await.expect("it is restored");
    upsert(&server, vec![point(9, ALONG, "only in c")]).await.expect("it is written");
    assert_eq!(collection(&server, "other").await.expect("it is there").points, 3);
    assert_eq!(count(&server).await, 4);
}

#[tokio::test]
async fn an_alias_takes_over_and_what_it_meant_is_deleted() {
    let (fake, server) = filled().await;
    assert_eq!(physical(&fake), ["c"]);
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    let mut before = vec!["c".to_owned()];
    for _ in 0..2 {
        server.restore(restore.clone()).await.expect("it is restored");
        let after = physical(&fake);
        assert_eq!(after.len(), 1);
        assert!(after[0].starts_with("c@") && after != before, "{after:?}");
        assert_eq!(fake.state().aliases["c"], after[0]);
        assert!(fake.state().snapshots.is_empty());
        before = after;
    }
    server.change("c", Change::Delete).await.expect("it is deleted");
    assert!(physical(&fake).is_empty() && fake.state().aliases.is_empty());
}

#[tokio::test]
async fn a_switch_that_fails_leaves_everything_as_it_was() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("delete_collection", Fault::Refuse(Status::internal("locked")));
    assert!(server.restore(restore.clone()).await.is_err());
    assert_eq!(physical(&fake), ["c"]);
    server.restore(restore.clone()).await.expect("it is restored");
    let before = physical(&fake);
    fake.fault("update_aliases", Fault::Refuse(Status::internal("locked")));
    assert!(server.restore(restore).await.is_err());
    assert_eq!(physical(&fake), before);
    assert_eq!(near(&server, ALONG).await.expect("it searches").len(), 3);
}

#[tokio::test]
async fn a_name_that_could_not_be_given_is_given_at_the_next_connection() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("update_aliases", Fault::Refuse(Status::internal("locked")));
    let restored = server.restore(restore).await.expect("it is restored here");
    assert_eq!(restored.points, 3);
    assert!(fake.state().aliases.is_empty());
    // This process goes on with it.
    upsert(&server, vec![point(9, ALONG, "a wolf")]).await.expect("it is written");
    assert_eq!(words(&server, "wolf").await, [9]);
    assert_eq!(count(&server).await, 4);
    drop(server);
    let server = connect(&fake).await;
    assert_eq!(count(&server).await, 4);
    assert_eq!(fake.state().aliases.len(), 1);
}

#[tokio::test]
async fn a_collection_with_a_name_pending_can_be_deleted() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("update_aliases", Fault::Refuse(Status::internal("locked")));
    server.restore(restore).await.expect("it is restored here");
    server.change("c", Change::Delete).await.expect("it is deleted");
    assert!(physical(&fake).is_empty());
    let gone = near(&server, ALONG).await;
    assert!(matches!(gone, Err(KnowledgeError::UnknownCollection { .. })), "{gone:?}");
    server.change("c", Change::Create(spec())).await.expect("it is made");
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn what_was_not_verified_gets_no_name_and_is_swept_later() {
    let (fake, server) = filled().await;
    let mut shelf: Shelf = fake.state().collections["c"].clone();
    // The mark of another collection, whose snapshot this is.
    shelf.metadata.insert("gaia_ready".into(), json!("d@0000000000000002"));
    fake.state().collections.insert("d@0000000000000001".into(), shelf);
    drop(server);
    let server = connect(&fake).await;
    assert_eq!(collection(&server, "d").await, None);
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "d").await;
    server.restore(restore).await.expect("it is restored");
    let physical = physical(&fake);
    assert_eq!(physical.len(), 2, "{physical:?}");
    assert!(!physical.contains(&"d@0000000000000001".to_owned()));
}

#[tokio::test]
async fn a_verified_collection_takes_nobodys_name() {
    let (fake, server) = filled().await;
    let mut shelf: Shelf = fake.state().collections["c"].clone();
    shelf.metadata.insert("gaia_ready".into(), json!("c@01"));
    shelf.points.clear();
    fake.state().collections.insert("c@01".into(), shelf);
    drop(server);
    assert_eq!(count(&connect(&fake).await).await, 3);
    assert!(fake.state().aliases.is_empty());
}
