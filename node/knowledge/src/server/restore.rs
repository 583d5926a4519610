//! Snapshots taken over: sent to the server, verified there, then given the collection's name.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Collection, CollectionSpec, Restore, check_name};
use qdrant_client::qdrant::{
    self as wire, CountPoints, QueryPoints, RetrievedPoint, ScrollPoints, VectorInput, query,
};
use tonic::Code;

use super::client::Effort;
use super::collections::{done, drop_quietly, index_documents};
use super::failure::Failure;
use super::plain::{Making, Plain};
use super::rest::UPLOADED;
use super::spec::Found;
use super::{Inner, plain, snapshot, spec, switch};

/// What a restore left behind is deleted by a later one after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Bytes of a tar archive's first header.
const HEADER_BYTES: usize = 512;

/// What to do with a snapshot that a new Qdrant can't read.
const ROCKSDB: &str = "Qdrant 1.15 and earlier could write snapshots in the RocksDB format, which \
    Qdrant 1.18 and later no longer read: restore it on Qdrant 1.17, which converts it, and make a new \
    snapshot there";

/// Replaces a collection by a snapshot, at once or not at all.
pub(super) async fn restore(
    inner: &Inner,
    restore: &Restore,
) -> Result<Collection, KnowledgeError> {
    let name = &restore.collection;
    check_name(name)?;
    let _permit = inner.restoring.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
    let rest = snapshot::rest(inner)?;
    let plain = plain(&restore.file, &inner.making).await?;
    sweep(inner, name).await?;
    let side = format!("{name}@{}", stamp());
    let sent = rest.upload(&side, &plain.path()).await;
    drop(plain);
    // What was sent stays beside the collection made from it, unless somebody deletes it.
    snapshot::delete(inner, &side, UPLOADED).await;
    let verified = match sent {
        Ok(()) => take(inner, restore, &side).await,
        Err(failure) => Err(refused(failure)),
    };
    if let Err(error) = verified {
        drop_quietly(inner, &side).await;
        return Err(advised(error));
    }
    switch::switch(inner, name, &side).await?;
    Ok(inner.catalog.find_anew(name).await?.collection.clone())
}

/// Deletes what earlier restores to that name left behind.
pub(super) async fn sweep(inner: &Inner, name: &str) -> Result<(), Failure> {
    switch::sweep(inner, name, &stamp_before(LEFT_BEHIND)).await
}

/// Verifies the new collection, and notes what it is.
async fn take(inner: &Inner, restore: &Restore, side: &str) -> Result<(), KnowledgeError> {
    let found = inner.catalog.describe(side).await?;
    let found = found.map_err(|why| unreadable(format!("the snapshot can't be used: {why}")))?;
    check_dimension(&found.spec, restore.dimension)?;
    verify(inner, side, &found).await?;
    if !found.indexes_documents {
        index_documents(&inner.client, side).await?;
    }
    let embedder = restore.embedder.clone().or(found.spec.embedder.clone());
    describe(inner, side, &CollectionSpec { embedder, ..found.spec }).await
}

fn check_dimension(spec: &CollectionSpec, wanted: Option<u32>) -> Result<(), KnowledgeError> {
    match wanted {
        Some(wanted) if wanted != spec.dimension => Err(unreadable(format!(
            "the snapshot has vectors of {} values, and {wanted} are wanted: give the embedding model \
             that it was made with",
            spec.dimension
        ))),
        _ => Ok(()),
    }
}

/// A point of it is found by its own vector, and it has as many as it lists.
async fn verify(inner: &Inner, side: &str, found: &Found) -> Result<(), KnowledgeError> {
    let count = count(inner, side).await?;
    let Some(one) = one(inner, side).await? else {
        if count == 0 {
            return Ok(());
        }
        return Err(unreadable(format!("the snapshot should have {count} points and shows none")));
    };
    let point =
        super::convert::point(one, found.vector.as_deref()).map_err(KnowledgeError::from)?;
    let dimension = found.spec.dimension as usize;
    if count == 0 || (!point.vector.is_empty() && point.vector.len() != dimension) {
        return Err(unreadable("the snapshot's points are not what it says of them".into()));
    }
    if point.vector.is_empty() || probe(inner, side, (found, point.vector)).await? {
        return Ok(());
    }
    Err(unreadable("no point of the snapshot is found by its own vector".into()))
}

/// The points of a collection, each counted once.
pub(super) async fn count(inner: &Inner, side: &str) -> Result<u64, Failure> {
    let request = CountPoints {
        collection_name: side.to_owned(),
        exact: Some(true),
        ..CountPoints::default()
    };
    let ask = || {
        let (mut points, request) = (inner.client.points(), request.clone());
        async move { points.count(request).await }
    };
    let answer = inner.client.call(Effort::Read, ask).await?;
    Ok(answer.result.ok_or_else(|| Failure::broken("it counts nothing"))?.count)
}

async fn one(inner: &Inner, side: &str) -> Result<Option<RetrievedPoint>, Failure> {
    let all = wire::with_vectors_selector::SelectorOptions::Enable(true);
    let request = ScrollPoints {
        collection_name: side.to_owned(),
        limit: Some(1),
        with_vectors: Some(wire::WithVectorsSelector { selector_options: Some(all) }),
        ..ScrollPoints::default()
    };
    let ask = || {
        let (mut points, request) = (inner.client.points(), request.clone());
        async move { points.scroll(request).await }
    };
    Ok(inner.client.call(Effort::Read, ask).await?.result.into_iter().next())
}

