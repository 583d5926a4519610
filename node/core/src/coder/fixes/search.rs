//! Finding fixes for a symptom.

use super::rank::worth;
use super::record::{Record, embedded};
use super::shape::Shape;
use super::{Asker, FixStore, shown_to};
use crate::coder::{Fix, Symptom};
use crate::knowledge::{
    Filter, Fusion, Passage, Point, Retrieval, Scan, SearchMode, Target, retrieve,
};
use crate::{KnowledgeError, ServeError};

/// Fixes of one answer at most.
const LIMIT_MAX: usize = 32;

/// Fixes that are looked at before they are ranked.
const CANDIDATES: usize = 40;

/// A fix of another error must be so near (cosine) to be of use.
const OTHER_ERROR_MIN: f32 = 0.6;

/// How near a fix is taken to be of which only the error is known to be the same.
const SAME_ERROR: f32 = 0.3;

impl FixStore {
    /// The fixes that may help `asker`, the best first: those of the same error (its code, or its
    /// message where it has none) before near ones of others; within each, by [`worth`].
    ///
    /// # Errors
    /// The knowledge base's own. An embedding model that fails is done without.
    pub async fn similar(
        &self,
        asker: &Asker,
        symptom: &Symptom,
        limit: usize,
    ) -> Result<Vec<Fix>, ServeError> {
        let limit = limit.min(LIMIT_MAX);
        if limit == 0 || symptom.message.trim().is_empty() {
            return Ok(vec![]);
        }
        let same = match &symptom.code {
            Some(code) => Filter::text("code", code),
            None => Filter::text("message", &symptom.message),
        };
        let wanted = Filter::All(vec![shown_to(asker), same.clone()]);
        let mut fixes = self.same_error(symptom, wanted).await?;
        fixes.truncate(limit);
        if fixes.len() < limit {
            let wanted = Filter::All(vec![shown_to(asker), Filter::Not(Box::new(same))]);
            fixes.extend(self.other_errors(symptom, wanted).await?);
            fixes.truncate(limit);
        }
        Ok(fixes)
    }

    /// Fixes of one error, the best first; also those that have no word in common.
    async fn same_error(&self, symptom: &Symptom, filter: Filter) -> Result<Vec<Fix>, ServeError> {
        let mut found = match self.by_meaning(symptom, filter.clone(), None).await {
            Some(found) => found?,
            None => self.by_words(symptom, filter.clone()).await?,
        };
        if found.len() < CANDIDATES {
            let scan = Scan {
                collection: self.collection.clone(),
                filter: Some(filter),
                limit: CANDIDATES,
                ..Scan::default()
            };
            let page = self.node.knowledge()?.scan(scan).await?;
            let rest = page.points.iter().filter_map(Record::read).map(|record| record.fix);
            let known: Vec<_> = found.iter().map(|(fix, _)| fix.id.clone()).collect();
            let rest = rest.filter(|fix| !known.contains(&fix.id));
            found.extend(rest.map(|fix| (fix, SAME_ERROR)));
        }
        Ok(sorted(found, symptom))
    }

    /// Near fixes of other errors; only meaning tells them.
    async fn other_errors(
        &self,
        symptom: &Symptom,
        filter: Filter,
    ) -> Result<Vec<Fix>, ServeError> {
        let found = self.by_meaning(symptom, filter, Some(OTHER_ERROR_MIN)).await;
        Ok(sorted(found.transpose()?.unwrap_or_default(), symptom))
    }

    /// Fixes with their nearness by cosine; nothing if the embedding model can't be used now.
    async fn by_meaning(
        &self,
        symptom: &Symptom,
        filter: Filter,
        threshold: Option<f32>,
    ) -> Option<Result<Vec<(Fix, f32)>, ServeError>> {
        self.embedder.as_ref()?;
        let mode = SearchMode::Hybrid(Fusion::default());
        match retrieve(&self.node, &self.question(symptom, mode, (filter, threshold))).await {
            Ok(found) => {
                let near = |passage: &Passage| (record(passage), passage.similarity);
                let fixes = found.iter().map(near);
                Some(Ok(fixes.filter_map(|(fix, near)| Some((fix?, near?))).collect()))
            }
            // Another collection by then: the operator exchanges the embedding model.
            Err(error @ ServeError::Knowledge(KnowledgeError::UnknownCollection { .. })) => {
                Some(Err(error))
            }
            Err(_) => None,
        }
    }

    /// Fixes with the share of the best one's words that they have.
    async fn by_words(
        &self,
        symptom: &Symptom,
        filter: Filter,
    ) -> Result<Vec<(Fix, f32)>, ServeError> {
        let question = self.question(symptom, SearchMode::Words, (filter, None));
        let found = retrieve(&self.node, &question).await?;
        let best = found.first().map_or(1.0, |passage| passage.score).max(f32::MIN_POSITIVE);
        let near = |passage: &Passage| Some((record(passage)?, passage.score / best));
        Ok(found.iter().filter_map(near).collect())
    }

    fn question(
        &self,
        symptom: &Symptom,
        mode: SearchMode,
        (filter, score_threshold): (Filter, Option<f32>),
    ) -> Retrieval {
        let collection = self.collection.clone();
        Retrieval {
            query: embedded(&symptom.message, &symptom.snippet),
            targets: vec![Target { collection, limit: CANDIDATES, score_threshold }],
            mode,
            filter: Some(filter),
            reranker: None,
        }
    }
}

fn record(passage: &Passage) -> Option<Fix> {
    let payload = passage.payload.clone();
    Record::read(&Point { id: passage.id, vector: vec![], payload }).map(|record| record.fix)
}

/// Best first. How near a fix is: half by what its message and lines mean, half by how much of its
/// lines stands there.
fn sorted(found: Vec<(Fix, f32)>, symptom: &Symptom) -> Vec<Fix> {
    let here = Shape::of(&symptom.snippet);
    let rated = found.into_iter().map(|(fix, near)| {
        let near = f32::midpoint(near, here.holds(&Shape::of(&fix.before)));
        (worth(&fix, near), fix)
    });
    let mut rated: Vec<_> = rated.collect();
    rated.sort_by(|(worth, one), (more, other)| more.total_cmp(worth).then(one.id.cmp(&other.id)));
    rated.into_iter().map(|(_, fix)| fix).collect()
}
