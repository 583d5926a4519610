//! The memory of fixes over a knowledge base.
//!
//! Each fix is a point of one collection: its text is embedded, and all that is known of it stands in
//! its payload. Whoever counts or writes reads the point first, so changes come one after another: the
//! host has one task for them. Reading needs no turn.
//!
//! Invariants: the same fix twice is one point; a fix that is not trusted is shown to nobody but its
//! owner until it has helped twice; what a stranger says of himself (ids, numbers, trust) is not taken
//! over; without an embedding model fixes are found by code, message and words.

mod change;
mod open;
mod rank;
mod record;
mod search;
mod shape;
#[cfg(test)]
mod tests;

pub use self::change::{Imported, NotTaken};
pub use self::record::{FixLine, TEXT_BYTES_MAX};

use std::collections::HashMap;

use super::Fix;
use crate::knowledge::{Filter, PointId, Scan};
use crate::{Node, ServeError};
use record::Record;

/// Fixes of a page while all are read.
const PAGE: usize = 500;

/// Helped so often, a fix is everyone's.
const PROVEN_BY: u32 = 2;

/// The origin of fixes that came with the node.
pub const SEED: &str = "seed";

/// Begins the names of the collections that hold fixes.
const COLLECTION_PREFIX: &str = "fixes_";

/// Digits at the end of such a name.
const COLLECTION_DIGITS: usize = 12;

/// Who asks the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The name of the key; empty where the node asks for none.
    pub owner: String,
    /// Whether fixes of this key help everyone at once.
    pub trusted: bool,
}

/// What a memory is opened with.
#[derive(Clone, Debug)]
pub struct FixSettings {
    /// Tells this memory from others in the same knowledge base; letters a-z and digits.
    pub name: String,
    /// Fixes at most; beyond, the least useful go.
    pub fixes_max: usize,
    /// Fixes that it has from the beginning.
    pub seeds: Vec<Fix>,
}

/// The fixes that a node remembers.
#[derive(Clone)]
pub struct FixStore {
    /// With the whole knowledge base.
    node: Node,
    collection: String,
    /// The embedding model; without one, vectors say nothing.
    embedder: Option<String>,
    dimension: u32,
    fixes_max: usize,
}

/// Some fixes, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FixPage {
    /// The fixes.
    pub fixes: Vec<Fix>,
    /// The id with which the next page begins; nothing after the last one.
    pub next: Option<String>,
}

/// Whether a collection of that name holds fixes: it is reached as a memory alone.
#[must_use]
pub fn is_memory_name(name: &str) -> bool {
    let rest = name.strip_prefix(COLLECTION_PREFIX).and_then(|rest| rest.rsplit_once('_'));
    rest.is_some_and(|(_, digits)| {
        digits.len() == COLLECTION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

impl FixStore {
    /// The embedding model by which fixes are found; none: by code, message and words alone.
    #[must_use]
    pub fn embedder(&self) -> Option<&str> {
        self.embedder.as_deref()
    }

    /// The fixes that `asker` may see, or all, page by page. Who else brought one is told to nobody who
    /// does not see all.
    ///
    /// # Errors
    /// `after` is no id; the knowledge base's own.
    pub async fn list(
        &self,
        asker: Option<&Asker>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<FixPage, ServeError> {
        let scan = Scan {
            collection: self.collection.clone(),
            filter: Some(asker.map_or_else(any_fix, shown_to)),
            after: after.map(point_id).transpose()?,
            limit: limit.clamp(1, PAGE),
            with_vectors: false,
        };
        let page = self.node.knowledge()?.scan(scan).await?;
        let shown = |record: Record| record.without_name(asker);
        let fixes = page.points.iter().filter_map(Record::read).map(shown).collect();
        Ok(FixPage { fixes, next: page.next.map(|id| id.to_string()) })
    }

    /// All that is known, fix by fix; a limited number.
    async fn all(&self) -> Result<Vec<Record>, ServeError> {
        let (mut all, mut after) = (vec![], None);
        loop {
            let scan = Scan {
                collection: self.collection.clone(),
                filter: Some(any_fix()),
                after,
                limit: PAGE,
                with_vectors: false,
            };
            let page = self.node.knowledge()?.scan(scan).await?;
            all.extend(page.points.iter().filter_map(Record::read));
            match page.next {
                Some(next) if all.len() <= 2 * self.fixes_max => after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// Those of these ids that are there, with their vectors.
    async fn find(
        &self,
        ids: Vec<PointId>,
    ) -> Result<HashMap<PointId, (Record, Vec<f32>)>, ServeError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let scan = Scan {
            collection: self.collection.clone(),
            limit: ids.len(),
            filter: Some(Filter::Ids(ids)),
            with_vectors: true,
            ..Scan::default()
        };
        let page = self.node.knowledge()?.scan(scan).await?;
        let found = page.points.into_iter().filter_map(|point| {
            let record = Record::read(&point)?;
            Some((point.id, (record, point.vector)))
        });
        Ok(found.collect())
    }
}

/// The points that are fixes.
fn any_fix() -> Filter {
    Filter::Any(vec![flag("trusted", true), flag("trusted", false)])
}

/// Fixes that are trusted, have proven themselves, or are the asker's own.
fn shown_to(asker: &Asker) -> Filter {
    let proven = crate::knowledge::Bounds {
        gte: Some(f64::from(PROVEN_BY)),
        ..crate::knowledge::Bounds::default()
    };
    let helped = Filter::Field {
        path: "helped".into(),
        comparison: crate::knowledge::Comparison::Range(proven),
    };
    Filter::Any(vec![flag("trusted", true), helped, Filter::text("owner", &asker.owner)])
}

fn flag(path: &str, value: bool) -> Filter {
    let comparison = crate::knowledge::Comparison::Bool(value);
    Filter::Field { path: path.to_owned(), comparison }
}

fn point_id(text: &str) -> Result<PointId, ServeError> {
    text.parse().map_err(|_| ServeError::Invalid {
        message: format!("{text:?} is no id of a fix: give one from the list of fixes"),
        param: Some("id".into()),
    })
}
