//! Use case: bring a document into a collection, so that it stands there once and as it is now.

use std::collections::{HashMap, HashSet};

use gaia_protocol::{EmbedTask, Input};
use serde_json::{Map, Value};

use super::retrieve::check_dimension;
use super::{Change, Collection, Filter, Knowledge, PAYLOAD_TEXT, Point, PointId, Scan, find};
use crate::{Node, ServeError, embed};

/// Texts that are embedded and written at once: enough to fill the model's batch, few enough that a
/// kill loses little.
const BATCH: usize = 32;

/// Points of a page of what is there already.
const PAGE: usize = 1000;

/// Chunks of one document at most.
const CHUNKS_MAX: usize = 100_000;

/// A document that is brought in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Its name, such as its path; a document of the same name is replaced.
    pub name: String,
    /// A hash of its whole content: the same hash is the same document.
    pub hash: String,
    /// What else is known of it; searches can filter by `attributes.NAME`.
    pub attributes: Map<String, Value>,
    /// Its parts.
    pub chunks: Vec<Chunk>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its point's name, derived from the document's name and its text.
    pub id: PointId,
    /// Its text.
    pub text: String,
    /// The headings it stands under, outermost first.
    pub headings: Vec<String>,
    /// Where in the document it is, for people: `lines 3-9`, `page 4`.
    pub place: Option<String>,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Chunks that were embedded and written.
    pub written: usize,
    /// Chunks that were there already.
    pub kept: usize,
    /// Old chunks that were removed.
    pub removed: usize,
    /// Tokens that were embedded.
    pub tokens: u64,
}

/// Brings a document in: writes what is new, removes what is gone. Whatever moment it is cut off at,
/// running it again ends in the same state. `progress` hears how many of its chunks are done.
///
/// # Errors
/// As [`embed`] and the knowledge base's own.
pub async fn ingest(
    node: &Node,
    collection: &str,
    source: Source,
    mut progress: impl FnMut(usize),
) -> Result<Ingested, ServeError> {
    let knowledge = node.knowledge()?;
    check(&source)?;
    let collection = &find(knowledge, collection).await?;
    let old = points_of(knowledge, &collection.name, &source.name).await?;
    let (kept, new) = split(&source, &old);
    progress(kept.len());
    let (mut done, mut tokens) = (kept.len(), 0);
    for batch in new.chunks(BATCH) {
        let (points, count) = vectors(node, collection, &source, batch).await?;
        tokens += count;
        knowledge.change(&collection.name, Change::Upsert(points)).await?;
        done += batch.len();
        progress(done);
    }
    let wanted: HashSet<_> = source.chunks.iter().map(|chunk| chunk.id).collect();
    let gone: Vec<_> = old.into_keys().filter(|id| !wanted.contains(id)).collect();
    let removed = gone.len();
    if removed > 0 {
        knowledge.change(&collection.name, Change::Remove(gone)).await?;
    }
    Ok(Ingested { written: new.len(), kept: kept.len(), removed, tokens })
}

/// Removes a document; returns how many chunks it had.
///
/// # Errors
/// The knowledge base's own.
pub async fn remove_source(node: &Node, collection: &str, name: &str) -> Result<usize, ServeError> {
    let knowledge = node.knowledge()?;
    let old = points_of(knowledge, collection, name).await?;
    let ids: Vec<_> = old.into_keys().collect();
    let removed = ids.len();
    if removed > 0 {
        knowledge.change(collection, Change::Remove(ids)).await?;
    }
    Ok(removed)
}

fn check(source: &Source) -> Result<(), ServeError> {
    let message = match source {
        Source { name, .. } if name.is_empty() || name.len() > 1024 => {
            "a document's name has 1 to 1024 bytes".to_owned()
        }
        Source { chunks, .. } if chunks.len() > CHUNKS_MAX => {
            format!("{}: {} chunks are more than {CHUNKS_MAX}", source.name, chunks.len())
        }
        _ => return Ok(()),
    };
    Err(ServeError::Invalid { message, param: Some("document".into()) })
}

/// The ids of a document's points, and the hash of the document each was written for.
async fn points_of(
    knowledge: &dyn Knowledge,
    collection: &str,
    document: &str,
) -> Result<HashMap<PointId, String>, ServeError> {
    let mut scan = Scan {
        collection: collection.to_owned(),
        filter: Some(Filter::text("document", document)),
        limit: PAGE,
        ..Scan::default()
    };
    let mut points = HashMap::new();
    loop {
        let page = knowledge.scan(scan.clone()).await?;
        let hash = |point: &Point| {
            let hash = point.payload.get("document_hash").and_then(Value::as_str);
            hash.unwrap_or_default().to_owned()
        };
        points.extend(page.points.iter().map(|point| (point.id, hash(point))));
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return Ok(points),
        }
    }
}

/// The chunks that stand there for this very document, and the others; each id once.
fn split<'a>(
    source: &'a Source,
    old: &HashMap<PointId, String>,
) -> (Vec<&'a Chunk>, Vec<(usize, &'a Chunk)>) {
    let mut seen = HashSet::new();
    let (mut kept, mut new) = (vec![], vec![]);
    for (ordinal, chunk) in source.chunks.iter().enumerate() {
        if !seen.insert(chunk.id) {
            continue;
        }
        match old.get(&chunk.id) {
            Some(hash) if *hash == source.hash => kept.push(chunk),
            _ => new.push((ordinal, chunk)),
        }
    }
    (kept, new)
}

/// The points of some chunks, and how many tokens they took.
async fn vectors(
    node: &Node,
    collection: &Collection,
    source: &Source,
    batch: &[(usize, &Chunk)],
) -> Result<(Vec<Point>, u64), ServeError> {
    let prefix = collection.spec.text_prefix.as_deref().unwrap_or_default();
    let inputs =
        batch.iter().map(|(_, chunk)| Input::Text(format!("{prefix}{}", chunk.embedded())));
    let task = EmbedTask { inputs: inputs.collect() };
    let embeddings = embed(node, collection.spec.embedder.as_deref(), task).await?;
    check_dimension(collection, embeddings.vectors.first().map_or(0, Vec::len))?;
    let points = batch.iter().zip(embeddings.vectors);
    let point = |(&(ordinal, chunk), vector): (&(usize, &Chunk), _)| Point {
        id: chunk.id,
        vector,
        payload: payload(source, ordinal, chunk),
    };
    Ok((points.map(point).collect(), u64::from(embeddings.usage.prompt_tokens)))
}

impl Chunk {
    /// What is embedded: the headings give the text its context.
    #[must_use]
    pub fn embedded(&self) -> String {
        match self.headings.is_empty() {
            true => self.text.clone(),
            false => format!("{}\n{}", self.headings.join(" › "), self.text),
        }
    }
}

fn payload(source: &Source, ordinal: usize, chunk: &Chunk) -> Map<String, Value> {
    let mut payload = Map::new();
    payload.insert(PAYLOAD_TEXT.into(), chunk.text.clone().into());
    payload.insert("document".into(), source.name.clone().into());
    payload.insert("document_hash".into(), source.hash.clone().into());
    payload.insert("ordinal".into(), ordinal.into());
    if !chunk.headings.is_empty() {
        payload.insert("heading".into(), chunk.headings.join(" › ").into());
    }
    if let Some(place) = &chunk.place {
        payload.insert("place".into(), place.clone().into());
    }
    if !source.attributes.is_empty() {
        payload.insert("attributes".into(), Value::Object(source.attributes.clone()));
    }
    payload
}
