//! What a request says about knowledge bases, and what an answer says of its sources.
//!
//! A request may carry `knowledge`: `false` for none, or an object whose fields stand in for those of
//! the model's own config. The fields of gaianet's server (`vdb_collection_name`, `limit`,
//! `score_threshold`, `context_window`, `weighted_alpha`) do the same.

mod filter;
#[cfg(test)]
mod tests;

use gaia_core::knowledge::{
    Citation, Fusion, Grounding, MergePolicy, Passage, Plan, SearchMode, Sources, Target,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::filter::parse as parse_filter;
use super::error::ApiError;
use super::fields::{Fields, must_be, whole};
use super::openapi::Schema;
use crate::vector_stores::{FILE_ID, is_store_name};

/// Passages of a collection, unless somebody says otherwise.
const LIMIT: usize = 5;
const LIMIT_MAX: u32 = 100;
const COLLECTIONS_MAX: usize = 16;
const PROMPT_BYTES_MAX: usize = 16 << 10;
/// gaianet's name for the collections.
const COLLECTION_NAME: &str = "vdb_collection_name";

/// What a request says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Wish {
    /// Nothing: the model's own config holds.
    #[default]
    Default,
    /// No knowledge base.
    None,
    /// These instead of what the config says.
    Changed(Box<Changes>),
    /// The user's own vector stores, by the tool that searches files.
    Stores(Box<Plan>),
}

/// What stands in for a model's own config.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    collections: Vec<String>,
    /// The field that names them.
    collections_param: String,
    /// Stores of the asker's own, which are searched behind the collections.
    vector_stores: Vec<String>,
    /// One for all, or one for each collection and store.
    limits: Vec<usize>,
    thresholds: Vec<f32>,
    mode: Option<SearchMode>,
    filter: Option<gaia_core::knowledge::Filter>,
    reranker: Option<String>,
    context_window: Option<usize>,
    policy: Option<MergePolicy>,
    rag_prompt: Option<String>,
    tokens_max: Option<u32>,
    no_hit_prompt: Option<String>,
    agentic: Option<bool>,
}

impl Wish {
    /// Takes a request's fields.
    ///
    /// # Errors
    /// A field that makes no sense, by name.
    pub fn take(fields: &mut Fields) -> Result<Self, ApiError> {
        let changes = match fields.take("knowledge") {
            Some(Value::Bool(false)) => return Ok(Self::None),
            None => take_gaianet(fields)?,
            Some(value @ Value::Object(_)) => {
                Some(Changes::take(fields.nested("knowledge", value)?)?)
            }
            Some(_) => return Err(must_be("knowledge", "an object, or false for none")),
        };
        Ok(changes.map_or(Self::Default, |changes| Self::Changed(Box::new(changes))))
    }

    /// The vector stores that it names: whose they are is still to be looked at.
    #[must_use]
    pub fn vector_stores(&self) -> &[String] {
        match self {
            Self::Changed(changes) => changes.vector_stores(),
            Self::Default | Self::None | Self::Stores(_) => &[],
        }
    }

    /// What holds for a model whose config says `own`.
    ///
    /// # Errors
    /// Something is changed, but neither names a collection.
    pub fn over(self, own: Option<&Plan>) -> Result<Option<Plan>, ApiError> {
        match self {
            Self::Default => Ok(own.cloned()),
            Self::None => Ok(None),
            Self::Changed(changes) => changes.over(own).map(Some),
            Self::Stores(plan) => Ok(Some(*plan)),
        }
    }
}

impl Changes {
    /// Takes the fields of `knowledge`.
    pub fn take(mut fields: Fields) -> Result<Self, ApiError> {
        let changes = Self {
            collections: take_names(&mut fields, "collections")?,
            collections_param: fields.at("collections"),
            vector_stores: take_names(&mut fields, "vector_stores")?,
            limits: take_limits(&mut fields)?,
            thresholds: take_thresholds(&mut fields)?,
            mode: take_mode(&mut fields)?,
            filter: match fields.take("filter") {
                Some(value) => Some(parse_filter(&fields.at("filter"), value)?),
                None => None,
            },
            reranker: fields.string("reranker")?,
            context_window: fields.integer("context_window", 1..=100)?.map(|count| count as usize),
            policy: take_policy(&mut fields)?,
            rag_prompt: take_prompt(&mut fields, "rag_prompt")?,
            tokens_max: fields.count("tokens_max")?,
            no_hit_prompt: take_prompt(&mut fields, "no_hit_prompt")?,
            agentic: fields.maybe_flag("agentic")?,
        };
        changes.check(&fields)?;
        fields.finish(&[])?;
        Ok(changes)
    }

