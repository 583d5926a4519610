//! The task that does what the stores say is to be done, one thing after the other.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::knowledge::{Change, remove_source};
use gaia_core::{KnowledgeError, ServeError};
use gaia_documents::ReadError;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::Tools;
use super::job::{ATTEMPTS_MAX, Job, Retries};
use super::writes::Writes;
use crate::http::now_s;
use crate::ingest::{IngestError, Upload};
use crate::store::{
    FileError, FileErrorCode, FileStatus, Stage, StoreFile, VectorStore, VectorStoreError,
};

/// How often it is looked whose time is over.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long one file may take: a book on a small machine takes minutes.
const FILE_TIME_MAX: Duration = Duration::from_hours(1);

/// Why a thing is not done.
enum Failure {
    /// It may be done later.
    Later(String),
    /// It never will: this is what its user reads.
    Never(FileError),
    /// Its user wants something else now.
    Unwanted,
}

/// Works until it is dropped. `writes` are what `tools` write to.
pub async fn work(
    tools: Arc<Tools>,
    writes: Option<Arc<Writes>>,
    mut changed: watch::Receiver<u64>,
) {
    let mut retries = Retries::default();
    loop {
        changed.borrow_and_update();
        tools.expire().await;
        let stores = tools.stores.all();
        retries.keep(&stores);
        let Some(job) = Job::next(&stores, &retries) else {
            let look = Instant::now() + LOOK_EVERY;
            let until = retries.next().map_or(look, |at| at.min(look));
            // The sender goes with the keeper, and this task with it.
            let _ = tokio::time::timeout_at(until, changed.changed()).await;
            continue;
        };
        if let Some(writes) = &writes {
            // What was given up may still write, and a removal would not see it.
            writes.settle().await;
        }
        let done = tools.run(&job, &mut changed).await;
        tools.note(&job, done, &mut retries).await;
    }
}

impl Tools {
    /// Ends the stores whose time is over.
    async fn expire(&self) {
        let now = now_s();
        let is_over = |store: &Arc<VectorStore>| {
            store.stage == Stage::Live && store.expires_at().is_some_and(|end| end <= now)
        };
        for store in self.stores.all().into_iter().filter(is_over) {
            let end = |store: &mut VectorStore| {
                store.stage = Stage::Expiring;
                Ok(())
            };
            log(&store.id, self.stores.change(&store.id, end).await.map(drop));
        }
    }

    async fn run(&self, job: &Job, changed: &mut watch::Receiver<u64>) -> Result<(), Failure> {
        match job {
            Job::Drop(store) => Ok(self.drop_store(store).await?),
            Job::Remove(store, file) => Ok(self.remove(store, file).await?),
            Job::Ingest(store, file) => tokio::select! {
                done = timeout(FILE_TIME_MAX, self.ingest(store, file)) => {
                    done.unwrap_or_else(|_| Err(Failure::Never(too_slow())))
                }
                () = self.unwanted(&store.id, file, changed) => Err(Failure::Unwanted),
            },
        }
    }

