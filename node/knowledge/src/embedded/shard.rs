//! One shard of the embedded engine: the points of a collection in one folder.
//!
//! The engine wants two things held: no write while another write, a flush or an optimization runs
//! (`writing`), and a flush before what was written counts as kept, for it does not replay its log.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{By, CollectionSpec, Filter, Page, Point, PointId, Ranked, Scan};
use qdrant_edge::{
    self as edge, CreateIndex, DEFAULT_VECTOR_NAME, EdgeConfig, EdgeShard, EdgeSparseVectorParams,
    EdgeVectorParams, FieldIndexOperations, Modifier, NamedQuery, PayloadFieldSchema,
    PayloadSchemaType, PointInsertOperations, PointOperations, PointStruct, QueryEnum,
    ScoringQuery, SearchParams, UpdateOperation, Vector, VectorInternal, WalOptions,
    WithPayloadInterface, WithVector,
};

use super::convert;
use super::engine::Engine;
use super::log;
use super::room;
use super::words::{Sparse, Words};

/// The sparse vector that holds a text's words.
pub const WORDS_VECTOR: &str = "bm25";

/// Payload fields that are searched for whenever a document comes or goes.
const INDEXED: [&str; 1] = ["document"];

/// Bytes of a piece of the log: a collection of ten chunks shall not take 32 MiB, the engine's own.
const LOG_BYTES: usize = 4 << 20;

/// Points that a search in the graph keeps in view: with the engine's own 100, ten of 100,000 were found to
/// 95 % by `scripts/bench knowledge`.
const SEARCH_EF: usize = 256;

/// A shard that is open, and how its texts are weighed.
#[derive(Debug)]
pub struct Shard {
    engine: Engine,
    /// The name of its dense vector; empty in most.
    vector: String,
    /// Whether it holds [`WORDS_VECTOR`].
    pub has_keywords: bool,
    words: Words,
    writing: Mutex<()>,
}

impl Shard {
    /// Makes an empty one in `folder`, which exists.
    ///
    /// # Errors
    /// A spec that makes no sense; a disk that fails.
    pub fn create(folder: &Path, spec: &CollectionSpec) -> Result<Self, KnowledgeError> {
        room::check(folder, 0)?;
        let words = Words::new(spec)?;
        let dense =
            EdgeVectorParams::builder(spec.dimension as usize, convert::distance(spec.distance));
        let sparse = EdgeSparseVectorParams { modifier: Some(Modifier::Idf), ..Default::default() };
        let log = WalOptions { segment_capacity: LOG_BYTES, ..WalOptions::default() };
        let config = EdgeConfig::builder()
            .vector(DEFAULT_VECTOR_NAME, dense.build())
            .sparse_vector(WORDS_VECTOR, sparse)
            .wal_options(log)
            .build();
        let engine = Engine::create(folder, config)?;
        for field in INDEXED {
            engine.update(keyword_index(field)?)?;
        }
        Ok(Self::with(engine, DEFAULT_VECTOR_NAME.into(), words))
    }

    /// Opens the one in `folder`; `vector` is the name of its dense vector.
    ///
    /// # Errors
    /// It can't be read, or has no such vector.
    pub fn open(
        folder: &Path,
        vector: &str,
        spec: &CollectionSpec,
    ) -> Result<Self, KnowledgeError> {
        trimmed(folder);
        let engine = Engine::load(folder)?;
        if !engine.shard().config().vectors.contains_key(vector) {
            let names: Vec<_> = engine.shard().config().vectors.keys().cloned().collect();
            let message = format!("it has no vector {vector:?}, but {names:?}");
            return Err(KnowledgeError::Unreadable { message });
        }
        Ok(Self::with(engine, vector.to_owned(), Words::new(spec)?))
    }

    fn with(engine: Engine, vector: String, words: Words) -> Self {
        let sparse = engine.shard().config().sparse_vectors.get(WORDS_VECTOR).cloned();
        let has_keywords = sparse.is_some_and(|params| params.modifier == Some(Modifier::Idf));
        Self { engine, vector, has_keywords, words, writing: Mutex::default() }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.engine.shard().path()
    }

    /// Its points.
    ///
    /// # Errors
    /// The engine's own.
    pub fn count(&self) -> Result<u64, KnowledgeError> {
        let request = edge::CountRequest { filter: None, exact: true };
        Ok(self.engine.shard().count(request).map_err(convert::error)? as u64)
    }

    /// The nearest points, best first.
    ///
    /// # Errors
    /// A vector or a filter that does not fit.
    pub fn search(
        &self,
        by: &By,
        limit: usize,
        filter: Option<&Filter>,
    ) -> Result<Vec<Ranked>, KnowledgeError> {
        let Some(query) = self.query(by)? else { return Ok(vec![]) };
        let request = edge::QueryRequest {
            prefetches: vec![],
            query: Some(ScoringQuery::Vector(QueryEnum::Nearest(query))),
            filter: filter.map(convert::filter).transpose()?,
            score_threshold: None,
            limit,
            offset: 0,
            params: Some(SearchParams { hnsw_ef: Some(SEARCH_EF), ..SearchParams::default() }),
            with_vector: WithVector::Bool(false),
            with_payload: WithPayloadInterface::Bool(true),
        };
        let found = self.engine.shard().query(request).map_err(convert::error)?;
        let ranked = |point: edge::ScoredPoint| Ranked {
            id: convert::own_id(point.id),
            score: point.score,
            payload: point.payload.map(|payload| payload.0).unwrap_or_default(),
        };
        Ok(found.into_iter().map(ranked).collect())
    }

