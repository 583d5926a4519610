//! Points: found, listed, written, removed.

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{By, Page, Point, PointId, Ranked, Scan, Search};
use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::{
    self as wire, DeletePoints, DenseVector, PointStruct, PointsIdsList, PointsOperationResponse,
    PointsSelector, QueryPoints, ScoredPoint, ScrollPoints, SparseVector, UpdateStatus,
    UpsertPoints, VectorInput, query, vector_input, with_payload_selector, with_vectors_selector,
};
use serde_json::Value;

use super::catalog::{Catalog, Entry};
use super::client::{Client, Effort};
use super::failure::Failure;
use super::words::{KEYWORDS, document_words};
use super::{Bm25, convert, filter};

/// Points of one search at most.
const LIMIT_MAX: usize = 10_000;

/// Points of one page at most; who wants more gets the next page.
const PAGE_MAX: usize = 1000;

/// Points, and about so many bytes, of one request at most.
const BATCH_POINTS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// Ids of one request at most.
const BATCH_IDS: usize = 10_000;

/// One collection's points, over one connection.
pub(super) struct Points<'a> {
    pub client: &'a Client,
    pub catalog: &'a Catalog,
    pub entry: &'a Entry,
}

/// What went wrong: on the server, which may be worth another try, or here.
#[derive(Debug)]
pub(super) enum Error {
    Server(Failure),
    Here(KnowledgeError),
}

impl Error {
    /// Whether what was known of the collection may be no longer so.
    pub(super) fn may_be_stale(&self) -> bool {
        match self {
            Self::Server(failure) => failure.may_be_stale(),
            Self::Here(error) => matches!(error, KnowledgeError::Invalid { .. }),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Server(failure)
    }
}

impl From<KnowledgeError> for Error {
    fn from(error: KnowledgeError) -> Self {
        Self::Here(error)
    }
}

impl From<Error> for KnowledgeError {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(failure) => failure.into(),
            Error::Here(error) => error,
        }
    }
}

