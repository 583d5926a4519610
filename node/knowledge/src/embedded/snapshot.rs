//! Qdrant's snapshots, in and out.
//!
//! A collection's snapshot is a tar with `config.json`, and per shard a folder (`0/`) with `segments`,
//! each a tar of its own or a folder; a shard's snapshot is what stands in such a folder. Taking one over
//! reads all its points and writes them anew: nothing of a foreign archive is opened twice, several
//! shards become one, and texts get their keywords.

mod layout;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gaia_archive::{Limits, UnpackError, Unpacked, Watch, unpack};
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{By, CollectionSpec, Distance, PAYLOAD_TEXT, Point, Restore, Scan};
use serde_json::Value;

pub use self::write::write;
use super::convert;
use super::engine::Engine;
use super::room;
use super::shard::{Shard, weight};
use super::shelf::{Draft, Manifest, Shelf, failed, is_storage_full};
use super::words::Words;

/// Points that are read at once: a snapshot may hold large ones, and 4 MiB each is what a server takes.
const PAGE: usize = 32;

/// Points that are written at once, and bytes by which they are enough: each write is flushed.
const BATCH: usize = 512;
const BATCH_BYTES: u64 = 32 << 20;

/// Points that are looked at to learn how long texts are and where they stand.
const SAMPLE: usize = 2000;

/// Files of a snapshot at most, and how long their names may be.
const FILES_MAX: u64 = 1_000_000;
const PATH_BYTES_MAX: usize = 4096;

/// Times that a snapshot may grow when it is unpacked: holes compress to nothing.
const RATIO_MAX: u64 = 2000;

/// Where others keep a point's text.
const TEXT_FIELDS: [&str; 5] = ["text", "page_content", "content", "document", "body"];

/// How large a snapshot may be, unpacked.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotLimits {
    /// Bytes of all its files.
    pub bytes_max: u64,
}

/// Reads a snapshot into a new version of the collection in `place` and makes it current.
///
/// # Errors
/// [`KnowledgeError::Unreadable`] says why it can't be taken over; then nothing has changed.
pub fn read(
    restore: &Restore,
    place: &Path,
    limits: SnapshotLimits,
) -> Result<Shelf, KnowledgeError> {
    let draft = Draft::begin(place)?;
    let unpacked = draft.folder().join("unpacked");
    let packed = draft.folder().join("packed");
    let open = open_all(&restore.file, (&unpacked, &packed), limits);
    let foreign = open?;
    let spec = learn(&foreign, restore)?;
    let shard = Shard::create(&draft.shard_folder(), &spec)?;
    let mut points = 0;
    for one in &foreign {
        points += copy(one, &shard)?;
    }
    verify(&shard, points)?;
    drop(foreign);
    shard.index();
    drop(shard);
    fs::remove_dir_all(&unpacked).map_err(failed)?;
    draft.publish(&restore.collection, &Manifest { spec, vector: String::new() })
}

/// A shard as another one wrote it.
struct Foreign {
    shard: Shard,
    distance: Distance,
    dimension: u32,
    metadata: Option<CollectionSpec>,
}

fn open_all(
    file: &Path,
    (into, packed): (&Path, &Path),
    limits: SnapshotLimits,
) -> Result<Vec<Foreign>, KnowledgeError> {
    unpack_tar(file, into, limits)?;
    let metadata = layout::metadata(into);
    let mut all = vec![];
    for folder in layout::shards(into)? {
        let has_rocksdb = layout::unpack_segments(&folder, packed, |tar, into| {
            unpack_tar(tar, into, limits).map(drop)
        })?;
        // Opening writes, and the new version is about as large.
        room::check(&folder, room::taken(&folder)?)?;
        all.push(open(&folder, metadata.clone()).map_err(|error| explain(error, has_rocksdb))?);
    }
    let dimensions: Vec<_> = all.iter().map(|one| (one.dimension, one.distance)).collect();
    if dimensions.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(unreadable("its shards have vectors of different kinds"));
    }
    Ok(all)
}

/// Unpacks what leaves the disk its reserve: the open collections write meanwhile.
///
/// # Errors
/// It is larger than allowed, or no archive; the disk is full. Nothing is left of it.
pub fn unpack_tar(
    file: &Path,
    into: &Path,
    limits: SnapshotLimits,
) -> Result<Unpacked, KnowledgeError> {
    let limits = Limits {
        bytes_max: limits.bytes_max,
        files_max: FILES_MAX,
        path_bytes_max: PATH_BYTES_MAX,
        ratio_max: RATIO_MAX,
    };
    let place = into.parent().unwrap_or(into);
    room::check(place, 0)?;
    let is_full = AtomicBool::new(false);
    let mut look = |_| is_full.store(room::check(place, 0).is_err(), Ordering::Relaxed);
    let watch = Watch { progress: Some(&mut look), cancel: Some(&is_full) };
    unpack(file, into, limits, watch).map_err(|error| match error {
        UnpackError::Cancelled => KnowledgeError::DiskFull,
        UnpackError::File { source, .. } if is_storage_full(&source) => KnowledgeError::DiskFull,
        error => unreadable(&error.to_string()),
    })
}

