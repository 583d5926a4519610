//! `/v1/knowledge/collections`: what there is, and making and deleting it.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{
    Change, Chunker, Collection, CollectionSpec, Distance, check_name, spec_for,
};
use serde_json::json;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing};
use crate::http::routes::Shared;
use crate::http::{State, body, json};

/// Tokens of a chunk, unless its maker says otherwise: a few paragraphs.
pub const CHUNK_TOKENS: u32 = 200;
/// And of the chunk before that it begins with.
pub const OVERLAP_TOKENS: u32 = 30;

/// All collections.
pub async fn list(axum::extract::State(state): Shared) -> Result<Response, ApiError> {
    let collections = state.node.knowledge()?.collections().await?;
    Ok(json::ok(&json!({"collections": collections})))
}

/// One collection.
pub async fn one(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json::ok(&find(&state, &name).await?))
}

/// Makes a collection.
pub async fn create(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, mut spec) = parse(body::read_fields(&state, request).await?)?;
    check_name(&name)?;
    if spec.dimension == 0 {
        (spec.embedder, spec.dimension) = embedder(&state, spec.embedder.as_deref()).await?;
    }
    state.node.knowledge()?.change(&name, Change::Create(spec)).await?;
    Ok(json::response(StatusCode::CREATED, &find(&state, &name).await?))
}

/// Removes a collection and all its points.
pub async fn delete(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    state.node.knowledge()?.change(&name, Change::Delete).await?;
    Ok(json::ok(&json!({"name": name, "deleted": true})))
}

/// Brings a collection's indices up to date.
pub async fn optimize(
    axum::extract::State(state): Shared,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    state.node.knowledge()?.change(&name, Change::Optimize).await?;
    Ok(json::ok(&find(&state, &name).await?))
}

/// The collection of that name.
pub async fn find(state: &State, name: &str) -> Result<Collection, ApiError> {
    let collections = state.node.knowledge()?.collections().await?;
    let known = collections.iter().map(|collection| collection.name.clone()).collect();
    let found = collections.into_iter().find(|collection| collection.name == name);
    let unknown = || KnowledgeError::UnknownCollection { name: name.to_owned(), known };
    Ok(found.ok_or_else(unknown)?)
}

fn parse(mut fields: Fields) -> Result<(String, CollectionSpec), ApiError> {
    let name = fields.string("name")?.ok_or_else(|| missing("name"))?;
    let distance = fields.word("distance", &["Cosine", "Dot", "Euclid", "Manhattan"])?;
    let tokens_max = fields.integer("chunk_tokens", 16..=8192)?.unwrap_or(CHUNK_TOKENS);
    let overlap = fields.integer("overlap_tokens", 0..=4096)?;
    let overlap_tokens = overlap.unwrap_or(OVERLAP_TOKENS.min(tokens_max / 4));
    if overlap_tokens > tokens_max / 2 {
        let message = "`overlap_tokens` must not be above half of `chunk_tokens`";
        return Err(ApiError::invalid("overlap_tokens", message));
    }
    let spec = CollectionSpec {
        dimension: fields.integer("dimension", 1..=65_536)?.unwrap_or(0),
        distance: match distance {
            Some("Dot") => Distance::Dot,
            Some("Euclid") => Distance::Euclid,
            Some("Manhattan") => Distance::Manhattan,
            _ => Distance::Cosine,
        },
        embedder: fields.string("embedder")?,
        query_prefix: fields.string("query_prefix")?,
        text_prefix: fields.string("text_prefix")?,
        language: fields.string("language")?,
        words_mean: None,
        chunker: Some(Chunker { tokens_max, overlap_tokens }),
        description: fields.string("description")?,
    };
    fields.finish(&[])?;
    Ok((name, spec))
}

/// The model that makes vectors, and how many values they have; one that is loaded on demand is loaded.
pub async fn embedder(
    state: &State,
    name: Option<&str>,
) -> Result<(Option<String>, u32), ApiError> {
    let spec = spec_for(&state.node, name).await?;
    Ok((spec.embedder, spec.dimension))
}
