//! The task that writes to the memory of fixes: one change after another, so that no count is lost.
//!
//! The memory is opened when it is first asked for, and whoever asks meanwhile waits. A change that
//! was begun is finished, whether or not somebody still waits for it; what was reported is on disk.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::coder::Fix;
use gaia_core::coder::fixes::{Asker, FixSettings, FixStore, Imported};
use gaia_core::{Node, ServeError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Changes that wait; one more is answered overloaded.
pub const WAITING_MAX: usize = 256;

/// Who asks while the memory is being opened waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// After a failure, opening is tried again so much later; twice as much each time, up to the most.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The memory of fixes of a node.
pub struct FixKeeper {
    wanted: Arc<Notify>,
    opened: watch::Receiver<Opened>,
    changes: mpsc::Sender<Change>,
    /// Ends the task when the keeper goes.
    _work: JoinSet<()>,
}

#[derive(Clone)]
enum Opened {
    /// Not yet; what kept it from being opened, if it was tried.
    Not(Option<String>),
    Open(FixStore),
}

/// Tells what came of a change.
type Reply<T> = oneshot::Sender<Result<T, ServeError>>;

enum Change {
    Remember(Asker, Box<Fix>, Reply<()>),
    Judge(Asker, (String, bool), Reply<()>),
    Import(Asker, Import, Reply<Imported>),
    Forget(Option<Asker>, String, Reply<bool>),
}

/// Fixes from elsewhere.
pub struct Import {
    /// Where they come from, for people.
    pub origin: String,
    /// Whether they help everyone at once and their numbers are taken over.
    pub trusted: bool,
    /// The fixes.
    pub fixes: Vec<Fix>,
}

impl FixKeeper {
    /// Starts the task. `node` must see the whole knowledge base.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(node: Node, settings: FixSettings) -> Self {
        let wanted = Arc::new(Notify::new());
        let (told, opened) = watch::channel(Opened::Not(None));
        let (changes, waiting) = mpsc::channel(WAITING_MAX);
        let mut work = JoinSet::new();
        let task = Task { node, settings, wanted: Arc::clone(&wanted), told };
        work.spawn(task.run(waiting));
        Self { wanted, opened, changes, _work: work }
    }

    /// The memory, to read.
    ///
    /// # Errors
    /// It could not be opened yet: the reason, and when to ask again.
    pub async fn store(&self) -> Result<FixStore, ServeError> {
        self.wanted.notify_one();
        let mut opened = self.opened.clone();
        let open = opened.wait_for(|opened| matches!(opened, Opened::Open(_)));
        // Bound to a name, so that its lock is given back before what is borrowed from it.
        let found = timeout(PATIENCE, open).await.ok().and_then(Result::ok).map(|now| now.clone());
        match found {
            Some(Opened::Open(store)) => Ok(store),
            _ => Err(self.closed()),
        }
    }

    /// Keeps a fix.
    ///
    /// # Errors
    /// As [`FixStore::remember`]; too many changes wait.
    pub async fn remember(&self, asker: Asker, fix: Fix) -> Result<(), ServeError> {
        self.ask(|reply| Change::Remember(asker, Box::new(fix), reply)).await
    }

    /// Counts a fix that was tried.
    ///
    /// # Errors
    /// As [`FixStore::judge`]; too many changes wait.
    pub async fn judge(&self, asker: Asker, id: &str, helped: bool) -> Result<(), ServeError> {
        self.ask(|reply| Change::Judge(asker, (id.to_owned(), helped), reply)).await
    }

    /// Takes over fixes from elsewhere.
    ///
    /// # Errors
    /// As [`FixStore::import`]; too many changes wait.
    pub async fn import(&self, asker: Asker, import: Import) -> Result<Imported, ServeError> {
        self.ask(|reply| Change::Import(asker, import, reply)).await
    }

    /// Forgets a fix of `asker`'s, or anyone's; whether it was there.
    ///
    /// # Errors
    /// As [`FixStore::forget`]; too many changes wait.
    pub async fn forget(&self, asker: Option<Asker>, id: &str) -> Result<bool, ServeError> {
        self.ask(|reply| Change::Forget(asker, id.to_owned(), reply)).await
    }

    async fn ask<T>(&self, change: impl FnOnce(Reply<T>) -> Change) -> Result<T, ServeError> {
        self.store().await?;
        let (reply, answer) = oneshot::channel();
        self.changes.try_send(change(reply)).map_err(|_| ServeError::overloaded())?;
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn closed(&self) -> ServeError {
        let reason = match &*self.opened.borrow() {
            Opened::Not(Some(reason)) => format!("the memory of fixes can't be opened: {reason}"),
            _ => "the memory of fixes is being opened".to_owned(),
        };
        ServeError::Unavailable { retry_after: RETRY_MIN, reason }
    }
}

struct Task {
    node: Node,
    settings: FixSettings,
    wanted: Arc<Notify>,
    told: watch::Sender<Opened>,
}

impl Task {
    async fn run(self, mut changes: mpsc::Receiver<Change>) {
        self.wanted.notified().await;
        let store = self.open().await;
        self.told.send_replace(Opened::Open(store.clone()));
        while let Some(change) = changes.recv().await {
            change.apply(&store).await;
        }
    }

    async fn open(&self) -> FixStore {
        let mut delay = RETRY_MIN;
        loop {
            match FixStore::open(self.node.clone(), self.settings.clone()).await {
                Ok(store) => {
                    let embedder = store.embedder();
                    tracing::info!(embedder, "the memory of fixes is open");
                    if embedder.is_none() {
                        tracing::warn!(
                            "no embedding model: fixes are found by code and words alone"
                        );
                    }
                    return store;
                }
                Err(error) => {
                    tracing::warn!(%error, "the memory of fixes can't be opened yet");
                    self.told.send_replace(Opened::Not(Some(error.to_string())));
                    sleep(delay).await;
                    delay = (delay * 2).min(RETRY_MAX);
                }
            }
        }
    }
}

impl Change {
    /// Whoever asked may be gone: then the answer is dropped.
    async fn apply(self, store: &FixStore) {
        match self {
            Self::Remember(asker, fix, reply) => {
                let _ = reply.send(store.remember(&asker, *fix).await);
            }
            Self::Judge(asker, (id, helped), reply) => {
                let _ = reply.send(store.judge(&asker, &id, helped).await);
            }
            Self::Import(asker, Import { origin, trusted, fixes }, reply) => {
                let _ = reply.send(store.import(&asker, (&origin, trusted), fixes).await);
            }
            Self::Forget(asker, id, reply) => {
                let _ = reply.send(store.forget(asker.as_ref(), &id).await);
            }
        }
    }
}
