//! The port to a model, wherever it runs.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use gaia_protocol::{Event, ModelCard, ModelKind, Task, WorkerStats};

use crate::ServeError;

/// The events of one task, in order. The stream ends after [`Event::Finish`], or with one `Err`; an
/// [`Event::Error`] is such an `Err`. Dropping it cancels the task.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<Event, ServeError>> + Send>>;

/// A report that is being asked for.
pub type ReportFuture<'a> = Pin<Box<dyn Future<Output = ModelReport> + Send + 'a>>;

/// Whether a model can serve.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelStatus {
    /// It loads; `share` of it (0 to 1) is there.
    Loading {
        /// How much is loaded.
        share: f32,
    },
    /// It serves.
    Ready(Box<ModelCard>),
    /// No worker holds it: it was unloaded, or nobody has asked for it yet.
    Unloaded,
    /// It stopped and comes back by itself.
    Down {
        /// When to ask again.
        retry_after: Duration,
        /// Why it stopped, for the operator.
        reason: String,
    },
}

/// A model's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelReport {
    /// What its worker counted since it started; zeros while there is none.
    pub stats: WorkerStats,
    /// How often its worker was started again.
    pub restarts: u64,
}

/// A model that takes tasks. Implemented over a worker process, over another server, and by a strict
/// fake in tests.
pub trait Model: Send + Sync {
    /// The name under which requests ask for it.
    fn name(&self) -> &str;

    /// What it is for; known before it is loaded.
    fn kind(&self) -> ModelKind;

    /// Whether it can serve now.
    fn status(&self) -> ModelStatus;

    /// Its numbers as they are now, or as last heard if it does not answer within a moment.
    fn report(&self) -> ReportFuture<'_>;

    /// Whether the node counts as ready only when this model serves.
    fn is_required(&self) -> bool {
        true
    }

    /// Whether it takes [`Task::Tokenize`]; where it does not, texts are measured by estimate.
    fn has_tokenizer(&self) -> bool {
        true
    }

    /// Whether the node's own engine computes it: then it is known what holds where a request says
    /// nothing, such as [`gaia_protocol::Sampling::TEMPERATURE`].
    fn is_own(&self) -> bool {
        true
    }

    /// Whether conversations with it may show pictures.
    fn takes_pictures(&self) -> bool {
        false
    }

    /// Starts a task; never waits. A model that is loaded on demand begins to load, and its stream
    /// waits for that.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] while it can't serve; anything that goes wrong later comes through
    /// the stream.
    fn start(&self, task: Task) -> Result<EventStream, ServeError>;
}
