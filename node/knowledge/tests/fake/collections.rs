//! Collections and aliases.

use std::collections::BTreeMap;

use qdrant_client::qdrant as wire;
use serde_json::{Map, Value};
use tonic::{Request, Response, Status};
use wire::alias_operations::Action;
use wire::vectors_config::Config;

use super::{Dense, Qdrant, Shelf, State, absent};

/// An answer of a service.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::collections_server::Collections for Qdrant {
    async fn get(
        &self,
        request: Request<wire::GetCollectionInfoRequest>,
    ) -> Answer<wire::GetCollectionInfoResponse> {
        let request = self.enter("get_collection", request).await?;
        let result = Some(info(self.state().shelf(&request.collection_name)?));
        Ok(Response::new(wire::GetCollectionInfoResponse { result, ..Default::default() }))
    }

    async fn list(
        &self,
        request: Request<wire::ListCollectionsRequest>,
    ) -> Answer<wire::ListCollectionsResponse> {
        self.enter("list_collections", request).await?;
        let names = self.state().collections.keys().cloned().collect::<Vec<_>>();
        let described = names.into_iter().map(|name| wire::CollectionDescription { name });
        let collections = described.collect();
        Ok(Response::new(wire::ListCollectionsResponse { collections, time: 0.0 }))
    }

    async fn create(
        &self,
        request: Request<wire::CreateCollection>,
    ) -> Answer<wire::CollectionOperationResponse> {
        let request = self.enter("create_collection", request).await?;
        let state = &mut *self.state();
        let name = &request.collection_name;
        check_free(state, name)?;
        let is_bad = |c: char| "<>:\"/\\|?*\0\u{1f}".contains(c);
        if name.is_empty() || name.len() > 255 || name.contains(is_bad) {
            return Err(Status::invalid_argument("Wrong input: bad collection name"));
        }
        let shelf = shelf(&request)?;
        state.collections.insert(name.clone(), shelf);
        done(true)
    }

    async fn update(
        &self,
        request: Request<wire::UpdateCollection>,
    ) -> Answer<wire::CollectionOperationResponse> {
        let request = self.enter("update_collection", request).await?;
        let state = &mut *self.state();
        let shelf = state.shelf(&request.collection_name)?;
        shelf.metadata.extend(json(request.metadata));
        done(true)
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteCollection>,
    ) -> Answer<wire::CollectionOperationResponse> {
        let name = self.enter("delete_collection", request).await?.collection_name;
        let state = &mut *self.state();
        let removed = state.collections.remove(&name).is_some();
        state.aliases.retain(|_, meant| *meant != name);
        state.leave("delete_collection")?;
        done(removed)
    }

    async fn update_aliases(
        &self,
        request: Request<wire::ChangeAliases>,
    ) -> Answer<wire::CollectionOperationResponse> {
        let request = self.enter("update_aliases", request).await?;
        let state = &mut *self.state();
        // As in Qdrant, what was done before an action that fails stays done.
        for operation in request.actions {
            match operation.action.ok_or_else(|| Status::invalid_argument("no action"))? {
                Action::CreateAlias(create) => create_alias(state, create)?,
                _ => return Err(Status::unimplemented("other actions")),
            }
        }
        state.leave("update_aliases")?;
        done(true)
    }

    async fn list_aliases(
        &self,
        request: Request<wire::ListAliasesRequest>,
    ) -> Answer<wire::ListAliasesResponse> {
        self.enter("list_aliases", request).await?;
        let aliases = self.state().aliases.clone().into_iter();
        let aliases = aliases
            .map(|(alias_name, collection_name)| wire::AliasDescription {
                alias_name,
                collection_name,
            })
            .collect();
        Ok(Response::new(wire::ListAliasesResponse { aliases, time: 0.0 }))
    }

    absent! {
        list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse;
        collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse;
        collection_exists(CollectionExistsRequest) -> CollectionExistsResponse;
        update_collection_cluster_setup(UpdateCollectionClusterSetupRequest)
            -> UpdateCollectionClusterSetupResponse;
        create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse;
        delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse;
        list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse;
    }
}

