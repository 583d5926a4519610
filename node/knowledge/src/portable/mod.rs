//! A collection as one file that outlives engines and embedding models.
//!
//! The file is what [`gaia_archive::jsonl`] writes: lines of JSON under zstd, whose last line tells how
//! many records there were and their SHA-256. Its header says what the points are, above all which
//! model made their vectors; each record is one point:
//!
//!     {"kind":"gaia-knowledge","version":1,"collection":"rust","points":2,"spec":{"dimension":384,…}}
//!     {"id":"7","vector":[0.1,…],"payload":{"source":"…",…}}
//!
//! Records come in the order of their ids, numbers first, so that an id that comes twice is noticed
//! without a memory of all. A record without a vector can only be embedded anew.
//!
//! An import reads its file twice: first all of it is judged, then it is written, beside what is there.

mod embed;
mod export;
mod import;
mod records;

use gaia_archive::jsonl::{JsonlError, Limits};
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{CollectionSpec, Point, PointId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use export::export;
pub use import::{ImportOptions, Imported, Rule, import};

const KIND: &str = "gaia-knowledge";
const VERSION: u32 = 1;

/// Bytes of a record's line: a point on a server has 4 MiB at most, which JSON's escapes may double.
const LINE_BYTES_MAX: usize = 8 << 20;

/// How far an export or an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done now.
    pub phase: Phase,
    /// Points that are done.
    pub points: u64,
    /// Of how many, if that is known.
    pub of: Option<u64>,
}

/// What is done to a file's points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// They are read and judged.
    #[default]
    Checking,
    /// They are written as they are.
    Writing,
    /// They are embedded anew and written.
    Embedding,
}

/// Hears how far it is; called often.
pub type Watch = Box<dyn Fn(Step) + Send + Sync>;

/// What a file begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kind: String,
    version: u32,
    /// The name it had.
    collection: String,
    /// Points there were when its writing began.
    points: u64,
    spec: CollectionSpec,
}

/// A point in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vector: Vec<f32>,
    payload: Map<String, Value>,
}

impl From<Point> for Record {
    fn from(point: Point) -> Self {
        let Point { id, vector, payload } = point;
        Self { id: id.to_string(), vector, payload }
    }
}

impl Record {
    /// The point, if it is one of a collection of that dimension and comes behind `last`.
    fn point(self, dimension: u32, last: Option<PointId>) -> Result<Point, String> {
        let id: PointId = self.id.parse()?;
        if last.is_some_and(|last| id <= last) {
            return Err(format!(
                "its id {id} must be greater than the one before, each comes once"
            ));
        }
        let values = self.vector.len();
        if values != 0 && values != dimension as usize {
            return Err(format!("its vector has {values} values and not {dimension}"));
        }
        if !self.vector.iter().all(|value| value.is_finite()) {
            return Err("its vector has a value that is no finite number".into());
        }
        Ok(Point { id, vector: self.vector, payload: self.payload })
    }
}

fn limits(bytes_max: u64) -> Limits {
    Limits { line_bytes_max: LINE_BYTES_MAX, bytes_max }
}

fn unreadable(why: &str) -> KnowledgeError {
    KnowledgeError::Unreadable { message: format!("the export can't be taken over: {why}") }
}

/// What a failure of a file means; of one that is read, all is the file's fault but the disk.
fn failed(error: JsonlError) -> KnowledgeError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        JsonlError::File { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
            KnowledgeError::DiskFull
        }
        JsonlError::File { .. } => KnowledgeError::unavailable(error),
        other => unreadable(&other.to_string()),
    }
}

/// Runs what blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KnowledgeError> + Send + 'static,
) -> Result<T, KnowledgeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(KnowledgeError::unavailable(error)))
}
