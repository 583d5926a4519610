//! The tool `file_search`: answers that rest on the files of vector stores.

use std::sync::Arc;

use gaia_core::knowledge::{Filter, Passage, Plan, SearchMode, Searched, Target};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::item::AROUND_BYTES;
use crate::http::State;
use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::knowledge::{Wish, parse_filter};
use crate::http::openapi::Schema;
use crate::http::routes::vector_stores::{of_attributes, ranking, store_in_use, take_ranking};
use crate::store::{Owner, StoreFile, VectorStore};

/// The tool's name in requests.
pub const FILE_SEARCH: &str = "file_search";

/// OpenAI's limit, and passages where nothing is said: what small models can read.
const RESULTS_MAX: u32 = 50;
const RESULTS: u32 = 10;

/// Stores of one request at most: each is searched.
const STORES_MAX: usize = 16;

/// The tool as a request gives it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileSearch {
    ids: Vec<String>,
    /// The field that names them.
    ids_param: String,
    limit: usize,
    filter: Option<Filter>,
    mode: SearchMode,
    score_threshold: Option<f32>,
    /// Whether the request demands a search: then it is made at once, with the user's own words.
    pub is_forced: bool,
}

/// A passage of a file, as the answer tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FoundText {
    file_id: String,
    filename: String,
    score: f32,
    text: String,
    attributes: Map<String, Value>,
}

impl FoundText {
    /// What a copy of it takes.
    pub fn bytes(&self) -> usize {
        let Self { file_id, filename, text, attributes, .. } = self;
        let texts = file_id.len() + filename.len() + text.len();
        let attribute = |(name, value): (&String, &Value)| {
            AROUND_BYTES + name.len() + value.as_str().map_or(0, str::len)
        };
        AROUND_BYTES + texts + attributes.iter().map(attribute).sum::<usize>()
    }

    /// One whose every text is this one.
    #[cfg(test)]
    pub fn of(text: &str) -> Self {
        let attributes = [(text.to_owned(), Value::from(text))].into_iter().collect();
        let (file_id, filename, text) = (text.to_owned(), text.to_owned(), text.to_owned());
        Self { file_id, filename, score: 0.5, text, attributes }
    }
}

/// The stores that an answer may search, as they were when it began.
#[derive(Clone, Debug, Default)]
pub struct Searchable {
    stores: Vec<Arc<VectorStore>>,
    limit: usize,
    with_results: bool,
}

/// Reads the tool; returns how the answer repeats it, too.
pub fn read(mut fields: Fields) -> Result<(FileSearch, Value), ApiError> {
    fields.take("type");
    let (ids, ids_param) = (take_ids(&mut fields)?, fields.at("vector_store_ids"));
    let limit = fields.integer("max_num_results", 1..=RESULTS_MAX)?.unwrap_or(RESULTS);
    let filters = fields.take("filters");
    let filter = match filters.clone() {
        Some(value) => Some(of_attributes(parse_filter(&fields.at("filters"), value)?)),
        None => None,
    };
    let (mode, score_threshold) = take_ranking(&mut fields)?;
    fields.finish(&[])?;
    let ranker = if mode == SearchMode::Vector { "none" } else { "auto" };
    let echo = json!({
        "type": FILE_SEARCH,
        "vector_store_ids": ids,
        "max_num_results": limit,
        "filters": filters,
        "ranking_options": {"ranker": ranker, "score_threshold": score_threshold.unwrap_or(0.0)},
    });
    let limit = limit as usize;
    let is_forced = false;
    Ok((FileSearch { ids, ids_param, limit, filter, mode, score_threshold, is_forced }, echo))
}

/// The tool in the document of all routes.
pub fn schema() -> Schema {
    let ids = Schema::list(Schema::text()).items(1, STORES_MAX);
    Schema::object()
        .needs("type", Schema::words(&[FILE_SEARCH]))
        .needs("vector_store_ids", ids)
        .may("max_num_results", Schema::integer().within(1, RESULTS_MAX).default(RESULTS))
        .may("filters", Schema::named("Filter"))
        .may("ranking_options", ranking())
}

fn take_ids(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let list = fields.list("vector_store_ids")?.unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let ids: Option<Vec<_>> = list.iter().map(text).collect();
    ids.filter(|ids| (1..=STORES_MAX).contains(&ids.len())).ok_or_else(|| {
        must_be(&fields.at("vector_store_ids"), &format!("1 to {STORES_MAX} ids of vector stores"))
    })
}

impl FileSearch {
    /// What is searched, and how the answer finds its files again; the stores count as used.
    ///
    /// # Errors
    /// A store is not there or is another's; the request wants another knowledge base, too.
    pub async fn open(
        self,
        state: &State,
        owner: &Owner,
        (wish, with_results): (Wish, bool),
    ) -> Result<(Wish, Searchable), ApiError> {
        if matches!(wish, Wish::Changed(_)) {
            let message = "`knowledge` and the tool file_search can't stand in one request";
            return Err(ApiError::invalid("knowledge", message));
        }
        let mut stores = vec![];
        for id in &self.ids {
            let store = store_in_use(state, owner, id).await;
            let param = || Some(self.ids_param.clone());
            stores.push(store.map_err(|error| ApiError { param: param(), ..error })?);
        }
        let searchable = Searchable { stores, limit: self.limit, with_results };
        Ok((Wish::Stores(Box::new(self.plan())), searchable))
    }

    fn plan(self) -> Plan {
        let target = |collection| Target {
            collection,
            limit: self.limit,
            score_threshold: self.score_threshold,
        };
        Plan {
            targets: self.ids.into_iter().map(target).collect(),
            mode: self.mode,
            filter: self.filter,
            context_window: 1,
            agentic: !self.is_forced,
            ..Plan::default()
        }
    }
}

impl Searchable {
    /// The file that a passage is from; it may have left its store since.
    pub fn file(&self, passage: &Passage) -> Option<&StoreFile> {
        let store = self.stores.iter().find(|store| store.id == passage.collection)?;
        store.file(passage.document()?)
    }

    /// What a search found, if the request wants to see it.
    pub fn results(&self, search: &Searched) -> Option<Vec<FoundText>> {
        let found = search.passages.iter().filter_map(|passage| {
            let file = self.file(passage)?;
            Some(FoundText {
                file_id: file.id.clone(),
                filename: file.filename.clone(),
                score: passage.similarity.unwrap_or(passage.score).clamp(0.0, 1.0),
                text: passage.text().to_owned(),
                attributes: file.attributes.clone(),
            })
        });
        self.with_results.then(|| found.take(self.limit).collect())
    }
}