    /// The vector stores that are named.
    #[must_use]
    pub fn vector_stores(&self) -> &[String] {
        &self.vector_stores
    }

    fn check(&self, fields: &Fields) -> Result<(), ApiError> {
        let count = self.collections.len() + self.vector_stores.len();
        let fits = |list: usize| list <= 1 || list == count;
        if !fits(self.limits.len()) {
            return Err(must_be(&fields.at("limit"), "one number, or one for each collection"));
        }
        if !fits(self.thresholds.len()) {
            let what = "one number, or one for each collection";
            return Err(must_be(&fields.at("score_threshold"), what));
        }
        Ok(())
    }

    /// What holds for a model whose config says `own`.
    ///
    /// # Errors
    /// Neither names a collection.
    pub fn over(self, own: Option<&Plan>) -> Result<Plan, ApiError> {
        let own = own.cloned().unwrap_or_else(default_plan);
        let targets = self.targets(&own)?;
        let grounding = Grounding {
            policy: self.policy.unwrap_or(own.grounding.policy),
            rag_prompt: self.rag_prompt.or(own.grounding.rag_prompt),
            tokens_max: self.tokens_max.or(own.grounding.tokens_max),
            no_hit_prompt: self.no_hit_prompt.or(own.grounding.no_hit_prompt),
        };
        Ok(Plan {
            targets,
            mode: self.mode.unwrap_or(own.mode),
            filter: self.filter.or(own.filter),
            reranker: self.reranker.or(own.reranker),
            context_window: self.context_window.unwrap_or(own.context_window),
            grounding,
            agentic: self.agentic.unwrap_or(own.agentic),
        })
    }

    fn targets(&self, own: &Plan) -> Result<Vec<Target>, ApiError> {
        let (limit, threshold) = own
            .targets
            .first()
            .map_or((LIMIT, None), |target| (target.limit, target.score_threshold));
        let names: Vec<_> = self.collections.iter().chain(&self.vector_stores).collect();
        let at = |place: usize| Target {
            collection: names.get(place).map(|name| (*name).clone()).unwrap_or_default(),
            limit: self.limits.get(place).or(self.limits.first()).copied().unwrap_or(limit),
            score_threshold: {
                let given = self.thresholds.get(place).or(self.thresholds.first()).copied();
                given.or(threshold)
            },
        };
        if !names.is_empty() {
            return Ok((0..names.len()).map(at).collect());
        }
        if own.targets.is_empty() {
            let param = &self.collections_param;
            let message = format!(
                "name the collections to search in `{param}`: neither the request nor the model's \
                 config does"
            );
            return Err(ApiError::invalid(param, message));
        }
        let named = |(place, target): (usize, &Target)| Target {
            collection: target.collection.clone(),
            ..at(place)
        };
        Ok(own.targets.iter().enumerate().map(named).collect())
    }
}

/// Describes the fields of [`Wish::take`].
pub fn describe(body: Schema) -> Schema {
    let what = "Which knowledge bases to answer from, instead of the model's own; false for none.";
    let knowledge = Schema::either([Schema::flag(), Schema::object().with(describe_changes)]);
    let weight =
        Schema::number().within(0, 1).says("Of words against meaning, in a hybrid search.");
    body.may("knowledge", knowledge.says(what))
        .may(COLLECTION_NAME, names().says("As gaianet's server has it: collections to search."))
        .may("weighted_alpha", weight)
        .with(describe_limits)
}

