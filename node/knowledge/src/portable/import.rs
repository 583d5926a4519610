//! A file taken over as a collection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use gaia_archive::jsonl::Summary;
use gaia_core::knowledge::{
    Batches, Collection, CollectionSpec, Import, Point, Reply, check_name, embedder,
};
use gaia_core::{KnowledgeError, Node};

use super::embed::{embed, own, values};
use super::records::{Judged, Records, judge};
use super::{Phase, Step, Watch, blocking, unreadable};

/// Points that are written at once; of those that are embedded anew fewer, which is a model's batch.
const BATCH: usize = 256;
const BATCH_ANEW: usize = 32;

/// Whether an import makes new vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Never: the vectors stay, and no embedding model needs to be served.
    Keep,
    /// If the model that is to serve the collection is not the one that made the vectors.
    #[default]
    IfOther,
    /// An import that would need it is refused with what to do.
    RefuseOther,
    /// Always.
    Anew,
}

/// What to take over, and how.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The collection that comes to be.
    pub collection: String,
    /// The file.
    pub file: PathBuf,
    /// Bytes that the file may hold, uncompressed.
    pub bytes_max: u64,
    /// Whether it may take the place of a collection that is there.
    pub replaces: bool,
    /// The embedding model that is to serve it; without one, the file's if it is served, or else the
    /// only one.
    pub embedder: Option<String>,
    /// Whether to make new vectors.
    pub rule: Rule,
    /// What that model wants before a question and before a passage, for new vectors.
    pub query_prefix: Option<String>,
    /// See above.
    pub text_prefix: Option<String>,
}

/// What was taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The collection as it is now.
    pub collection: Collection,
    /// What the file held.
    pub summary: Summary,
    /// Whether its vectors are new.
    pub is_embedded_anew: bool,
}

/// Takes a file over: all of it or nothing. Dropping the future breaks it off.
///
/// # Errors
/// [`KnowledgeError::Unreadable`]: the file is cut, damaged, of another kind, or its points make no
/// sense. [`KnowledgeError::CollectionExists`]. Whatever can go wrong when texts are embedded.
pub async fn import(
    node: &Node,
    options: &ImportOptions,
    watch: Watch,
) -> Result<Imported, KnowledgeError> {
    let knowledge = node.knowledge().map_err(own)?;
    check_name(&options.collection)?;
    check_free(node, options).await?;
    let watch = Arc::new(watch);
    let judged = look(options, &watch).await?;
    let plan = plan(node, options, &judged).await?;
    let is_wanted = Arc::new(());
    let points = Points {
        records: None,
        file: options.file.clone(),
        bytes_max: options.bytes_max,
        model: plan.model.clone().map(|model| (node.clone(), model)),
        spec: plan.spec.clone(),
        summary: judged.summary.clone(),
        done: 0,
        watch,
        is_wanted: Arc::downgrade(&is_wanted),
    };
    let import = Import {
        collection: options.collection.clone(),
        spec: plan.spec,
        replaces: options.replaces,
        points: Box::new(points),
    };
    let collection = knowledge.import(import).await?;
    drop(is_wanted);
    Ok(Imported { collection, summary: judged.summary, is_embedded_anew: plan.model.is_some() })
}

/// Fails early where the engine would fail at the end.
async fn check_free(node: &Node, options: &ImportOptions) -> Result<(), KnowledgeError> {
    let name = &options.collection;
    let collections = node.knowledge().map_err(own)?.collections().await?;
    if !options.replaces && collections.iter().any(|one| one.name == *name) {
        return Err(KnowledgeError::CollectionExists { name: name.clone() });
    }
    Ok(())
}

async fn look(options: &ImportOptions, watch: &Arc<Watch>) -> Result<Judged, KnowledgeError> {
    let (file, bytes_max, watch) = (options.file.clone(), options.bytes_max, Arc::clone(watch));
    blocking(move || judge(&file, bytes_max, &watch)).await
}

/// What the new collection is, and the model that makes its vectors anew.
struct Plan {
    spec: CollectionSpec,
    model: Option<String>,
}