    /// Comes back when a file is not any more what it was.
    async fn unwanted(&self, id: &str, file: &StoreFile, changed: &mut watch::Receiver<u64>) {
        let is_wanted = || {
            let store = self.stores.find(id).filter(|store| store.stage == Stage::Live);
            store.is_some_and(|store| store.files.contains(file))
        };
        while is_wanted() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn drop_store(&self, store: &VectorStore) -> Result<(), ServeError> {
        match self.node.knowledge()?.change(&store.id, Change::Delete).await {
            Ok(()) | Err(KnowledgeError::UnknownCollection { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = match store.stage {
            Stage::Deleted => self.stores.forget(&store.id).await,
            _ => self.stores.change(&store.id, end).await.map(drop),
        };
        ended.map_err(|error| KnowledgeError::unavailable(error).into())
    }

    async fn remove(&self, store: &VectorStore, file: &StoreFile) -> Result<(), ServeError> {
        self.clear(store, file).await?;
        let was = file.clone();
        let forget = move |store: &mut VectorStore| {
            store.files.retain(|file| *file != was || file.status != FileStatus::Removed);
            let left = store.files.iter_mut().find(|file| **file == was);
            left.into_iter().for_each(|file| file.stale = false);
            Ok(())
        };
        let changed = self.stores.change(&store.id, forget).await;
        changed.map(drop).map_err(|error| KnowledgeError::unavailable(error).into())
    }

    async fn clear(&self, store: &VectorStore, file: &StoreFile) -> Result<(), ServeError> {
        match remove_source(&self.node, &store.id, &file.id).await {
            Err(ServeError::Knowledge(KnowledgeError::UnknownCollection { .. })) => Ok(()),
            removed => removed.map(drop),
        }
    }

    async fn ingest(&self, store: &VectorStore, file: &StoreFile) -> Result<(), Failure> {
        let bytes = self.read(store, file).await?;
        self.provide(store).await?;
        if file.stale {
            self.clear(store, file).await?;
        }
        let upload = Upload {
            name: file.filename.clone(),
            bytes,
            attributes: file.attributes.clone(),
            source: Some(file.id.clone()),
            chunker: Some(file.chunker),
        };
        match self.ingester.run(&self.node, &store.id, upload).await {
            Ok(_) => Ok(()),
            Err(IngestError::Serve(error)) => Err(error.into()),
            Err(IngestError::Read(error)) => Err(Failure::Never(unreadable(&error))),
        }
    }

    async fn read(&self, store: &VectorStore, file: &StoreFile) -> Result<Vec<u8>, Failure> {
        let invalid = |message: String| {
            Failure::Never(FileError { code: FileErrorCode::InvalidFile, message })
        };
        let info = self.files.get(&store.owner, &file.id);
        let info = info.ok_or_else(|| invalid("the file was deleted".into()))?;
        if info.bytes > self.document_bytes_max {
            let limit = self.document_bytes_max;
            return Err(invalid(format!("the file is larger than {limit} bytes: split it")));
        }
        let mut bytes = vec![];
        let read = async { self.files.read(&info).await?.read_to_end(&mut bytes).await };
        read.await.map_err(|error| Failure::Later(error.to_string()))?;
        Ok(bytes)
    }

    async fn note(&self, job: &Job, done: Result<(), Failure>, retries: &mut Retries) {
        if matches!(done, Err(Failure::Unwanted)) {
            return;
        }
        let Job::Ingest(store, file) = job else {
            match done {
                Ok(()) => retries.done(job),
                Err(failure) => drop(later(job, failure, retries)),
            }
            return;
        };
        let error = match done {
            Ok(()) => None,
            Err(failure) => match later(job, failure, retries) {
                Some(error) => Some(error),
                None => return,
            },
        };
        match self.finish(store, (file, error)).await {
            Ok(()) | Err(VectorStoreError::Gone) => retries.done(job),
            Err(error) => drop(later(job, Failure::Later(error.to_string()), retries)),
        }
    }

    /// Notes what became of a file, if it is still what it was.
    async fn finish(
        &self,
        store: &VectorStore,
        (was, error): (&StoreFile, Option<FileError>),
    ) -> Result<(), VectorStoreError> {
        let was = was.clone();
        let finish = move |store: &mut VectorStore| {
            if let Some(file) = store.files.iter_mut().find(|file| **file == was) {
                // What failed half way has left chunks.
                file.stale = error.is_some();
                file.status = match error {
                    Some(_) => FileStatus::Failed,
                    None => FileStatus::Completed,
                };
                file.error = error;
            }
            Ok(())
        };
        self.stores.change(&store.id, finish).await.map(drop)
    }
}

fn end(store: &mut VectorStore) -> Result<(), VectorStoreError> {
    store.files.clear();
    store.batches.clear();
    store.stage = Stage::Expired;
    Ok(())
}

fn log(id: &str, done: Result<(), VectorStoreError>) {
    match done {
        Ok(()) | Err(VectorStoreError::Gone) => {}
        Err(error) => tracing::error!(store = id, %error, "a vector store could not be changed"),
    }
}

/// Notes a failure; what its user reads if it is the last.
fn later(job: &Job, failure: Failure, retries: &mut Retries) -> Option<FileError> {
    let count = retries.failed(job);
    let error = match failure {
        Failure::Never(error) => return Some(error),
        Failure::Later(message) => FileError { code: FileErrorCode::ServerError, message },
        Failure::Unwanted => return None,
    };
    tracing::warn!(count, message = error.message, "work for a vector store waits");
    (count >= ATTEMPTS_MAX).then_some(error)
}

fn too_slow() -> FileError {
    let message = "the file took longer than this node works on one: split it".to_owned();
    FileError { code: FileErrorCode::ServerError, message }
}

fn unreadable(error: &ReadError) -> FileError {
    let code = match error {
        ReadError::Unsupported { .. } => FileErrorCode::UnsupportedFile,
        _ => FileErrorCode::InvalidFile,
    };
    FileError { code, message: error.to_string() }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let message = error.to_string();
        match error {
            ServeError::Overloaded { .. }
            | ServeError::Unavailable { .. }
            | ServeError::WorkerStopped
            | ServeError::Upstream { .. }
            | ServeError::UpstreamBusy { .. }
            | ServeError::TimeLimit
            | ServeError::UnknownModel { .. }
            | ServeError::Knowledge(
                KnowledgeError::Overloaded
                | KnowledgeError::Unavailable { .. }
                | KnowledgeError::Broken { .. }
                | KnowledgeError::DiskFull,
            ) => Self::Later(message),
            ServeError::PromptTooLong { .. } => {
                let message = format!("{message}; choose a smaller max_chunk_size_tokens");
                Self::Never(FileError { code: FileErrorCode::InvalidFile, message })
            }
            _ => Self::Never(FileError { code: FileErrorCode::ServerError, message }),
        }
    }
}