/// Describes the fields of [`Changes::take`].
pub fn describe_changes(body: Schema) -> Schema {
    let fusions = ["reciprocal_rank", "min_max"];
    let policies = ["system-message", "last-user-message"];
    let agentic = "The model searches for itself, as often as it needs to.";
    body.may("collections", names().says("The collections to search."))
        .may(
            "vector_stores",
            names().says("Vector stores of your own to search, alone or as well."),
        )
        .may(
            "mode",
            Schema::words(&["hybrid", "vector", "words"]).says("By meaning, words or both."),
        )
        .may("fusion", Schema::words(&fusions).says("How both rankings become one."))
        .may("words_weight", Schema::number().within(0, 1).says("Of words against meaning."))
        .may("filter", Schema::named("Filter"))
        .may(
            "reranker",
            Schema::text().says(
                "A reranker or embedding model, which chooses among four times as many passages, 20 to \
                 100 of each collection.",
            ),
        )
        .may("policy", Schema::words(&policies).says("Where the passages stand in the prompt."))
        .may("rag_prompt", Schema::text().says("The words before the passages."))
        .may("tokens_max", Schema::integer().least(1).says("Tokens of the passages at most."))
        .may("no_hit_prompt", Schema::text().says("The words if nothing was found."))
        .may("agentic", Schema::flag().says(agentic))
        .with(describe_limits)
}

fn describe_limits(body: Schema) -> Schema {
    let one_or_each = |one: fn() -> Schema| Schema::either([one(), Schema::list(one())]);
    let limit = || Schema::integer().within(1, LIMIT_MAX);
    let threshold = || Schema::number().within(-1, 1);
    body.may("limit", one_or_each(limit).says("Passages at most, for all or for each collection."))
        .may("score_threshold", one_or_each(threshold).says("The least similarity that counts."))
        .may(
            "context_window",
            Schema::integer().within(1, 100).says("User turns that make the question."),
        )
}

fn names() -> Schema {
    Schema::either([Schema::text(), Schema::list(Schema::text()).items(1, COLLECTIONS_MAX)])
}

fn default_plan() -> Plan {
    Plan { context_window: 1, ..Plan::default() }
}