async fn probe(
    inner: &Inner,
    side: &str,
    (found, data): (&Found, Vec<f32>),
) -> Result<bool, Failure> {
    let dense = wire::vector_input::Variant::Dense(wire::DenseVector { data });
    let variant = query::Variant::Nearest(VectorInput { variant: Some(dense) });
    let request = QueryPoints {
        collection_name: side.to_owned(),
        query: Some(wire::Query { variant: Some(variant) }),
        using: found.vector.clone(),
        limit: Some(1),
        ..QueryPoints::default()
    };
    let ask = || {
        let (mut points, request) = (inner.client.points(), request.clone());
        async move { points.query(request).await }
    };
    let found = inner.client.call(Effort::Read, ask).await?.result;
    Ok(found.first().is_some_and(|point| point.score.is_finite()))
}

/// Notes what a collection is, and that it was verified.
pub(super) async fn describe(
    inner: &Inner,
    side: &str,
    spec: &CollectionSpec,
) -> Result<(), KnowledgeError> {
    if !inner.has_metadata {
        tracing::warn!(
            collection = side,
            embedder = spec.embedder,
            "the Qdrant server is older than 1.16 and does not remember the collection's embedder"
        );
        return Ok(());
    }
    let request = spec::describe(side, spec);
    let ask = || {
        let (mut collections, request) = (inner.client.collections(), request.clone());
        async move { collections.update(request).await }
    };
    Ok(inner.client.call(Effort::Write, ask).await.and_then(done)?)
}

/// The snapshot as a server takes it; a file that does not even look like one is not sent.
async fn plain(path: &Path, making: &Making) -> Result<Plain, KnowledgeError> {
    let header = header(path)?;
    if plain::is_compressed(&header) {
        return making.make_plain(path).await;
    }
    if header.len() < HEADER_BYTES || header[257..262] != *b"ustar" {
        let path = path.display();
        let what = "this is no snapshot of Qdrant's: it is no tar archive";
        return Err(unreadable(format!("{path}: {what}")));
    }
    Ok(Plain::AsItIs(path.to_owned()))
}

/// The first bytes of a file.
fn header(path: &Path) -> Result<Vec<u8>, KnowledgeError> {
    let failed = |what: &str| unreadable(format!("{}: {what}", path.display()));
    let metadata = path.metadata().map_err(|error| failed(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("this is no file"));
    }
    let file = File::open(path).map_err(|error| failed(&error.to_string()))?;
    let mut header = vec![];
    let read = file.take(HEADER_BYTES as u64).read_to_end(&mut header);
    read.map(|_| header).map_err(|error| failed(&error.to_string()))
}

fn refused(failure: Failure) -> KnowledgeError {
    match failure.code {
        Code::InvalidArgument | Code::NotFound => {
            unreadable(format!("the Qdrant server refuses the snapshot: {}", failure.message))
        }
        _ => failure.into(),
    }
}

/// Says what to do where the server met a format that it no longer reads; it may do so when it unpacks
/// a snapshot or only when it reads from it.
fn advised(error: KnowledgeError) -> KnowledgeError {
    let message = error.to_string();
    if message.to_lowercase().contains("rocksdb") {
        return unreadable(format!("{message}. {ROCKSDB}"));
    }
    error
}

fn unreadable(message: String) -> KnowledgeError {
    KnowledgeError::Unreadable { message }
}

/// A part of a name that no other has: the time, as digits that sort by it.
pub(super) fn stamp() -> String {
    stamp_before(Duration::ZERO)
}

fn stamp_before(age: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:016x}", now.saturating_sub(age).as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_are_no_snapshots_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.snapshot");
        let making = Making { limits: crate::SnapshotLimits { bytes_max: 1 << 20 }, folder: None };
        let plain = async |path: &Path| plain(path, &making).await;
        assert!(plain(&path).await.is_err());
        assert!(plain(folder.path()).await.is_err());
        for bytes in [&b""[..], b"x", &[0; 2000], &[0x1f, 0x8b, 8, 0]] {
            std::fs::write(&path, bytes).expect("a file");
            assert!(plain(&path).await.is_err(), "{} bytes", bytes.len());
        }
        let mut tar = [0; 1024];
        tar[257..262].copy_from_slice(b"ustar");
        std::fs::write(&path, tar).expect("a file");
        assert_eq!(plain(&path).await.map(|plain| plain.path()), Ok(path));
    }

    #[test]
    fn an_old_format_is_named_with_what_to_do() {
        let failure = Failure::new(Code::InvalidArgument, "RocksDB is not supported");
        let message = advised(refused(failure)).to_string();
        assert!(message.contains("1.17") && message.contains("not supported"), "{message}");
        let late = Failure::new(Code::Internal, "shard failed: Index is RocksDB but");
        assert!(matches!(advised(late.into()), KnowledgeError::Unreadable { .. }));
        let full = Failure::new(Code::Unavailable, "500: No space left on device");
        assert_eq!(refused(full), KnowledgeError::DiskFull);
    }

    #[test]
    fn stamps_sort_by_their_time() {
        let (old, new) = (stamp_before(Duration::from_secs(60)), stamp());
        assert!(old < new, "{old} {new}");
    }
}
