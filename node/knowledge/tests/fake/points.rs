//! Points.

use std::collections::{BTreeMap, BTreeSet};

use gaia_core::knowledge::PointId;
use qdrant_client::qdrant as wire;
use tonic::{Request, Response, Status};
use wire::point_id::PointIdOptions;
use wire::points_selector::PointsSelectorOneOf;

use super::collections::wire_map;
use super::{Qdrant, Shelf, Stored, absent, rank};

/// An answer of a service.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::points_server::Points for Qdrant {
    async fn upsert(
        &self,
        request: Request<wire::UpsertPoints>,
    ) -> Answer<wire::PointsOperationResponse> {
        let request = self.enter("upsert", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        check_wait(request.wait)?;
        if request.points.is_empty() {
            return Err(bad("Empty update request"));
        }
        let points = request.points.into_iter().map(|point| stored(shelf, point));
        let points = points.collect::<Result<Vec<_>, _>>()?;
        shelf.points.extend(points);
        completed()
    }

    async fn delete(
        &self,
        request: Request<wire::DeletePoints>,
    ) -> Answer<wire::PointsOperationResponse> {
        let request = self.enter("delete", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        check_wait(request.wait)?;
        let selector = request.points.and_then(|points| points.points_selector_one_of);
        let Some(PointsSelectorOneOf::Points(list)) = selector else {
            return Err(bad("no ids"));
        };
        for wanted in list.ids {
            shelf.points.remove(&id(Some(&wanted))?);
        }
        completed()
    }

    async fn create_field_index(
        &self,
        request: Request<wire::CreateFieldIndexCollection>,
    ) -> Answer<wire::PointsOperationResponse> {
        let request = self.enter("create_field_index", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        check_wait(request.wait)?;
        if request.field_type.is_none() {
            return Err(bad("no type of field"));
        }
        shelf.indexed.insert(request.field_name);
        completed()
    }

    async fn scroll(&self, request: Request<wire::ScrollPoints>) -> Answer<wire::ScrollResponse> {
        let request = self.enter("scroll", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        let limit = request.limit.unwrap_or(10) as usize;
        if limit == 0 {
            return Err(bad("limit: 0"));
        }
        let offset = request.offset.as_ref().map(|offset| id(Some(offset))).transpose()?;
        let mut found = vec![];
        for (id, point) in &shelf.points {
            let is_after = offset.is_none_or(|offset| *id >= offset);
            if is_after && rank::holds(request.filter.as_ref(), *id, &point.payload)? {
                found.push((*id, point));
            }
        }
        let next_page_offset = found.get(limit).map(|(id, _)| wire_id(*id));
        found.truncate(limit);
        let vectors = request.with_vectors.and_then(|with| with.selector_options);
        let retrieved = found.into_iter().map(|(id, point)| wire::RetrievedPoint {
            id: Some(wire_id(id)),
            payload: payload(point, request.with_payload.as_ref()),
            vectors: vectors.as_ref().and_then(|with| output(shelf, point, with)),
            ..Default::default()
        });
        let result = retrieved.collect();
        let response = wire::ScrollResponse { next_page_offset, result, ..Default::default() };
        Ok(Response::new(response))
    }

    async fn count(&self, request: Request<wire::CountPoints>) -> Answer<wire::CountResponse> {
        let request = self.enter("count", request).await?;
        if request.exact != Some(true) || request.filter.is_some() {
            return Err(Status::unimplemented("only exact counts of all"));
        }
        let count = self.state().shelf(&request.collection_name)?.points.len() as u64;
        let result = Some(wire::CountResult { count });
        Ok(Response::new(wire::CountResponse { result, ..Default::default() }))
    }

    async fn query(&self, request: Request<wire::QueryPoints>) -> Answer<wire::QueryResponse> {
        let request = self.enter("query", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        if request.limit.is_none_or(|limit| limit == 0) {
            return Err(bad("limit: give at least 1"));
        }
        if !request.prefetch.is_empty() || request.score_threshold.is_some() {
            return Err(Status::unimplemented("prefetch and thresholds"));
        }
        let scored =
            rank::rank(shelf, &request)?.into_iter().map(|(id, score)| wire::ScoredPoint {
                id: Some(wire_id(id)),
                payload: payload(&shelf.points[&id], request.with_payload.as_ref()),
                score,
                ..Default::default()
            });
        let result = scored.collect();
        Ok(Response::new(wire::QueryResponse { result, ..Default::default() }))
    }

    absent! {
        get(GetPoints) -> GetResponse;
        update_vectors(UpdatePointVectors) -> PointsOperationResponse;
        delete_vectors(DeletePointVectors) -> PointsOperationResponse;
        set_payload(SetPayloadPoints) -> PointsOperationResponse;
        overwrite_payload(SetPayloadPoints) -> PointsOperationResponse;
        delete_payload(DeletePayloadPoints) -> PointsOperationResponse;
        clear_payload(ClearPayloadPoints) -> PointsOperationResponse;
        delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse;
        create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse;
        delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse;
        search(SearchPoints) -> SearchResponse;
        search_batch(SearchBatchPoints) -> SearchBatchResponse;
        search_groups(SearchPointGroups) -> SearchGroupsResponse;
        recommend(RecommendPoints) -> RecommendResponse;
        recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse;
        recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse;
        discover(DiscoverPoints) -> DiscoverResponse;
        discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse;
        update_batch(UpdateBatchPoints) -> UpdateBatchResponse;
        query_batch(QueryBatchPoints) -> QueryBatchResponse;
        query_groups(QueryPointGroups) -> QueryGroupsResponse;
        facet(FacetCounts) -> FacetResponse;
        search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse;
        search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse;
    }
}

/// A refusal as Qdrant words it.
pub fn bad(what: &str) -> Status {
    Status::invalid_argument(format!("Wrong input: {what}"))
}

fn check_wait(wait: Option<bool>) -> Result<(), Status> {
    if wait == Some(true) { Ok(()) } else { Err(bad("every write must wait")) }
}

fn completed() -> Answer<wire::PointsOperationResponse> {
    let status = wire::UpdateStatus::Completed.into();
    let result = Some(wire::UpdateResult { operation_id: Some(1), status });
    Ok(Response::new(wire::PointsOperationResponse { result, ..Default::default() }))
}

/// An id; UUIDs in their usual form only.
pub fn id(wire: Option<&wire::PointId>) -> Result<PointId, Status> {
    match wire.and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Num(number)) => Ok(PointId::Number(*number)),
        Some(PointIdOptions::Uuid(text)) if text.len() == 36 => {
            text.parse().map_err(|_| bad("Unable to parse UUID"))
        }
        _ => Err(bad("Unable to parse id")),
    }
}

fn wire_id(id: PointId) -> wire::PointId {
    let options = match id {
        PointId::Number(number) => PointIdOptions::Num(number),
        PointId::Uuid(_) => PointIdOptions::Uuid(id.to_string()),
    };
    wire::PointId { point_id_options: Some(options) }
}

fn stored(shelf: &Shelf, point: wire::PointStruct) -> Result<(PointId, Stored), Status> {
    let vectors = point.vectors.and_then(|vectors| vectors.vectors_options);
    let vectors = match vectors.ok_or_else(|| bad("no vectors"))? {
        wire::vectors::VectorsOptions::Vector(one) => BTreeMap::from([(String::new(), one)]),
        wire::vectors::VectorsOptions::Vectors(named) => named.vectors.into_iter().collect(),
    };
    let mut stored = Stored::default();
    for (name, vector) in vectors {
        match vector.vector.ok_or_else(|| bad("no vector"))? {
            wire::vector::Vector::Dense(dense) => {
                let data = check_dense(shelf, &name, dense.data)?;
                stored.dense.insert(name, data);
            }
            wire::vector::Vector::Sparse(sparse) => {
                let pairs = check_sparse(shelf, &name, sparse)?;
                stored.sparse.insert(name, pairs);
            }
            _ => return Err(Status::unimplemented("other vectors")),
        }
    }
    let payload = point.payload.into_iter().map(|(key, value)| (key, value.into()));
    stored.payload = payload.collect();
    Ok((id(point.id.as_ref())?, stored))
}

/// A dense vector as it is kept: by cosine, of length 1.
pub fn check_dense(shelf: &Shelf, name: &str, mut data: Vec<f32>) -> Result<Vec<f32>, Status> {
    let params = shelf.dense.get(name);
    let params = params.ok_or_else(|| bad(&format!("Not existing vector name error: {name}")))?;
    if data.len() as u64 != params.size {
        let (size, got) = (params.size, data.len());
        return Err(bad(&format!("Vector dimension error: expected dim: {size}, got {got}")));
    }
    if data.iter().any(|value| !value.is_finite()) {
        return Err(bad("a value is not finite"));
    }
    let length = data.iter().map(|value| value * value).sum::<f32>().sqrt();
    if params.distance == wire::Distance::Cosine as i32 && length > 0.0 {
        data.iter_mut().for_each(|value| *value /= length);
    }
    Ok(data)
}

/// A sparse vector's pairs.
pub fn check_sparse(
    shelf: &Shelf,
    name: &str,
    sparse: wire::SparseVector,
) -> Result<Vec<(u32, f32)>, Status> {
    if !shelf.sparse.contains_key(name) {
        return Err(bad(&format!("Not existing vector name error: {name}")));
    }
    let unique: BTreeSet<_> = sparse.indices.iter().collect();
    if sparse.indices.len() != sparse.values.len() || unique.len() != sparse.indices.len() {
        return Err(bad("Validation error: indices must be unique and as many as values"));
    }
    Ok(sparse.indices.into_iter().zip(sparse.values).collect())
}

fn payload(
    point: &Stored,
    with: Option<&wire::WithPayloadSelector>,
) -> std::collections::HashMap<String, wire::Value> {
    let enabled = wire::with_payload_selector::SelectorOptions::Enable(true);
    if with.and_then(|with| with.selector_options.as_ref()) == Some(&enabled) {
        return wire_map(&point.payload);
    }
    Default::default()
}

fn output(
    shelf: &Shelf,
    point: &Stored,
    with: &wire::with_vectors_selector::SelectorOptions,
) -> Option<wire::VectorsOutput> {
    use wire::with_vectors_selector::SelectorOptions;
    let is_wanted = |name: &String| match with {
        SelectorOptions::Enable(enabled) => *enabled,
        SelectorOptions::Include(list) => list.names.contains(name),
    };
    let dense = point.dense.iter().filter(|(name, _)| is_wanted(name)).map(|(name, data)| {
        let dense = wire::DenseVector { data: data.clone() };
        (name.clone(), of(wire::vector_output::Vector::Dense(dense)))
    });
    let sparse = point.sparse.iter().filter(|(name, _)| is_wanted(name)).map(|(name, pairs)| {
        let (indices, values) = pairs.iter().copied().unzip();
        let sparse = wire::SparseVector { values, indices };
        (name.clone(), of(wire::vector_output::Vector::Sparse(sparse)))
    });
    let mut vectors: std::collections::HashMap<_, _> = dense.chain(sparse).collect();
    let options = match (shelf.sparse.is_empty(), vectors.remove("")) {
        (true, Some(only)) => wire::vectors_output::VectorsOptions::Vector(only),
        (_, unnamed) => {
            vectors.extend(unnamed.map(|vector| (String::new(), vector)));
            wire::vectors_output::VectorsOptions::Vectors(wire::NamedVectorsOutput { vectors })
        }
    };
    Some(wire::VectorsOutput { vectors_options: Some(options) })
}

fn of(vector: wire::vector_output::Vector) -> wire::VectorOutput {
    wire::VectorOutput { vector: Some(vector), ..Default::default() }
}
