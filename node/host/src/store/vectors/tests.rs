//! Stores on a real disk.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Map;

use super::*;

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("gaia-vectors-{}-{number}", std::process::id()))
}

fn store(id: &str) -> VectorStore {
    VectorStore {
        id: id.into(),
        owner: Owner::default(),
        name: String::new(),
        description: None,
        metadata: Map::new(),
        expires_after_days: None,
        created_at: 1,
        last_active_at: 1,
        stage: Stage::Live,
        files: vec![],
        batches: vec![],
    }
}

fn file(id: &str) -> StoreFile {
    StoreFile {
        id: id.into(),
        filename: "a.md".into(),
        bytes: 3,
        created_at: 1,
        status: FileStatus::InProgress,
        error: None,
        attributes: Map::new(),
        chunker: crate::ingest::CHUNKER,
        batch: None,
        stale: false,
    }
}

async fn attach(stores: &VectorStores, id: &'static str) -> Result<(), VectorStoreError> {
    let attach = |store: &mut VectorStore| {
        store.attach(file(id));
        Ok(())
    };
    stores.change("vs_a", attach).await.map(drop)
}

#[tokio::test]
async fn each_limit_has_its_answer_and_changes_nothing() {
    let folder = folder();
    let limits = VectorLimits { stores: 1, files: 2, waiting: 9 };
    let stores = VectorStores::open(folder.clone(), limits).expect("empty");
    stores.create(store("vs_a")).await.expect("room");
    assert!(matches!(stores.create(store("vs_b")).await, Err(VectorStoreError::Full(_))));
    attach(&stores, "1").await.expect("room");
    attach(&stores, "2").await.expect("room");
    assert!(matches!(attach(&stores, "3").await, Err(VectorStoreError::Full(_))));
    attach(&stores, "2").await.expect("the same again is no more");
    let read = VectorStores::open(folder.clone(), VectorLimits { waiting: 1, ..limits });
    let read = read.expect("readable");
    assert_eq!(read.find("vs_a"), stores.find("vs_a"));
    let stale: Vec<_> = read.all()[0].files.iter().map(|file| file.stale).collect();
    assert_eq!(stale, [false, true]);
    let let_go = |store: &mut VectorStore| {
        assert!(store.detach("1") && !store.detach("1"));
        Ok(())
    };
    read.change("vs_a", let_go).await.expect("less waits");
    assert!(matches!(attach(&read, "3").await, Err(VectorStoreError::Busy(1))));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn half_written_stores_go_and_foreign_files_stay() {
    let folder = folder();
    let stores = VectorStores::open(folder.clone(), VectorLimits::default()).expect("empty");
    stores.create(store("vs_a")).await.expect("room");
    for (name, text) in [(".new-vs_b", "{"), ("vs_c.json", "{}"), ("note.txt", "x")] {
        std::fs::write(folder.join(name), text).expect("written");
    }
    std::fs::copy(folder.join("vs_a.json"), folder.join("vs_d.json")).expect("copied");
    let read = VectorStores::open(folder.clone(), VectorLimits::default()).expect("readable");
    let ids: Vec<_> = read.all().iter().map(|store| store.id.clone()).collect();
    assert_eq!(ids, ["vs_a"]);
    assert!(!folder.join(".new-vs_b").exists() && folder.join("vs_c.json").exists());
    read.forget("vs_a").await.expect("forgotten");
    assert!(read.find("vs_a").is_none() && !folder.join("vs_a.json").exists());
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn time_is_counted_from_the_last_use() {
    let mut store = VectorStore { expires_after_days: Some(1), ..store("vs_a") };
    assert_eq!(store.expires_at(), Some(86_401));
    assert!(store.check_live(86_400).is_ok());
    assert!(matches!(store.check_live(86_401), Err(VectorStoreError::Expired)));
    store.stage = Stage::Deleted;
    assert!(matches!(store.check_live(0), Err(VectorStoreError::Gone)));
}
