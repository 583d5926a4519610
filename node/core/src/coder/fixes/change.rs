//! Writing, counting and forgetting. Changes must come one after another.

use std::collections::HashSet;

use gaia_protocol::{EmbedTask, Input};

use super::rank::{is_useless, least_useful};
use super::record::{Record, check, embedded, id};
use super::{Asker, FixStore, point_id};
use crate::coder::Fix;
use crate::knowledge::{Change, PointId};
use crate::{ServeError, embed};

/// Fixes that are embedded and written at once.
const BATCH: usize = 32;

/// When there is no room, one of so many goes: looking through all of them for each new one would
/// take longer and longer.
const EVICTED_ONE_IN: usize = 100;

/// Refused fixes that an import tells one by one.
const REFUSED_TOLD: usize = 100;

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Fixes that are new here.
    pub new: usize,
    /// Fixes that were here already.
    pub known: usize,
    /// Fixes that were not taken over, and why; of very many, the first ones.
    pub refused: Vec<NotTaken>,
    /// How many were not taken over.
    pub refused_count: usize,
}

/// A fix that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Its place in the import, counted from 0.
    pub place: usize,
    /// The field at fault and what is wrong with it.
    pub reason: String,
}

impl FixStore {
    /// Keeps a fix that the compiler agreed to. One that is there already gains trust, if who found it
    /// again has it; and where who found it could not have seen it, that counts as help.
    ///
    /// # Errors
    /// The fix is too large or no fix; the embedding model's and the knowledge base's own.
    pub async fn remember(&self, asker: &Asker, fix: Fix) -> Result<(), ServeError> {
        let fix =
            Fix { origin: asker.owner.clone(), trusted: asker.trusted, used: 0, helped: 0, ..fix };
        check(&fix).map_err(|(field, what)| invalid(field, &what))?;
        let id = id(&fix);
        let Some((mut old, vector)) = self.find(vec![id]).await?.remove(&id) else {
            self.make_room(1).await?;
            return self.write(vec![Record { fix, owner: asker.owner.clone() }]).await;
        };
        let was_hidden = !old.is_shown_to(asker);
        if !was_hidden && (old.fix.trusted || !asker.trusted) {
            return Ok(());
        }
        old.fix.trusted |= asker.trusted;
        if was_hidden {
            old.count(true);
        }
        self.upsert(&old, vector).await
    }

    /// Counts that a fix was tried, and whether it helped. One that has had its chances is forgotten;
    /// one that is not there, or not for `asker` to see, is left alone.
    ///
    /// # Errors
    /// `id` is none; the knowledge base's own.
    pub async fn judge(&self, asker: &Asker, id: &str, helped: bool) -> Result<(), ServeError> {
        let id = point_id(id)?;
        let Some((mut record, vector)) = self.find(vec![id]).await?.remove(&id) else {
            return Ok(());
        };
        if !record.is_shown_to(asker) {
            return Ok(());
        }
        record.count(helped);
        match is_useless(&record.fix) {
            true => self.remove(vec![id]).await,
            false => self.upsert(&record, vector).await,
        }
    }

    /// Takes over fixes from elsewhere, brought by `asker` under the name `origin`. Where `trusted` is
    /// false they are a stranger's: their numbers count nothing and only `asker` tries them until they
    /// have helped twice. What is here already stays as it is.
    ///
    /// # Errors
    /// They are more than there is room for; the embedding model's and the knowledge base's own. What
    /// was written before stays, and the same import again writes the rest.
    pub async fn import(
        &self,
        asker: &Asker,
        (origin, trusted): (&str, bool),
        fixes: Vec<Fix>,
    ) -> Result<Imported, ServeError> {
        let mut imported = Imported::default();
        let mut good = vec![];
        for (place, fix) in fixes.into_iter().enumerate() {
            let (used, helped) = if trusted { (fix.used, fix.helped) } else { (0, 0) };
            let fix = Fix { origin: origin.to_owned(), trusted, used, helped, ..fix };
            match check(&fix) {
                Ok(()) => good.push(Record { fix, owner: asker.owner.clone() }),
                Err((field, what)) => imported.refuse(place, format!("`{field}` {what}")),
            }
        }
        let (new, known) = self.split(good).await?;
        imported.known = known;
        let room = (self.fixes_max as u64).saturating_sub(self.count().await?);
        if new.len() as u64 > room {
            let message = format!(
                "{} new fixes are too many: there is room for {room}; forget some, or raise \
                 coder.fixes_max in the node's config",
                new.len()
            );
            return Err(ServeError::Invalid { message, param: Some("fixes".into()) });
        }
        for batch in new.chunks(BATCH) {
            self.write(batch.to_vec()).await?;
            imported.new += batch.len();
        }
        Ok(imported)
    }