    /// Nothing: no word of it counts.
    fn query(&self, by: &By) -> Result<Option<NamedQuery<VectorInternal>>, KnowledgeError> {
        Ok(match by {
            By::Vector(vector) => {
                let dimension = self.dimension();
                check_vector(vector, dimension)?;
                let query = VectorInternal::Dense(vector.clone());
                Some(NamedQuery { query, using: Some(self.vector.clone()) })
            }
            By::Words(text) => {
                if !self.has_keywords {
                    return Ok(None);
                }
                let sparse = self.words.query(text);
                let has_words = !sparse.0.is_empty();
                let query = sparse_vector(sparse)?.0;
                has_words.then(|| NamedQuery { query, using: Some(WORDS_VECTOR.into()) })
            }
        })
    }

    /// Writes points; they outlive the process when it returns.
    ///
    /// # Errors
    /// A vector of another length: then none is written.
    pub fn upsert(&self, points: &[Point]) -> Result<(), KnowledgeError> {
        let dimension = self.dimension();
        points.iter().try_for_each(|point| check_vector(&point.vector, dimension))?;
        room::check(self.folder(), points.iter().map(weight).sum())?;
        let points: Result<Vec<_>, _> = points.iter().map(|point| self.stored(point)).collect();
        let list = PointInsertOperations::PointsList(points?.into_iter().map(Into::into).collect());
        self.write(UpdateOperation::PointOperation(PointOperations::UpsertPoints(list)))
    }

    fn stored(&self, point: &Point) -> Result<PointStruct, KnowledgeError> {
        let mut vectors = vec![(self.vector.clone(), Vector::new_dense(point.vector.clone()))];
        if self.has_keywords {
            vectors
                .push((WORDS_VECTOR.into(), sparse_vector(self.words.document(&point.payload))?));
        }
        let payload = serde_json::Value::Object(point.payload.clone());
        Ok(PointStruct::new(convert::point_id(point.id), vectors, payload))
    }

    /// Removes points.
    ///
    /// # Errors
    /// The engine's own; a disk without any room.
    pub fn remove(&self, ids: &[PointId]) -> Result<(), KnowledgeError> {
        room::check_least(self.folder())?;
        let ids = ids.iter().copied().map(convert::point_id).collect();
        self.write(UpdateOperation::PointOperation(PointOperations::DeletePoints { ids }))
    }

    /// Lists points in the order of their ids.
    ///
    /// # Errors
    /// A filter that does not fit.
    pub fn scan(&self, scan: &Scan) -> Result<Page, KnowledgeError> {
        let request = edge::ScrollRequest {
            offset: scan.after.map(convert::point_id),
            limit: Some(scan.limit.max(1)),
            filter: scan.filter.as_ref().map(convert::filter).transpose()?,
            with_payload: Some(WithPayloadInterface::Bool(true)),
            with_vector: match scan.with_vectors {
                true => WithVector::Selector(vec![self.vector.clone()]),
                false => WithVector::Bool(false),
            },
            order_by: None,
        };
        let (records, next) = self.engine.shard().scroll(request).map_err(convert::error)?;
        let points = records.into_iter().map(|record| convert::own_point(record, &self.vector));
        Ok(Page { points: points.collect(), next: next.map(convert::own_id) })
    }

    /// Builds indices for what grew; searches go on meanwhile, writes wait.
    ///
    /// # Errors
    /// The engine's own.
    pub fn optimize(&self) -> Result<(), KnowledgeError> {
        let _writing = self.writing();
        // New segments stand beside the old ones until they are whole.
        let folder = self.folder();
        room::check(folder, room::taken(folder)?)?;
        self.engine.optimize()
    }

    /// Builds indices if there is room for them; without, searches compare with every point.
    pub fn index(&self) {
        if let Err(error) = self.optimize() {
            tracing::warn!(%error, "a collection has no index yet");
        }
    }

    /// Runs `read` while nothing is written and everything that was written is on the disk.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn while_still<T>(&self, read: impl FnOnce(&EdgeShard) -> T) -> Result<T, KnowledgeError> {
        let _writing = self.writing();
        self.engine.flush()?;
        Ok(read(self.engine.shard()))
    }

    fn write(&self, operation: UpdateOperation) -> Result<(), KnowledgeError> {
        let _writing = self.writing();
        self.engine.update(operation)?;
        trimmed(self.folder());
        Ok(())
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dimension(&self) -> usize {
        self.engine.shard().config().vectors.get(&self.vector).map_or(0, |params| params.size)
    }
}

/// Gives back what the log no longer needs; another time, if the disk fails now.
fn trimmed(folder: &Path) {
    if let Err(error) = log::trim(folder) {
        tracing::debug!(%error, folder = %folder.display(), "the log was not made shorter");
    }
}

/// About as many bytes as a point takes: in the log and in the stores, once each.
pub fn weight(point: &Point) -> u64 {
    let text = serde_json::to_string(&point.payload).map_or(0, |text| text.len());
    2 * (4 * point.vector.len() + text) as u64
}

fn sparse_vector((places, values): Sparse) -> Result<Vector, KnowledgeError> {
    Vector::new_sparse(places, values).map_err(convert::error)
}

fn check_vector(vector: &[f32], dimension: usize) -> Result<(), KnowledgeError> {
    let values = vector.len();
    if values != dimension {
        let message = format!("a vector of {values} values in a collection of {dimension}");
        return Err(KnowledgeError::invalid(message));
    }
    match vector.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(KnowledgeError::invalid("a vector has a value that is no finite number")),
    }
}

fn keyword_index(field: &str) -> Result<UpdateOperation, KnowledgeError> {
    let field_name = field
        .parse()
        .map_err(|()| KnowledgeError::invalid(format!("{field} is no path of a field")))?;
    let field_schema = Some(PayloadFieldSchema::FieldType(PayloadSchemaType::Keyword));
    let index = CreateIndex { field_name, field_schema };
    Ok(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index)))
}
