//! `POST /v1/vector_stores/{id}/search`.

use std::collections::HashMap;

use axum::extract::{Path, Request};
use axum::response::Response;
use gaia_core::ServeError;
use gaia_core::knowledge::{
    Filter, Fusion, Passage, PointId, Retrieval, SearchMode, Target, retrieve,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{keeper, store_in_use};
use crate::http::error::ApiError;
use crate::http::fields::{Fields, missing, must_be, not_supported};
use crate::http::knowledge::parse_filter;
use crate::http::routes::Shared;
use crate::http::{State, auth, body, json};
use crate::store::{FileStatus, VectorStore};

/// OpenAI's limit.
pub const RESULTS_MAX: u32 = 50;
/// Where nothing is said.
pub const RESULTS: u32 = 10;

/// Questions of one request: each is embedded and searched.
pub const QUERIES_MAX: usize = 8;

/// What is asked.
#[derive(Debug)]
struct Asked {
    queries: Vec<String>,
    limit: usize,
    filter: Option<Filter>,
    mode: SearchMode,
    score_threshold: Option<f32>,
}

/// Finds passages in a store's files.
pub async fn post(
    axum::extract::State(state): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let store = store_in_use(&state, &auth::owner(&request), &id).await?;
    let asked = parse(body::read_fields(&state, request).await?)?;
    let work = search(&state, &store, &asked);
    let done = timeout(state.request_timeout, work).await;
    let passages = done.unwrap_or(Err(ServeError::TimeLimit.into()))?;
    let data: Vec<_> = passages.iter().filter_map(|passage| result(&store, passage)).collect();
    Ok(json::ok(&json!({
        "object": "vector_store.search_results.page",
        "search_query": asked.queries,
        "data": data,
        "has_more": false,
        "next_page": null,
    })))
}

fn parse(mut fields: Fields) -> Result<Asked, ApiError> {
    let queries = take_queries(&mut fields)?;
    let limit = fields.integer("max_num_results", 1..=RESULTS_MAX)?.unwrap_or(RESULTS);
    let filter = match fields.take("filters") {
        Some(value) => Some(of_attributes(parse_filter("filters", value)?)),
        None => None,
    };
    if fields.flag("rewrite_query")? {
        return Err(not_supported("rewrite_query"));
    }
    let (mode, score_threshold) = take_ranking(&mut fields)?;
    fields.finish(&[])?;
    Ok(Asked { queries, limit: limit as usize, filter, mode, score_threshold })
}

fn take_queries(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let what = format!("a text, or a list of 1 to {QUERIES_MAX} texts, none of them empty");
    let wrong = || must_be("query", &what);
    let queries = match fields.take("query") {
        None => return Err(missing("query")),
        Some(Value::String(query)) => vec![query],
        Some(Value::Array(list)) if (1..=QUERIES_MAX).contains(&list.len()) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            list.iter().map(text).collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    if queries.iter().any(|query: &String| query.trim().is_empty()) {
        Err(wrong())
    } else {
        Ok(queries)
    }
}

/// By meaning and words, unless ranking is switched off: then by meaning alone.
pub fn take_ranking(fields: &mut Fields) -> Result<(SearchMode, Option<f32>), ApiError> {
    let Some(mut ranking) = fields.object("ranking_options")? else {
        return Ok((SearchMode::default(), None));
    };
    let ranker = ranking.word("ranker", &["none", "auto", "default-2024-11-15"])?;
    let threshold =
        ranking.number("score_threshold", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?;
    let weight = take_weight(&mut ranking)?;
    ranking.finish(&[])?;
    let mode = match (ranker, weight) {
        (Some("none"), _) => SearchMode::Vector,
        (_, Some(words_weight)) => SearchMode::Hybrid(Fusion::ReciprocalRank { words_weight }),
        _ => SearchMode::default(),
    };
    // 0 asks nothing: a score below it is shown as 0.
    Ok((mode, threshold.filter(|threshold| *threshold > 0.0)))
}

/// How much words count beside meaning.
fn take_weight(ranking: &mut Fields) -> Result<Option<f32>, ApiError> {
    let Some(mut weights) = ranking.object("hybrid_search")? else { return Ok(None) };
    let fits: fn(f64) -> bool = |x| (0.0..=1e6).contains(&x);
    let mut weight = |name| {
        let weight = weights.number(name, "from 0 to 1000000", fits)?;
        Ok::<f32, ApiError>(weight.unwrap_or(0.0))
    };
    let (meaning, words) = (weight("embedding_weight")?, weight("text_weight")?);
    if meaning + words <= 0.0 {
        return Err(must_be(&weights.at("text_weight"), "above 0, or else `embedding_weight`"));
    }
    weights.finish(&[])?;
    Ok(Some(words / (meaning + words)))
}

/// A user's filter speaks of attributes.
pub fn of_attributes(filter: Filter) -> Filter {
    let all = |list: Vec<Filter>| list.into_iter().map(of_attributes).collect();
    match filter {
        Filter::All(list) => Filter::All(all(list)),
        Filter::Any(list) => Filter::Any(all(list)),
        Filter::Not(inner) => Filter::Not(Box::new(of_attributes(*inner))),
        Filter::Ids(ids) => Filter::Ids(ids),
        Filter::Field { path, comparison } => {
            Filter::Field { path: format!("attributes.{path}"), comparison }
        }
    }
}

/// The best of all questions, each passage once.
async fn search(
    state: &State,
    store: &VectorStore,
    asked: &Asked,
) -> Result<Vec<Passage>, ApiError> {
    let node = keeper(state)?.node();
    let mut best: HashMap<PointId, Passage> = HashMap::new();
    for query in &asked.queries {
        let target = Target {
            collection: store.id.clone(),
            limit: asked.limit,
            score_threshold: asked.score_threshold,
        };
        let retrieval = Retrieval {
            query: query.clone(),
            targets: vec![target],
            mode: asked.mode,
            filter: asked.filter.clone(),
            reranker: None,
        };
        for passage in retrieve(node, &retrieval).await? {
            let known = best.get(&passage.id).map_or(f32::MIN, |known| known.score);
            if passage.score > known {
                best.insert(passage.id, passage);
            }
        }
    }
    let mut best: Vec<_> = best.into_values().collect();
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    best.truncate(asked.limit);
    Ok(best)
}

/// A passage, if its file is there and whole.
fn result(store: &VectorStore, passage: &Passage) -> Option<Value> {
    let file = store.file(passage.document()?)?;
    (file.status == FileStatus::Completed).then(|| {
        json!({
            "file_id": file.id,
            "filename": file.filename,
            "score": passage.similarity.unwrap_or(passage.score).clamp(0.0, 1.0),
            "attributes": file.attributes,
            "content": [{"type": "text", "text": passage.text()}],
        })
    })
}
