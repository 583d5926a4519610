//! Snapshots over REST.

use std::path::PathBuf;

use gaia_core::knowledge::Restore;
use gaia_core::{Knowledge, KnowledgeError};
use gaia_knowledge::server::{Server, ServerSettings};
use tonic::Status;

use super::filled;
use crate::behaviour::{count, near};
use crate::fake::{Fault, tar};

fn restore(file: PathBuf) -> Restore {
    Restore { collection: "c".into(), file, embedder: None, dimension: None }
}

fn list(folder: &tempfile::TempDir) -> usize {
    std::fs::read_dir(folder.path()).expect("it is there").count()
}

#[tokio::test]
async fn a_spoiled_download_leaves_no_file_and_no_snapshot() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    fake.state().spoil_download = true;
    let failed = server.snapshot("c", folder.path().join("c.snapshot")).await;
    let message = failed.expect_err("it is spoiled").to_string();
    assert!(message.contains("checksum"), "{message}");
    assert_eq!(list(&folder), 0);
    assert!(fake.state().snapshots.is_empty());
}

#[tokio::test]
async fn a_snapshot_stays_on_the_server_only_if_it_cannot_be_deleted() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    server.snapshot("c", folder.path().join("1.snapshot")).await.expect("it is made");
    assert!(fake.state().snapshots.is_empty());
    fake.fault("delete_snapshot", Fault::Refuse(Status::internal("locked")));
    server.snapshot("c", folder.path().join("2.snapshot")).await.expect("it is made all the same");
    assert_eq!(fake.state().snapshots.len(), 1);
    assert_eq!(list(&folder), 2);
}

#[tokio::test]
async fn without_the_address_of_rest_there_are_no_snapshots() {
    let (fake, server) = filled().await;
    drop(server);
    let settings = ServerSettings { rest_url: None, ..fake.settings() };
    let server = Server::connect(settings).await.expect("it connects");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.snapshot");
    for refused in
        [server.snapshot("c", file.clone()).await, server.restore(restore(file)).await.map(|_| ())]
    {
        let message = refused.expect_err("no address").to_string();
        assert!(message.contains("rest_url"), "{message}");
    }
    assert_eq!(fake.asked("create_snapshot"), 0);
}

#[tokio::test]
async fn an_old_format_is_refused_with_what_to_do() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("old.snapshot");
    std::fs::write(&file, tar(b"rocksdb")).expect("it is written");
    let refused = server.restore(restore(file)).await.expect_err("it is old");
    assert!(matches!(refused, KnowledgeError::Unreadable { .. }), "{refused:?}");
    let message = refused.to_string();
    assert!(message.contains("RocksDB is not supported") && message.contains("1.17"), "{message}");
    assert_eq!(count(&server).await, 3);
    assert_eq!(fake.state().collections.len(), 1);
}

#[tokio::test]
async fn an_old_format_that_is_noticed_late_is_refused_likewise() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.snapshot");
    server.snapshot("c", file.clone()).await.expect("it is made");
    let dummy = "Service internal error: Index is RocksDB but RocksDB feature is disabled.";
    fake.fault("count", Fault::Refuse(Status::internal(dummy)));
    let refused = server.restore(restore(file)).await.expect_err("it is old");
    assert!(matches!(refused, KnowledgeError::Unreadable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("1.17"), "{refused}");
    assert_eq!(fake.state().collections.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_verified_is_refused_and_deleted() {
    let (fake, server) = filled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.snapshot");
    server.snapshot("c", file.clone()).await.expect("it is made");
    for method in ["count", "scroll", "query", "update_collection", "get_collection"] {
        for _ in 0..2 {
            fake.fault(method, Fault::Refuse(Status::invalid_argument("broken segment")));
        }
        let refused = server.restore(restore(file.clone())).await;
        assert!(refused.is_err(), "{method}: {refused:?}");
        fake.state().faults.clear();
        assert_eq!(fake.state().collections.keys().collect::<Vec<_>>(), ["c"], "{method}");
        assert!(fake.state().snapshots.is_empty(), "{method}");
    }
    assert_eq!(near(&server, [1.0, 0.0, 0.0, 0.0]).await.expect("it searches").len(), 3);
}

#[tokio::test]
async fn an_empty_collection_can_be_restored() {
    let (fake, server) = filled().await;
    fake.state().collections.get_mut("c").expect("it is there").points.clear();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.snapshot");
    server.snapshot("c", file.clone()).await.expect("it is made");
    assert_eq!(server.restore(restore(file)).await.expect("it is restored").points, 0);
}