fn done(result: bool) -> Answer<wire::CollectionOperationResponse> {
    Ok(Response::new(wire::CollectionOperationResponse { result, time: 0.0 }))
}

fn check_free(state: &State, name: &str) -> Result<(), Status> {
    if state.collections.contains_key(name) || state.aliases.contains_key(name) {
        let message = format!("Wrong input: Collection `{name}` already exists!");
        return Err(Status::already_exists(message));
    }
    Ok(())
}

fn create_alias(state: &mut State, create: wire::CreateAlias) -> Result<(), Status> {
    if state.collections.contains_key(&create.alias_name) {
        return Err(Status::already_exists("Wrong input: a collection has that name"));
    }
    if !state.collections.contains_key(&create.collection_name) {
        return Err(Status::not_found("Not found: Collection of the alias doesn't exist!"));
    }
    state.aliases.insert(create.alias_name, create.collection_name);
    Ok(())
}

fn shelf(request: &wire::CreateCollection) -> Result<Shelf, Status> {
    let mut shelf =
        Shelf { metadata: json(request.metadata.clone()).collect(), ..Shelf::default() };
    let config = request.vectors_config.clone().and_then(|config| config.config);
    let vectors = match config.ok_or_else(|| Status::invalid_argument("no vectors"))? {
        Config::Params(params) => BTreeMap::from([(String::new(), params)]),
        Config::ParamsMap(map) => map.map.into_iter().collect(),
    };
    for (name, params) in vectors {
        if !(1..=65_536).contains(&params.size) || !(1..=4).contains(&params.distance) {
            return Err(Status::invalid_argument("Validation error: vectors"));
        }
        shelf.dense.insert(name, Dense { size: params.size, distance: params.distance });
    }
    for (name, sparse) in request.sparse_vectors_config.iter().flat_map(|config| &config.map) {
        shelf.sparse.insert(name.clone(), sparse.modifier() == wire::Modifier::Idf);
    }
    Ok(shelf)
}

fn json(
    metadata: std::collections::HashMap<String, wire::Value>,
) -> impl Iterator<Item = (String, Value)> {
    metadata.into_iter().map(|(key, value)| (key, value.into()))
}

fn info(shelf: &Shelf) -> wire::CollectionInfo {
    let schema = |field: &String| (field.clone(), wire::PayloadSchemaInfo::default());
    let config = wire::CollectionConfig {
        params: Some(params(shelf)),
        metadata: wire_map(&shelf.metadata),
        ..Default::default()
    };
    wire::CollectionInfo {
        status: wire::CollectionStatus::Green.into(),
        config: Some(config),
        payload_schema: shelf.indexed.iter().map(schema).collect(),
        points_count: Some(shelf.points.len() as u64),
        ..Default::default()
    }
}

fn params(shelf: &Shelf) -> wire::CollectionParams {
    let vector = |dense: &Dense| wire::VectorParams {
        size: dense.size,
        distance: dense.distance,
        ..Default::default()
    };
    let config = match shelf.dense.get("") {
        Some(dense) => Config::Params(vector(dense)),
        None => {
            let map = shelf.dense.iter().map(|(name, dense)| (name.clone(), vector(dense)));
            Config::ParamsMap(wire::VectorParamsMap { map: map.collect() })
        }
    };
    let sparse = shelf.sparse.iter().map(|(name, idf)| {
        let modifier = if *idf { wire::Modifier::Idf } else { wire::Modifier::None };
        (name.clone(), wire::SparseVectorParams { modifier: Some(modifier.into()), index: None })
    });
    wire::CollectionParams {
        vectors_config: Some(wire::VectorsConfig { config: Some(config) }),
        sparse_vectors_config: Some(wire::SparseVectorConfig { map: sparse.collect() }),
        ..Default::default()
    }
}

/// A JSON object as Qdrant's.
pub fn wire_map(map: &Map<String, Value>) -> std::collections::HashMap<String, wire::Value> {
    map.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect()
}