    /// Forgets a fix, if `asker` brought it, or whoever did where nobody is named; whether it was
    /// there.
    ///
    /// # Errors
    /// `id` is none; the knowledge base's own.
    pub async fn forget(&self, asker: Option<&Asker>, id: &str) -> Result<bool, ServeError> {
        let id = point_id(id)?;
        let found = self.find(vec![id]).await?.remove(&id);
        let is_own = |record: &Record| asker.is_none_or(|asker| record.owner == asker.owner);
        if !found.is_some_and(|(record, _)| is_own(&record)) {
            return Ok(false);
        }
        self.remove(vec![id]).await?;
        Ok(true)
    }

    /// Those that are not here yet, each once, and how many are.
    pub(super) async fn split(
        &self,
        records: Vec<Record>,
    ) -> Result<(Vec<Record>, usize), ServeError> {
        let (mut new, mut known, mut seen) = (vec![], 0, HashSet::new());
        for batch in records.chunks(BATCH) {
            let ids: Vec<_> = batch.iter().map(|record| id(&record.fix)).collect();
            let there = self.find(ids.clone()).await?;
            for (record, id) in batch.iter().zip(ids) {
                match there.contains_key(&id) || !seen.insert(id) {
                    true => known += 1,
                    false => new.push(record.clone()),
                }
            }
        }
        Ok((new, known))
    }

    /// Embeds and writes a batch.
    pub(super) async fn write(&self, records: Vec<Record>) -> Result<(), ServeError> {
        if records.is_empty() {
            return Ok(());
        }
        let vectors = self.vectors(&records).await?;
        let points = records.iter().zip(vectors).map(|(record, vector)| record.point(vector));
        let change = Change::Upsert(points.collect());
        Ok(self.node.knowledge()?.change(&self.collection, change).await?)
    }

    async fn vectors(&self, records: &[Record]) -> Result<Vec<Vec<f32>>, ServeError> {
        let Some(embedder) = self.embedder() else {
            return Ok(vec![self.blank(); records.len()]);
        };
        let text = |record: &Record| embedded(&record.fix.message, &record.fix.before);
        let inputs = records.iter().map(|record| Input::Text(text(record))).collect();
        Ok(embed(&self.node, Some(embedder), EmbedTask { inputs }).await?.vectors)
    }

    /// A vector that says nothing.
    pub(super) fn blank(&self) -> Vec<f32> {
        let mut vector = vec![0.0; self.dimension as usize];
        vector.first_mut().into_iter().for_each(|value| *value = 1.0);
        vector
    }

    async fn upsert(&self, record: &Record, vector: Vec<f32>) -> Result<(), ServeError> {
        let change = Change::Upsert(vec![record.point(vector)]);
        Ok(self.node.knowledge()?.change(&self.collection, change).await?)
    }

    async fn remove(&self, ids: Vec<PointId>) -> Result<(), ServeError> {
        Ok(self.node.knowledge()?.change(&self.collection, Change::Remove(ids)).await?)
    }

    async fn count(&self) -> Result<u64, ServeError> {
        let collections = self.node.knowledge()?.collections().await?;
        let own = collections.iter().find(|collection| collection.name == self.collection);
        Ok(own.map_or(0, |collection| collection.points))
    }

    /// Forgets what is least useful if `count` more would be too many.
    async fn make_room(&self, count: u64) -> Result<(), ServeError> {
        if self.count().await? + count <= self.fixes_max as u64 {
            return Ok(());
        }
        let gone = least_useful(self.all().await?, self.fixes_max.div_ceil(EVICTED_ONE_IN));
        let ids: Vec<_> = gone.iter().map(|record| id(&record.fix)).collect();
        match ids.is_empty() {
            true => Ok(()),
            false => self.remove(ids).await,
        }
    }
}

impl Record {
    fn count(&mut self, helped: bool) {
        self.fix.used = self.fix.used.saturating_add(1);
        self.fix.helped = self.fix.helped.saturating_add(u32::from(helped));
    }
}

impl Imported {
    fn refuse(&mut self, place: usize, reason: String) {
        self.refused_count += 1;
        if self.refused.len() < REFUSED_TOLD {
            self.refused.push(NotTaken { place, reason });
        }
    }
}

fn invalid(field: &str, what: &str) -> ServeError {
    ServeError::Invalid {
        message: format!("the fix's `{field}` {what}"),
        param: Some(field.into()),
    }
}