impl Points<'_> {
    /// The points that fit best.
    pub(super) async fn search(&self, search: &Search) -> Result<Vec<Ranked>, Error> {
        if search.limit > LIMIT_MAX {
            let message = format!("limit: {} is more than {LIMIT_MAX}", search.limit);
            return Err(KnowledgeError::invalid(message).into());
        }
        let filter = search.filter.as_ref().map(filter::filter).transpose()?;
        let Some((input, using)) = self.input(&search.by)? else { return Ok(vec![]) };
        if search.limit == 0 {
            return Ok(vec![]);
        }
        let variant = query::Variant::Nearest(VectorInput { variant: Some(input) });
        let request = QueryPoints {
            collection_name: self.entry.physical.clone(),
            query: Some(wire::Query { variant: Some(variant) }),
            using,
            filter,
            limit: Some(search.limit as u64),
            with_payload: Some(with_payload()),
            ..QueryPoints::default()
        };
        ranked(self.query(request).await?, search.limit)
    }

    /// What to compare with, and with which vector; nothing if nothing can be found.
    fn input(
        &self,
        by: &By,
    ) -> Result<Option<(vector_input::Variant, Option<String>)>, KnowledgeError> {
        let text = match by {
            By::Vector(vector) => {
                self.check(vector)?;
                let dense = DenseVector { data: vector.clone() };
                return Ok(Some((vector_input::Variant::Dense(dense), self.entry.vector.clone())));
            }
            By::Words(text) => text,
        };
        let Some(bm25) = self.catalog.bm25(self.entry)? else { return Ok(None) };
        let (indices, values) = (bm25.query)(text);
        let sparse = vector_input::Variant::Sparse(SparseVector { values, indices });
        let is_empty = matches!(&sparse, vector_input::Variant::Sparse(s) if s.indices.is_empty());
        Ok((!is_empty).then(|| (sparse, Some(KEYWORDS.to_owned()))))
    }

    fn check(&self, vector: &[f32]) -> Result<(), KnowledgeError> {
        let (name, dimension) =
            (&self.entry.collection.name, self.entry.collection.spec.dimension as usize);
        if vector.len() != dimension {
            return Err(KnowledgeError::invalid(format!(
                "the collection `{name}` has vectors of {dimension} values, and this one has {}: use \
                 the embedding model that it was made with",
                vector.len()
            )));
        }
        if vector.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(KnowledgeError::invalid("a vector has a value that is no finite number"))
    }

    pub(super) async fn query(&self, request: QueryPoints) -> Result<Vec<ScoredPoint>, Failure> {
        let ask = || {
            let (mut points, request) = (self.client.points(), request.clone());
            async move { points.query(request).await }
        };
        Ok(self.client.call(Effort::Read, ask).await?.result)
    }

    /// One page of points, by their ids: numbers first, then UUIDs.
    pub(super) async fn scan(&self, scan: &Scan) -> Result<Page, Error> {
        let filter = scan.filter.as_ref().map(filter::filter).transpose()?;
        let offset = match scan.after {
            None => None,
            Some(id) => match successor(id) {
                Some(first) => Some(convert::id_to_wire(first)),
                None => return Ok(Page::default()),
            },
        };
        if scan.limit == 0 {
            return Err(KnowledgeError::invalid("limit: a page has at least one point").into());
        }
        let limit = scan.limit.min(PAGE_MAX);
        let request = ScrollPoints {
            collection_name: self.entry.physical.clone(),
            filter,
            offset,
            limit: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
            with_payload: Some(with_payload()),
            with_vectors: scan.with_vectors.then(|| self.with_vectors()),
            ..ScrollPoints::default()
        };
        let ask = || {
            let (mut points, request) = (self.client.points(), request.clone());
            async move { points.scroll(request).await }
        };
        let answer = self.client.call(Effort::Read, ask).await?;
        let has_more = answer.next_page_offset.is_some();
        Ok(self.page(answer.result, scan.after, has_more)?)
    }

    /// A page must lead on, or whoever reads page after page would never end.
    fn page(
        &self,
        found: Vec<wire::RetrievedPoint>,
        after: Option<PointId>,
        has_more: bool,
    ) -> Result<Page, Failure> {
        let name = self.entry.vector.as_deref();
        let points = found.into_iter().map(|point| convert::point(point, name));
        let points = points.collect::<Result<Vec<_>, _>>()?;
        let ids = after.into_iter().chain(points.iter().map(|point| point.id));
        if !ids.is_sorted_by(|one, next| one < next) {
            return Err(Failure::broken("its points come in no order"));
        }
        let next = points.last().filter(|_| has_more).map(|point| point.id);
        Ok(Page { points, next })
    }

    fn with_vectors(&self) -> wire::WithVectorsSelector {
        let options = match &self.entry.vector {
            Some(name) => {
                let names = vec![name.clone()];
                with_vectors_selector::SelectorOptions::Include(wire::VectorsSelector { names })
            }
            None => with_vectors_selector::SelectorOptions::Enable(true),
        };
        wire::WithVectorsSelector { selector_options: Some(options) }
    }

    /// Writes points; what was written before a failure stays written.
    pub(super) async fn upsert(&self, points: &[Point]) -> Result<(), Error> {
        for point in points {
            self.check(&point.vector)?;
            check_size(point)?;
        }
        let bm25 = self.catalog.bm25(self.entry)?;
        for batch in batches(points) {
            let points = batch.iter().map(|point| self.wire(point, bm25)).collect();
            self.write(points).await?;
        }
        Ok(())
    }

    fn wire(&self, point: &Point, bm25: Option<&Bm25>) -> PointStruct {
        let words = bm25.map(|bm25| {
            let text = document_words(&point.payload);
            (bm25.document)(&text)
        });
        let words = words.filter(|(indices, _)| !indices.is_empty());
        convert::point_to_wire(point.clone(), self.entry.vector.as_deref(), words)
    }

    async fn write(&self, points: Vec<PointStruct>) -> Result<(), Failure> {
        let request = UpsertPoints {
            collection_name: self.entry.physical.clone(),
            wait: Some(true),
            points,
            ..UpsertPoints::default()
        };
        let ask = || {
            let (mut points, request) = (self.client.points(), request.clone());
            async move { points.upsert(request).await }
        };
        completed(self.client.call(Effort::Write, ask).await?)
    }

    /// Removes points.
    pub(super) async fn remove(&self, ids: &[PointId]) -> Result<(), Error> {
        for batch in ids.chunks(BATCH_IDS) {
            let ids = batch.iter().copied().map(convert::id_to_wire).collect();
            let selector = PointsSelectorOneOf::Points(PointsIdsList { ids });
            let request = DeletePoints {
                collection_name: self.entry.physical.clone(),
                wait: Some(true),
                points: Some(PointsSelector { points_selector_one_of: Some(selector) }),
                ..DeletePoints::default()
            };
            let ask = || {
                let (mut points, request) = (self.client.points(), request.clone());
                async move { points.delete(request).await }
            };
            completed(self.client.call(Effort::Write, ask).await?)?;
        }
        Ok(())
    }
}

/// All of a payload.
pub(super) fn with_payload() -> wire::WithPayloadSelector {
    let options = with_payload_selector::SelectorOptions::Enable(true);
    wire::WithPayloadSelector { selector_options: Some(options) }
}

