//! Names, aliases, and the collections behind them.

use gaia_core::knowledge::{Batches, Change, Import, Point, Reply, Restore};
use gaia_core::{Knowledge, KnowledgeError};
use serde_json::json;
use tempfile::TempDir;
use tonic::Status;

use super::{connect, filled};
use crate::behaviour::{animals, collection, count, near, point, spec, upsert, words};
use crate::fake::{Fake, Fault, Shelf};

const ALONG: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

/// A snapshot of `c`, to be restored under a name.
async fn snapshot(server: &dyn Knowledge, folder: &TempDir, name: &str) -> Restore {
    let file = folder.path().join(format!("{name}.snapshot"));
    server.snapshot("c", file.clone()).await.expect("it is made");
    Restore { collection: name.into(), file, embedder: None, dimension: Some(4) }
}

/// Points that come in one batch.
struct Once(Vec<Point>);

impl Batches for Once {
    fn next(&mut self) -> Reply<'_, Vec<Point>> {
        let points = std::mem::take(&mut self.0);
        Box::pin(std::future::ready(Ok(points)))
    }
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

/// What a restore failed to name, if it left one.
fn spare(fake: &Fake) -> Option<String> {
    let state = fake.state();
    let is_meant = |one: &String| state.aliases.values().any(|meant| meant == one);
    state.collections.keys().find(|one| one.contains('@') && !is_meant(one)).cloned()
}

#[tokio::test]
async fn a_switch_that_fails_leaves_the_old_one_in_use_and_the_new_one_there() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("delete_collection", Fault::Refuse(Status::internal("locked")));
    assert!(server.restore(restore.clone()).await.is_err());
    let first = spare(&fake).expect("it may be all there is");
    assert_eq!(physical(&fake), ["c".to_owned(), first.clone()]);
    upsert(&server, vec![point(9, ALONG, "a wolf")]).await.expect("it is written");
    assert_eq!(fake.state().collections["c"].points.len(), 4);
    fake.state().collections.remove(&first);
    server.restore(restore.clone()).await.expect("it is restored");
    let before = physical(&fake);
    fake.fault("update_aliases", Fault::Refuse(Status::internal("locked")));
    assert!(server.restore(restore).await.is_err());
    assert!(spare(&fake).is_some());
    assert_eq!(fake.state().aliases["c"], before[0]);
    drop(server);
    let server = connect(&fake).await;
    assert_eq!(fake.state().aliases["c"], before[0]);
    assert_eq!(near(&server, ALONG).await.expect("it searches").len(), 3);
    // What is deleted does not come back from there.
    server.change("c", Change::Delete).await.expect("it is deleted");
    assert!(physical(&fake).is_empty());
    drop(server);
    assert_eq!(collection(&connect(&fake).await, "c").await, None);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_goes_on_to_the_new_one() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("delete_collection", Fault::Lose);
    server.restore(restore).await.expect("it is restored");
    let after = physical(&fake);
    assert_eq!(fake.state().aliases["c"], after[0]);
    assert_eq!((after.len(), count(&server).await), (1, 3));
}

#[tokio::test]
async fn an_import_whose_deletion_has_no_answer_goes_on_likewise() {
    let (fake, server) = filled().await;
    fake.fault("delete_collection", Fault::Lose);
    let points = Box::new(Once(animals()));
    let import = Import { collection: "c".into(), spec: spec(), replaces: true, points };
    server.import(import).await.expect("it is imported");
    assert_eq!((physical(&fake).len(), count(&server).await), (1, 3));
    assert_eq!(fake.state().aliases.len(), 1);
}

#[tokio::test]
async fn a_deletion_that_comes_after_all_leaves_the_new_one() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let restore = snapshot(&server, &folder, "c").await;
    fake.fault("delete_collection", Fault::Refuse(Status::deadline_exceeded("busy")));
    assert!(server.restore(restore.clone()).await.is_err());
    let new = spare(&fake).expect("it is there");
    fake.state().collections.remove("c");
    // A later restore that fails does not sweep what is all there is, however old that is.
    let old = "c@0000000000000001".to_owned();
    let mut shelf = fake.state().collections.remove(&new).expect("it is there");
    shelf.metadata.insert("gaia_ready".into(), json!(old));
    fake.state().collections.insert(old.clone(), shelf);
    fake.fault("count", Fault::Refuse(Status::invalid_argument("broken segment")));
    assert!(server.restore(restore).await.is_err());
    assert_eq!(physical(&fake), std::slice::from_ref(&old));
    drop(server);
    let server = connect(&fake).await;
    assert_eq!(fake.state().aliases["c"], old);
    assert_eq!(count(&server).await, 3);
}

#[tokio::test]
async fn an_alias_whose_answer_is_lost_was_set() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["d", "d", "c"] {
        let restore = snapshot(&server, &folder, name).await;
        for _ in 0..3 {
            fake.fault("update_aliases", Fault::Lose);
        }
        server.restore(restore.clone()).await.expect("it is restored");
        std::fs::remove_file(&restore.file).expect("it is there");
        assert_eq!(spare(&fake), None, "{name}");
        assert!(fake.state().aliases[name].starts_with(name));
    }
    assert_eq!((physical(&fake).len(), count(&server).await), (2, 3));
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
