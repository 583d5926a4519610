//! Use case: find the passages that answer a question.

use std::collections::{HashMap, HashSet};

use gaia_protocol::{EmbedTask, Input, ModelKind, RankTask};

use super::find::find_all;
use super::fusion::sort;
use super::shorten::shorten;
use super::{
    By, Collection, Filter, Fusion, Knowledge, KnowledgeError, Passage, Ranked, Search, fuse,
};
use crate::{Node, ServeError, embed, rerank};

/// Passages of one collection at most.
const LIMIT_MAX: usize = 100;

/// Collections of one question at most.
const TARGETS_MAX: usize = 16;

/// So many times more than wanted are looked at before two rankings are fused or a reranker sorts what
/// was found, and at least so many.
const CANDIDATES_PER_HIT: usize = 4;
const CANDIDATES_MIN: usize = 20;

/// Where to search, and how much to take from there.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The collection's name.
    pub collection: String,
    /// Passages at most.
    pub limit: usize,
    /// How near a passage's vector must be to the question's at least; by cosine -1 to 1, by a
    /// distance d it is 1 / (1 + d).
    pub score_threshold: Option<f32>,
}

/// By what passages are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SearchMode {
    /// By meaning.
    Vector,
    /// By words; nothing is embedded.
    Words,
    /// By both.
    Hybrid(Fusion),
}

impl Default for SearchMode {
    fn default() -> Self {
        Self::Hybrid(Fusion::default())
    }
}

/// A question to a knowledge base.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retrieval {
    /// The question.
    pub query: String,
    /// Where to search.
    pub targets: Vec<Target>,
    /// By what.
    pub mode: SearchMode,
    /// Only points for which this holds.
    pub filter: Option<Filter>,
    /// The reranker or embedding model that puts the passages into their last order, if one is wanted.
    /// It is shown more of them than each target's limit.
    pub reranker: Option<String>,
}

/// A model, and what it embeds.
type Embedded = (Option<String>, String);

/// A question, and its vector once a collection needed it.
pub struct Probe<'a> {
    node: &'a Node,
    query: String,
    /// By embedder and prefixed text.
    vectors: Vec<(Embedded, Vec<f32>)>,
}

impl<'a> Probe<'a> {
    /// Nothing is embedded yet.
    #[must_use]
    pub fn new(node: &'a Node, query: &str) -> Self {
        Self { node, query: query.to_owned(), vectors: vec![] }
    }

    async fn vector(&mut self, collection: &Collection) -> Result<Vec<f32>, ServeError> {
        let embedder = collection.spec.embedder.clone();
        let prefix = collection.spec.query_prefix.as_deref().unwrap_or_default();
        let wanted = (embedder, format!("{prefix}{}", self.query));
        let known = self.vectors.iter().find(|(of, _)| *of == wanted);
        let vector = match known {
            Some((_, vector)) => vector.clone(),
            None => self.embed(wanted).await?,
        };
        check_dimension(collection, vector.len())?;
        Ok(vector)
    }

    async fn embed(&mut self, of: Embedded) -> Result<Vec<f32>, ServeError> {
        let task = EmbedTask { inputs: vec![Input::Text(of.1.clone())] };
        let embeddings = embed(self.node, of.0.as_deref(), task).await?;
        let vector = embeddings.vectors.into_iter().next().expect("one vector for each input");
        self.vectors.push((of, vector.clone()));
        Ok(vector)
    }
}

/// Finds passages, best first, each text once. The whole is a few engine calls; dropping the future
/// gives up.
///
/// # Errors
/// [`ServeError::Invalid`] and [`ServeError::Knowledge`] name what is wrong; everything that can fail
/// when the question is embedded.
pub async fn retrieve(node: &Node, retrieval: &Retrieval) -> Result<Vec<Passage>, ServeError> {
    let collections = searched(node, retrieval).await?;
    find(node, retrieval, &collections).await
}

/// As [`retrieve`], with what of a conversation's question the models that read it have room for; that
/// is the query then.
///
/// # Errors
/// As [`retrieve`].
pub(super) async fn retrieve_in_part(
    node: &Node,
    retrieval: &mut Retrieval,
) -> Result<Vec<Passage>, ServeError> {
    let collections = searched(node, retrieval).await?;
    shorten(node, retrieval, &collections).await?;
    find(node, retrieval, &collections).await
}