/// Only what is written, and not what is merely accepted, counts.
pub(super) fn completed(answer: PointsOperationResponse) -> Result<(), Failure> {
    match answer.result.map(|result| result.status()) {
        Some(UpdateStatus::Completed) => Ok(()),
        Some(UpdateStatus::WaitTimeout | UpdateStatus::Acknowledged) => Err(Failure::late()),
        _ => Err(Failure::broken("it does not say whether points were written")),
    }
}

fn ranked(found: Vec<ScoredPoint>, limit: usize) -> Result<Vec<Ranked>, Error> {
    let finite = found.into_iter().filter(|point| point.score.is_finite()).take(limit);
    let ranked = finite.map(|point| {
        let id = convert::id(point.id)?;
        Ok(Ranked { id, score: point.score, payload: convert::payload(point.payload) })
    });
    ranked.collect()
}

/// The first id after another.
fn successor(id: PointId) -> Option<PointId> {
    match id {
        PointId::Number(number) => {
            Some(number.checked_add(1).map_or(PointId::Uuid(0), PointId::Number))
        }
        PointId::Uuid(bits) => bits.checked_add(1).map(PointId::Uuid),
    }
}

fn check_size(point: &Point) -> Result<(), KnowledgeError> {
    let bytes = weight(point);
    if bytes <= BATCH_BYTES {
        return Ok(());
    }
    Err(KnowledgeError::invalid(format!(
        "the point {} has {bytes} bytes, and {BATCH_BYTES} are the most: cut its text",
        point.id
    )))
}

/// Runs of points that fit into one request.
fn batches(points: &[Point]) -> Vec<&[Point]> {
    let (mut batches, mut begin, mut bytes) = (vec![], 0, 0);
    for (place, point) in points.iter().enumerate() {
        let weight = weight(point);
        if place > begin && (place - begin >= BATCH_POINTS || bytes + weight > BATCH_BYTES) {
            batches.push(&points[begin..place]);
            (begin, bytes) = (place, 0);
        }
        bytes += weight;
    }
    if begin < points.len() {
        batches.push(&points[begin..]);
    }
    batches
}

/// A point's bytes on the wire, about.
fn weight(point: &Point) -> usize {
    let payload: usize = point.payload.iter().map(|(key, value)| key.len() + bytes(value)).sum();
    point.vector.len() * 4 + payload
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 8,
        Value::Array(list) => list.iter().map(bytes).sum::<usize>() + 8,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 12,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn point(id: u64, text: usize) -> Point {
        let mut payload = Map::new();
        payload.insert("source".into(), json!("x".repeat(text)));
        Point { id: PointId::Number(id), vector: vec![0.0; 4], payload }
    }

    #[test]
    fn a_point_that_fits_no_request_is_refused() {
        let refused = check_size(&point(7, BATCH_BYTES)).expect_err("too large");
        assert!(refused.to_string().contains("point 7"), "{refused}");
        assert!(check_size(&point(7, 1000)).is_ok());
    }

    #[test]
    fn batches_are_small_and_lose_nothing() {
        let mut points: Vec<_> = (0..600).map(|id| point(id, 10)).collect();
        points.extend((600..606).map(|id| point(id, BATCH_BYTES / 2)));
        let batches = batches(&points);
        let ids: Vec<_> = batches.iter().flat_map(|batch| batch.iter().map(|p| p.id)).collect();
        assert_eq!(ids, points.iter().map(|point| point.id).collect::<Vec<_>>());
        for batch in batches {
            assert!(batch.len() <= BATCH_POINTS && !batch.is_empty());
            assert!(batch.iter().map(weight).sum::<usize>() <= BATCH_BYTES);
        }
        assert!(super::batches(&[]).is_empty());
    }

    #[test]
    fn ids_follow_each_other() {
        assert_eq!(successor(PointId::Number(1)), Some(PointId::Number(2)));
        assert_eq!(successor(PointId::Number(u64::MAX)), Some(PointId::Uuid(0)));
        assert_eq!(successor(PointId::Uuid(u128::MAX)), None);
    }

    #[test]
    fn what_is_merely_accepted_is_not_written() {
        let answer = |status: UpdateStatus| PointsOperationResponse {
            result: Some(wire::UpdateResult { operation_id: Some(1), status: status.into() }),
            ..PointsOperationResponse::default()
        };
        assert!(completed(answer(UpdateStatus::Acknowledged)).is_err());
        assert!(completed(answer(UpdateStatus::WaitTimeout)).is_err());
        assert!(completed(PointsOperationResponse::default()).is_err());
        assert!(completed(answer(UpdateStatus::Completed)).is_ok());
    }
}