async fn plan(
    node: &Node,
    options: &ImportOptions,
    judged: &Judged,
) -> Result<Plan, KnowledgeError> {
    let spec = judged.header.spec.clone();
    if options.rule == Rule::Keep {
        check_bare(judged)?;
        let embedder = options.embedder.clone().or(spec.embedder);
        return Ok(Plan { spec: CollectionSpec { embedder, ..spec }, model: None });
    }
    let model = choose(node, options, &spec)?;
    let dimension = values(node, &model).await?;
    let is_same = spec.embedder.as_deref().is_none_or(|made_by| made_by == model)
        && spec.dimension == dimension
        && judged.bare == 0;
    if is_same && options.rule != Rule::Anew {
        return Ok(Plan { spec: CollectionSpec { embedder: Some(model), ..spec }, model: None });
    }
    if options.rule == Rule::RefuseOther {
        return Err(unreadable(&format!(
            "its vectors have {} values and were made by {}; `{model}` makes {dimension}: serve the \
             model that made them, or ask for new vectors by `reembed`",
            spec.dimension,
            spec.embedder.as_deref().unwrap_or("a model that it does not name"),
        )));
    }
    let spec = CollectionSpec {
        dimension,
        embedder: Some(model.clone()),
        query_prefix: options.query_prefix.clone(),
        text_prefix: options.text_prefix.clone(),
        ..spec
    };
    Ok(Plan { spec, model: Some(model) })
}

fn check_bare(judged: &Judged) -> Result<(), KnowledgeError> {
    match judged.bare {
        0 => Ok(()),
        bare => {
            Err(unreadable(&format!("{bare} of its points have no vector: they need `reembed`")))
        }
    }
}

/// The model that is to serve the collection.
fn choose(
    node: &Node,
    options: &ImportOptions,
    spec: &CollectionSpec,
) -> Result<String, KnowledgeError> {
    let choose = |name: Option<&str>| embedder(node, name).map_err(own);
    if options.embedder.is_some() {
        return choose(options.embedder.as_deref());
    }
    match spec.embedder.as_deref().map(|made_by| choose(Some(made_by))) {
        Some(Ok(model)) => Ok(model),
        _ => choose(None),
    }
}

/// The points of a file that was judged.
struct Points {
    /// `None` before the first batch.
    records: Option<Records>,
    file: PathBuf,
    bytes_max: u64,
    /// What makes their vectors anew.
    model: Option<(Node, String)>,
    spec: CollectionSpec,
    /// What it held when it was judged.
    summary: Summary,
    done: u64,
    watch: Arc<Watch>,
    /// Gone when nobody waits any more.
    is_wanted: Weak<()>,
}

impl Batches for Points {
    fn next(&mut self) -> Reply<'_, Vec<Point>> {
        Box::pin(async {
            let mut points = self.read().await?;
            if self.is_wanted.strong_count() == 0 {
                return Err(KnowledgeError::unavailable("the import was broken off"));
            }
            if let Some((node, model)) = self.model.as_ref().filter(|_| !points.is_empty()) {
                embed(node, (model, &self.spec), &mut points).await?;
            }
            self.done += points.len() as u64;
            let phase = if self.model.is_some() { Phase::Embedding } else { Phase::Writing };
            (self.watch)(Step { phase, points: self.done, of: Some(self.summary.records) });
            Ok(points)
        })
    }
}

impl Points {
    async fn read(&mut self) -> Result<Vec<Point>, KnowledgeError> {
        let (records, file, bytes_max) = (self.records.take(), self.file.clone(), self.bytes_max);
        let count = if self.model.is_some() { BATCH_ANEW } else { BATCH };
        let (records, points) = blocking(move || take(records, (&file, bytes_max), count)).await?;
        if points.is_empty() && records.summary() != Some(&self.summary) {
            return Err(unreadable("the file changed while it was read"));
        }
        self.records = Some(records);
        Ok(points)
    }
}

fn take(
    records: Option<Records>,
    (file, bytes_max): (&Path, u64),
    count: usize,
) -> Result<(Records, Vec<Point>), KnowledgeError> {
    let mut records = match records {
        Some(records) => records,
        None => Records::open(file, bytes_max)?.0,
    };
    let points = records.take(count)?;
    Ok((records, points))
}