/// The collections of a question that makes sense.
async fn searched(node: &Node, retrieval: &Retrieval) -> Result<Vec<Collection>, ServeError> {
    let knowledge = node.knowledge()?;
    check(retrieval)?;
    let names: Vec<_> = retrieval.targets.iter().map(|target| &*target.collection).collect();
    Ok(find_all(knowledge, &names).await?)
}

async fn find(
    node: &Node,
    retrieval: &Retrieval,
    collections: &[Collection],
) -> Result<Vec<Passage>, ServeError> {
    let knowledge = node.knowledge()?;
    let mut probe = Probe::new(node, &retrieval.query);
    let mut passages = vec![];
    for (target, collection) in retrieval.targets.iter().zip(collections) {
        let mut search = One { knowledge, collection, target, retrieval, probe: &mut probe };
        passages.extend(search.run().await?);
    }
    passages.sort_by(|one: &Passage, other| other.score.total_cmp(&one.score));
    once(&mut passages);
    let mut passages = reorder(node, retrieval, passages).await?;
    limit(&mut passages, &retrieval.targets);
    Ok(passages)
}

fn check(retrieval: &Retrieval) -> Result<(), ServeError> {
    let invalid = |param: &str, message: String| {
        Err(ServeError::Invalid { message, param: Some(param.to_owned()) })
    };
    if retrieval.query.trim().is_empty() {
        return invalid("query", "query is empty: give the text to search for".into());
    }
    if retrieval.targets.is_empty() || retrieval.targets.len() > TARGETS_MAX {
        return invalid("collections", format!("collections: give 1 to {TARGETS_MAX}"));
    }
    if retrieval.targets.iter().any(|t| t.limit == 0 || t.limit > LIMIT_MAX) {
        return invalid("limit", format!("limit must be from 1 to {LIMIT_MAX}"));
    }
    match retrieval.filter.as_ref().map(Filter::check) {
        Some(Err(what)) => invalid("filter", format!("filter: {what}")),
        _ => Ok(()),
    }
}

pub(super) fn check_dimension(collection: &Collection, values: usize) -> Result<(), ServeError> {
    let dimension = collection.spec.dimension;
    if values == dimension as usize {
        return Ok(());
    }
    let name = &collection.name;
    let message = format!(
        "the collection `{name}` has vectors of {dimension} values, and the embedding model makes \
         {values}: serve the model that the collection was made with, and name it as its embedder"
    );
    Err(KnowledgeError::invalid(message).into())
}

/// A search in one collection.
struct One<'a, 'b> {
    knowledge: &'a dyn Knowledge,
    collection: &'a Collection,
    target: &'a Target,
    retrieval: &'a Retrieval,
    probe: &'a mut Probe<'b>,
}

impl One<'_, '_> {
    async fn run(&mut self) -> Result<Vec<Passage>, ServeError> {
        let count = self.count();
        let mut ranked = match self.retrieval.mode {
            SearchMode::Words => self.words(count).await?,
            SearchMode::Hybrid(fusion) if self.collection.has_keywords => {
                return self.hybrid(fusion).await;
            }
            SearchMode::Vector | SearchMode::Hybrid(_) => {
                let vector = self.probe.vector(self.collection).await?;
                self.near(vector, count, None).await?
            }
        };
        ranked.truncate(count);
        let similar = self.retrieval.mode != SearchMode::Words;
        let passage = |ranked: Ranked| {
            let similarity = similar.then_some(ranked.score);
            self.passage(ranked, similarity)
        };
        Ok(ranked.into_iter().map(passage).collect())
    }

    /// Passages to find: a reranker is shown more of them than are wanted.
    fn count(&self) -> usize {
        let limit = self.target.limit;
        if self.retrieval.reranker.is_none() { limit } else { candidates(limit).min(LIMIT_MAX) }
    }