fn open(folder: &Path, metadata: Option<CollectionSpec>) -> Result<Foreign, KnowledgeError> {
    let (name, dimension, distance) = {
        let engine = Engine::load(folder)?;
        let config = engine.shard().config();
        let mut names: Vec<_> = config.vectors.keys().cloned().collect();
        names.sort();
        let name = names.into_iter().next();
        let name = name.ok_or_else(|| unreadable("it holds no dense vectors"))?;
        let params = &config.vectors[&name];
        (name, params.size, convert::own_distance(params.distance))
    };
    let dimension = u32::try_from(dimension).map_err(|_| unreadable("its vectors are too long"))?;
    let shard = Shard::open(folder, &name, &CollectionSpec::default())?;
    Ok(Foreign { shard, distance, dimension, metadata })
}

/// What the new collection is, if the snapshot is what was asked for.
fn learn(foreign: &[Foreign], restore: &Restore) -> Result<CollectionSpec, KnowledgeError> {
    let first = foreign.first().ok_or_else(|| unreadable("it holds no shard"))?;
    let dimension = first.dimension;
    if let Some(wanted) = restore.dimension.filter(|wanted| *wanted != dimension) {
        return Err(unreadable(&format!(
            "its vectors have {dimension} values, and the embedding model makes {wanted}: serve the \
             model that made them"
        )));
    }
    let spec = first.metadata.clone().unwrap_or_default();
    let words_mean = words_mean(first, &spec)?.or(spec.words_mean);
    Ok(CollectionSpec {
        dimension,
        distance: first.distance,
        embedder: restore.embedder.clone().or(spec.embedder),
        words_mean,
        ..spec
    })
}

/// Words of a text on average, by the first ones.
fn words_mean(foreign: &Foreign, spec: &CollectionSpec) -> Result<Option<f64>, KnowledgeError> {
    let counter = Words::counting(spec)?;
    let mut scan = Scan { limit: PAGE, ..Scan::default() };
    let (mut seen, mut counts) = (0, vec![]);
    loop {
        let page = foreign.shard.scan(&scan)?;
        seen += page.points.len();
        let texts = page.points.into_iter().map(with_text).filter(|point| !point.text().is_empty());
        counts.extend(texts.map(|point| counter.count(&point.payload)));
        scan.after = page.next;
        if scan.after.is_none() || seen >= SAMPLE {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    Ok((!counts.is_empty()).then_some(mean.max(1.0)))
}

/// Copies all points; returns how many.
fn copy(foreign: &Foreign, into: &Shard) -> Result<u64, KnowledgeError> {
    let mut scan = Scan { limit: PAGE, with_vectors: true, ..Scan::default() };
    let (mut points, mut bytes, mut count) = (vec![], 0, 0);
    loop {
        let page = foreign.shard.scan(&scan)?;
        let begin = points.len();
        // A point that never had this vector can't be found by it.
        points.extend(page.points.into_iter().filter(|p| !p.vector.is_empty()).map(with_text));
        bytes += points[begin..].iter().map(weight).sum::<u64>();
        scan.after = page.next;
        let is_last = scan.after.is_none();
        if !points.is_empty() && (is_last || points.len() >= BATCH || bytes >= BATCH_BYTES) {
            into.upsert(&points)?;
            count += points.len() as u64;
            (points, bytes) = (vec![], 0);
        }
        if is_last {
            return Ok(count);
        }
    }
}

/// The same with its text where all of Gaia's knowledge bases have it.
fn with_text(mut point: Point) -> Point {
    if point.payload.get(PAYLOAD_TEXT).is_some_and(Value::is_string) {
        return point;
    }
    let other = TEXT_FIELDS.iter().find_map(|field| point.payload.get(*field)?.as_str());
    if let Some(text) = other.map(str::to_owned) {
        point.payload.insert(PAYLOAD_TEXT.into(), text.into());
    }
    point
}

/// Holds what was written to what was read: as many points, and one is found by its own vector.
fn verify(shard: &Shard, points: u64) -> Result<(), KnowledgeError> {
    let count = shard.count()?;
    if points == 0 || count != points {
        return Err(unreadable(&format!("it holds {points} points, of which {count} can be read")));
    }
    let page = shard.scan(&Scan { limit: 1, with_vectors: true, ..Scan::default() })?;
    let probe = page.points.into_iter().next().ok_or_else(|| unreadable("it lists no point"))?;
    let found = shard.search(&By::Vector(probe.vector), 1, None)?;
    found.first().map(drop).ok_or_else(|| unreadable("a search for its first point finds nothing"))
}

fn explain(error: KnowledgeError, has_rocksdb: bool) -> KnowledgeError {
    let message = error.to_string();
    if has_rocksdb || message.contains("RocksDB") {
        return unreadable(
            "it was written by Qdrant 1.16 or older, which kept points in RocksDB; newer engines \
             can't read that. Restore it in Qdrant 1.17, which reads both, let it optimize the \
             collection, and make a new snapshot there",
        );
    }
    match error {
        KnowledgeError::DiskFull => KnowledgeError::DiskFull,
        _ => unreadable(&message),
    }
}

fn unreadable(why: &str) -> KnowledgeError {
    KnowledgeError::Unreadable { message: format!("the snapshot can't be taken over: {why}") }
}

/// Where a file of the collection stands while it is written.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