/// gaianet's fields; nothing if there is none of them.
fn take_gaianet(fields: &mut Fields) -> Result<Option<Changes>, ApiError> {
    for name in ["vdb_server_url", "vdb_api_key", "kw_search_url", "kw_index_name"] {
        if fields.take_if(name, |value| !value.is_null()) {
            let message = format!(
                "`{name}`: this node searches its own knowledge bases, which its config names; \
                 leave the field out"
            );
            return Err(ApiError::invalid(name, message).with_code("unsupported_parameter"));
        }
        fields.take_if(name, Value::is_null);
    }
    let alpha = fields.number("weighted_alpha", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?;
    let mode = alpha.map(|words_weight| SearchMode::Hybrid(Fusion::MinMax { words_weight }));
    let context_window = fields.integer("context_window", 1..=100)?.map(|count| count as usize);
    let changes = Changes {
        collections: take_names(fields, COLLECTION_NAME)?,
        limits: take_limits(fields)?,
        thresholds: take_thresholds(fields)?,
        mode,
        context_window,
        ..Changes::default()
    };
    changes.check(fields)?;
    let says_something = changes != Changes::default();
    let collections_param = COLLECTION_NAME.to_owned();
    Ok(says_something.then_some(Changes { collections_param, ..changes }))
}

/// A text or a list of texts.
///
/// # Errors
/// It is something else, or too long.
pub fn take_names(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    let given = fields.take(name);
    let wrong = || must_be(&fields.at(name), &format!("1 to {COLLECTIONS_MAX} names"));
    let names = match given {
        None => return Ok(vec![]),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(list)) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            list.iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    if names.is_empty() || names.len() > COLLECTIONS_MAX {
        return Err(wrong());
    }
    Ok(names)
}

/// A number or a list of numbers.
fn take_numbers(fields: &mut Fields, name: &str) -> Vec<Value> {
    match fields.take(name) {
        None => vec![],
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    }
}

fn take_limits(fields: &mut Fields) -> Result<Vec<usize>, ApiError> {
    let list = take_numbers(fields, "limit");
    let limit = |value: &Value| {
        let number = whole(value).filter(|n| (1..=u64::from(LIMIT_MAX)).contains(n));
        number.and_then(|number| usize::try_from(number).ok())
    };
    let what = format!("an integer from 1 to {LIMIT_MAX}");
    let limits: Option<Vec<_>> = list.iter().map(limit).collect();
    limits.ok_or_else(|| must_be(&fields.at("limit"), &what))
}

fn take_thresholds(fields: &mut Fields) -> Result<Vec<f32>, ApiError> {
    let list = take_numbers(fields, "score_threshold");
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    let threshold = |value: &Value| {
        value.as_f64().filter(|n| (-1.0..=1.0).contains(n)).map(|number| number as f32)
    };
    let thresholds: Option<Vec<_>> = list.iter().map(threshold).collect();
    thresholds.ok_or_else(|| must_be(&fields.at("score_threshold"), "a number from -1 to 1"))
}

fn take_mode(fields: &mut Fields) -> Result<Option<SearchMode>, ApiError> {
    let mode = fields.word("mode", &["hybrid", "vector", "words"])?;
    let fusion = fields.word("fusion", &["reciprocal_rank", "min_max"])?;
    let weight = fields.number("words_weight", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?;
    let words_weight = weight.unwrap_or(0.5);
    let hybrid = SearchMode::Hybrid(match fusion {
        Some("min_max") => Fusion::MinMax { words_weight },
        _ => Fusion::ReciprocalRank { words_weight },
    });
    Ok(match mode {
        Some("vector") => Some(SearchMode::Vector),
        Some("words") => Some(SearchMode::Words),
        Some(_) => Some(hybrid),
        None => (fusion.is_some() || weight.is_some()).then_some(hybrid),
    })
}

fn take_policy(fields: &mut Fields) -> Result<Option<MergePolicy>, ApiError> {
    let policy = fields.word("policy", &["system-message", "last-user-message"])?;
    Ok(policy.map(|policy| match policy {
        "last-user-message" => MergePolicy::LastUserMessage,
        _ => MergePolicy::SystemMessage,
    }))
}

fn take_prompt(fields: &mut Fields, name: &str) -> Result<Option<String>, ApiError> {
    let prompt = fields.string(name)?;
    if prompt.as_ref().is_some_and(|prompt| prompt.len() > PROMPT_BYTES_MAX) {
        return Err(must_be(&fields.at(name), &format!("at most {PROMPT_BYTES_MAX} bytes")));
    }
    Ok(prompt)
}

/// Where a part of an answer is from: this node's own field of an answer, `citations`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Citation")]
pub struct WireCitation {
    /// Its number in the prompt, from 1.
    pub number: usize,
    /// The passage.
    #[serde(flatten)]
    pub passage: WirePassage,
}

/// A passage as programs read it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Passage")]
pub struct WirePassage {
    collection: String,
    id: String,
    /// The file in a vector store, whose name is `document`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f32>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    text: String,
}

impl From<&Passage> for WirePassage {
    fn from(passage: &Passage) -> Self {
        let text = |name| passage.payload.get(name).and_then(Value::as_str).map(str::to_owned);
        let attributes = passage.payload.get("attributes").and_then(Value::as_object);
        Self {
            collection: passage.collection.clone(),
            id: passage.id.to_string(),
            file_id: own_file(passage).map(str::to_owned),
            document: text("document"),
            heading: text("heading"),
            place: text("place"),
            score: passage.score,
            similarity: passage.similarity,
            attributes: attributes.cloned().unwrap_or_default(),
            text: passage.text().to_owned(),
        }
    }
}

/// The file in a vector store that a passage is from; elsewhere a field of that name means what it may.
#[must_use]
pub fn own_file(passage: &Passage) -> Option<&str> {
    let file = passage.payload.get(FILE_ID).filter(|_| is_store_name(&passage.collection));
    file.and_then(Value::as_str)
}

/// The sources of an answer so far; `None` if no knowledge base was asked, empty if it had nothing.
#[must_use]
pub fn citations(sources: &Sources) -> Option<Vec<WireCitation>> {
    let wire = |citation: &Citation| WireCitation {
        number: citation.number,
        passage: WirePassage::from(&citation.passage),
    };
    sources.get().map(|citations| citations.iter().map(wire).collect())
}
