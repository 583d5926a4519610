//! The task at work over a knowledge base that writes late, and what it tries again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gaia_core::fakes::{FakeKnowledge, FakeModel, node_of};
use gaia_core::knowledge::{Collection, Import, Page, Ranked, Reply, Restore, Scan, Search};
use gaia_core::{Knowledge, ServeError};
use gaia_protocol::{Event, FinishReason, ModelKind, TokenText, Usage};
use serde_json::Map;
use tokio::sync::{Semaphore, oneshot};

use super::job::{Job, Retries};
use super::*;
use crate::config::FilesConfig;
use crate::ids::new_id;
use crate::ingest::CHUNKER;
use crate::store::{FileInfo, FileStatus, Stage, StoreFile, VectorLimits};

const TEXT: &str = "Foxes are quick.";

/// Writes points when it is let, whether anybody waits or not, as engines do.
struct Late {
    inner: Arc<FakeKnowledge>,
    let_through: Arc<Semaphore>,
    begun: watch::Sender<u32>,
    writing: Mutex<JoinSet<()>>,
}

impl Late {
    fn new() -> Self {
        Self {
            inner: Arc::default(),
            let_through: Arc::new(Semaphore::new(0)),
            begun: watch::Sender::new(0),
            writing: Mutex::default(),
        }
    }

    async fn write(&self, collection: String, change: Change) -> Result<(), KnowledgeError> {
        let (inner, let_through) = (Arc::clone(&self.inner), Arc::clone(&self.let_through));
        let (tell, told) = oneshot::channel();
        self.writing.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let _through = let_through.acquire().await.expect("it stays open");
            let _ = tell.send(inner.change(&collection, change).await);
        });
        self.begun.send_modify(|count| *count += 1);
        told.await.expect("it is written some time")
    }

    /// Lets everything through, and waits for its end.
    async fn written(&self) {
        self.let_through.add_permits(Semaphore::MAX_PERMITS);
        let writing =
            std::mem::take(&mut *self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        writing.join_all().await;
    }
}

impl Knowledge for Late {
    fn collections(&self) -> Reply<'_, Vec<Collection>> {
        self.inner.collections()
    }

    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>> {
        self.inner.search(search)
    }

    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()> {
        match change {
            Change::Upsert(_) => Box::pin(self.write(collection.to_owned(), change)),
            _ => self.inner.change(collection, change),
        }
    }

    fn scan(&self, scan: Scan) -> Reply<'_, Page> {
        self.inner.scan(scan)
    }

    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()> {
        self.inner.snapshot(collection, file)
    }

    fn restore(&self, restore: Restore) -> Reply<'_, Collection> {
        self.inner.restore(restore)
    }

    fn import(&self, import: Import) -> Reply<'_, Collection> {
        self.inner.import(import)
    }
}

fn finish() -> Result<Event, ServeError> {
    Ok(Event::finish(FinishReason::Stop, Usage::default()))
}

/// Cuts one text, and makes a vector of it.
fn embedder() -> FakeModel {
    let token = TokenText { id: 1, bytes: TEXT.into() };
    let tokens = vec![Ok(Event::Tokens { tokens: vec![token] }), finish()];
    let vector = Event::Embedding { index: 0, vector: vec![1.0; 576], tokens: 1 };
    FakeModel::new("embed", ModelKind::Embedding)
        .answering_in_turn(vec![tokens, vec![Ok(vector), finish()]])
}

fn store(stage: Stage, files: Vec<StoreFile>) -> VectorStore {
    VectorStore {
        id: "vs_a".into(),
        owner: Owner::default(),
        name: String::new(),
        description: None,
        metadata: Map::new(),
        expires_after_days: None,
        created_at: 1,
        last_active_at: 1,
        stage,
        files,
        batches: vec![],
    }
}

fn file(id: &str, status: FileStatus) -> StoreFile {
    StoreFile {
        id: id.into(),
        filename: "a.txt".into(),
        bytes: TEXT.len() as u64,
        created_at: 1,
        status,
        error: None,
        attributes: Map::new(),
        chunker: CHUNKER,
        batch: None,
        stale: false,
    }
}

async fn upload(files: &Files) {
    let mut upload = files.begin("file-1".into()).await.expect("room");
    upload.write(TEXT.as_bytes()).await.expect("room");
    let info = |id, bytes| FileInfo {
        id,
        owner: Owner::default(),
        filename: "a.txt".into(),
        purpose: "assistants".into(),
        bytes,
        created_at: 1,
    };
    upload.finish(info).await.expect("kept");
}

fn keeper(folder: &std::path::Path, knowledge: Arc<Late>) -> VectorStoreKeeper {
    let (mut node, _) = node_of(embedder());
    node.knowledge = Some(knowledge);
    let stores = VectorStores::open(folder.join("stores"), VectorLimits::default());
    VectorStoreKeeper::start(Tools {
        stores: stores.expect("empty"),
        files: Files::open(FilesConfig::in_folder(folder.join("files"))).expect("empty"),
        node,
        ingester: Ingester::new(1000),
        document_bytes_max: 1000,
    })
}

#[tokio::test]
async fn what_a_file_that_is_let_go_still_writes_is_removed() {
    let folder = std::env::temp_dir().join(new_id("gaia-stores-"));
    let late = Arc::new(Late::new());
    let keeper = keeper(&folder, Arc::clone(&late));
    upload(&keeper.tools.files).await;
    let files = vec![file("file-1", FileStatus::InProgress)];
    keeper.create(store(Stage::Live, files)).await.expect("made");
    let mut begun = late.begun.subscribe();
    begun.wait_for(|count| *count == 1).await.expect("a write");
    let detach = |store: &mut VectorStore| {
        assert!(store.detach("file-1"));
        Ok(())
    };
    keeper.change("vs_a", detach).await.expect("let go");
    let is_gone = || keeper.stores().find("vs_a").is_some_and(|store| store.files.is_empty());
    // Time that only a removal takes that comes too early.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    late.written().await;
    while !is_gone() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let collections = late.inner.collections().await.expect("a fake");
    assert_eq!((collections.len(), collections[0].points), (1, 0));
    drop(keeper);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_nobody_wants_any_more_is_not_due() {
    let waiting = || vec![file("1", FileStatus::InProgress)];
    let live = || Arc::new(store(Stage::Live, waiting()));
    for (stage, files) in [
        (Stage::Live, vec![]),
        (Stage::Live, vec![file("1", FileStatus::Completed)]),
        (Stage::Expiring, waiting()),
        (Stage::Expired, vec![]),
    ] {
        let mut retries = Retries::default();
        let job = Job::next(&[live()], &retries).expect("a file waits");
        assert_eq!(retries.failed(&job), 1);
        assert_eq!(Job::next(&[live()], &retries), None, "it is tried later");
        retries.keep(&[live()]);
        assert!(retries.next().is_some());
        retries.keep(&[Arc::new(store(stage, files))]);
        assert_eq!(retries.next(), None, "{stage:?}");
    }
}
