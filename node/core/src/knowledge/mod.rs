//! The port to knowledge bases, wherever they are kept, and what travels through it.
//!
//! An engine finds points by one vector or by words, writes them and lists them. It fuses nothing and
//! embeds nothing: that is the same for all engines and stands in the use cases ([`retrieve`],
//! [`ingest`]).

mod anew;
mod attributes;
mod collection;
mod embedder;
mod error;
mod filter;
mod find;
mod fusion;
mod ground;
mod import;
mod ingest;
pub(crate) mod lookup;
mod passage;
mod plan;
mod retrieve;
mod shorten;
mod sources;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

pub use anew::{dimension, embed_anew, embedder};
pub use attributes::set_attributes;
pub use collection::{Chunker, Collection, CollectionSpec, CollectionState, Distance, check_name};
pub use embedder::spec_for;
pub use error::KnowledgeError;
pub use filter::{Bounds, Comparison, Filter};
pub use find::find;
pub use fusion::{Fusion, Ranked, fuse};
pub use ground::{Citation, Grounded, Grounding, MergePolicy, RAG_PROMPT, ground, question};
pub use import::{Batches, Import};
pub use ingest::{Chunk, Ingested, Source, ingest, remove_source};
pub use passage::{PAYLOAD_TEXT, Passage, Point, PointId};
pub use plan::{Conversation, Plan, converse};
pub use retrieve::{Probe, Retrieval, SearchMode, Target, retrieve};
pub use sources::{Searched, Sources};

/// An answer of an engine that is being waited for. Dropping it gives up waiting; a change that has
/// begun is finished all the same.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, KnowledgeError>> + Send + 'a>>;

/// What a search compares the points with.
#[derive(Clone, Debug, PartialEq)]
pub enum By {
    /// The points whose vector is nearest.
    Vector(Vec<f32>),
    /// The points whose text holds the same words, by BM25.
    Words(String),
}

/// One search in one collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The collection's name.
    pub collection: String,
    /// What to compare with.
    pub by: By,
    /// Points at most.
    pub limit: usize,
    /// Only points for which this holds.
    pub filter: Option<Filter>,
}

/// A change of one collection.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes it; an error if there is one of that name.
    Create(CollectionSpec),
    /// Writes points; one with the id of another takes its place.
    Upsert(Vec<Point>),
    /// Removes the points of these ids; ids that are not there are no error.
    Remove(Vec<PointId>),
    /// Opens one that could not be read, unless that was tried a moment ago; nothing otherwise.
    Reopen,
    /// Brings indices up to date and gives space back; may take long. One that could not be read is
    /// opened again first.
    Optimize,
    /// Removes the collection and all its points.
    Delete,
}

/// Which points to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// The collection's name.
    pub collection: String,
    /// Only points for which this holds.
    pub filter: Option<Filter>,
    /// Where the last page ended.
    pub after: Option<PointId>,
    /// Points at most.
    pub limit: usize,
    /// Whether the vectors are wanted too; empty ones come otherwise.
    pub with_vectors: bool,
}

/// Some points, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The points.
    pub points: Vec<Point>,
    /// Where the next page begins; nothing after the last one.
    pub next: Option<PointId>,
}

/// A snapshot to take over.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    /// The collection that will hold it; what it held before is replaced.
    pub collection: String,
    /// The snapshot's file, in Qdrant's format.
    pub file: PathBuf,
    /// The model whose vectors it holds, if that is known.
    pub embedder: Option<String>,
    /// Values that each vector must have, if that is known: a snapshot with others is refused.
    pub dimension: Option<u32>,
}

/// A store of knowledge bases. Implemented over Qdrant inside the process and as a server, and by a
/// strict fake in tests.
pub trait Knowledge: Send + Sync {
    /// All collections, by name; also those that can't be read.
    fn collections(&self) -> Reply<'_, Vec<Collection>>;

    /// The points that fit best, best first, each with its payload and a score: for vectors the
    /// collection's distance, for words BM25. A collection without keywords finds nothing by words.
    fn search(&self, search: Search) -> Reply<'_, Vec<Ranked>>;

    /// Changes a collection; what was reported as done outlives the process.
    fn change(&self, collection: &str, change: Change) -> Reply<'_, ()>;

    /// Lists points, page by page.
    fn scan(&self, scan: Scan) -> Reply<'_, Page>;

    /// Writes a snapshot that a Qdrant server accepts to a new file.
    fn snapshot(&self, collection: &str, file: PathBuf) -> Reply<'_, ()>;

    /// Replaces a collection by a snapshot: verified first, then exchanged at once; searches that run
    /// end on what they began with, and a failure leaves everything as it was.
    fn restore(&self, restore: Restore) -> Reply<'_, Collection>;

    /// Makes a collection of points that come in batches: beside what is there, which is exchanged at
    /// once when all have come. A failure, and an id that comes twice, leave everything as it was; so
    /// does breaking off, unless the last point had come.
    fn import(&self, import: Import) -> Reply<'_, Collection>;
}