    async fn hybrid(&mut self, fusion: Fusion) -> Result<Vec<Passage>, ServeError> {
        let count = candidates(self.target.limit);
        let vector = self.probe.vector(self.collection).await?;
        let near = self.near(vector.clone(), count, None).await?;
        let mut words = self.words(count).await?;
        let mut similar: Vec<_> = near.iter().map(|ranked| (ranked.id, ranked.score)).collect();
        // What only its words brought is held to the same threshold.
        let only_words: Vec<_> =
            words.iter().map(|w| w.id).filter(|id| !near.iter().any(|n| n.id == *id)).collect();
        if !only_words.is_empty() {
            let count = only_words.len();
            let found = self.near(vector, count, Some(Filter::Ids(only_words))).await?;
            similar.extend(found.iter().map(|ranked| (ranked.id, ranked.score)));
        }
        let similarity = |id| similar.iter().find(|(of, _)| *of == id).map(|(_, score)| *score);
        words.retain(|ranked| similarity(ranked.id).is_some());
        let mut fused = fuse(near, words, fusion);
        fused.truncate(self.count());
        let passage = |ranked: Ranked| {
            let similarity = similarity(ranked.id);
            self.passage(ranked, similarity)
        };
        Ok(fused.into_iter().map(passage).collect())
    }

    /// The nearest points that are near enough; more is nearer.
    async fn near(
        &self,
        vector: Vec<f32>,
        limit: usize,
        also: Option<Filter>,
    ) -> Result<Vec<Ranked>, ServeError> {
        let mut ranked = self.search(By::Vector(vector), limit, also).await?;
        if !self.collection.spec.distance.more_is_nearer() {
            ranked.iter_mut().for_each(|point| point.score = 1.0 / (1.0 + point.score.max(0.0)));
        }
        let threshold = self.target.score_threshold.unwrap_or(f32::MIN);
        ranked.retain(|point| point.score >= threshold);
        sort(&mut ranked);
        Ok(ranked)
    }

    async fn words(&self, limit: usize) -> Result<Vec<Ranked>, ServeError> {
        if !self.collection.has_keywords {
            let name = &self.collection.name;
            let message = format!(
                "the collection `{name}` can't be searched by words alone: it has no keywords"
            );
            return Err(KnowledgeError::invalid(message).into());
        }
        self.search(By::Words(self.retrieval.query.clone()), limit, None).await
    }

    async fn search(
        &self,
        by: By,
        limit: usize,
        also: Option<Filter>,
    ) -> Result<Vec<Ranked>, ServeError> {
        let filters: Vec<_> = self.retrieval.filter.clone().into_iter().chain(also).collect();
        let filter = (!filters.is_empty()).then_some(Filter::All(filters));
        let collection = self.collection.name.clone();
        Ok(self.knowledge.search(Search { collection, by, limit, filter }).await?)
    }

    fn passage(&self, ranked: Ranked, similarity: Option<f32>) -> Passage {
        let Ranked { id, score, payload } = ranked;
        Passage { collection: self.collection.name.clone(), id, score, similarity, payload }
    }
}

/// Points to look at for so many hits.
fn candidates(limit: usize) -> usize {
    (limit * CANDIDATES_PER_HIT).max(CANDIDATES_MIN)
}

/// Leaves as many of each collection, the first ones, as its targets allow.
fn limit(passages: &mut Vec<Passage>, targets: &[Target]) {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for target in targets {
        *left.entry(&target.collection).or_default() += target.limit;
    }
    passages.retain(|passage| {
        let Some(left) = left.get_mut(&*passage.collection) else { return false };
        let fits = *left > 0;
        *left = left.saturating_sub(1);
        fits
    });
}

/// Leaves each text once, where it fits best; a point without a text says nothing.
fn once(passages: &mut Vec<Passage>) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut seen = HashSet::new();
    passages
        .retain(|passage| !passage.text().trim().is_empty() && seen.insert(words(passage.text())));
}

async fn reorder(
    node: &Node,
    retrieval: &Retrieval,
    passages: Vec<Passage>,
) -> Result<Vec<Passage>, ServeError> {
    let Some(model) = retrieval.reranker.as_deref().filter(|_| passages.len() > 1) else {
        return Ok(passages);
    };
    let texts = passages.iter().map(|passage| passage.text().to_owned()).collect();
    // A passage is a search's find and no demand of the client's: what is too long is read in part.
    let is_reranker = node.models.find(model)?.kind() == ModelKind::Rerank;
    let task = RankTask { query: retrieval.query.clone(), documents: texts, truncate: is_reranker };
    let ranking = rerank(node, Some(model), task).await?;
    let placed = |(place, score): (usize, f32)| Passage { score, ..passages[place].clone() };
    Ok(ranking.places.into_iter().map(placed).collect())
}
