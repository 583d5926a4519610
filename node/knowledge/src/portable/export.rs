//! A collection written to a file.

use std::path::Path;

use gaia_archive::jsonl::{Summary, Writer};
use gaia_core::knowledge::{Collection, Point, PointId, Scan, find};
use gaia_core::{Knowledge, KnowledgeError};

use super::{Header, KIND, Phase, Record, Step, VERSION, Watch, blocking, failed, limits};

/// Points that are read and written at once.
const PAGE: usize = 256;

/// Writes all points of a collection to a new file, of at most so many bytes before compression; it
/// stands at its path when it is whole. Points that come or go meanwhile may be in it or not.
///
/// # Errors
/// There is no such collection, or another took its place meanwhile; it is too large; the disk is full.
pub async fn export(
    knowledge: &dyn Knowledge,
    collection: &str,
    (file, bytes_max): (&Path, u64),
    watch: &Watch,
) -> Result<Summary, KnowledgeError> {
    let collection = find(knowledge, collection).await?;
    let (path, header) = (file.to_owned(), header(&collection));
    let create = move || Writer::create(&path, &header, limits(bytes_max)).map_err(failed);
    let mut writer = blocking(create).await?;
    let mut scan = Scan {
        collection: collection.name.clone(),
        limit: PAGE,
        with_vectors: true,
        ..Scan::default()
    };
    let (mut last, mut done) = (None, 0);
    loop {
        let page = knowledge.scan(scan.clone()).await?;
        check(&page.points, &collection, last)?;
        last = page.points.last().map(|point| point.id).or(last);
        done += page.points.len() as u64;
        writer = blocking(move || write(writer, page.points)).await?;
        watch(Step { phase: Phase::Writing, points: done, of: Some(collection.points) });
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return blocking(move || writer.finish().map_err(failed)).await,
        }
    }
}

fn header(collection: &Collection) -> Header {
    Header {
        kind: KIND.into(),
        version: VERSION,
        collection: collection.name.clone(),
        points: collection.points,
        spec: collection.spec.clone(),
    }
}

/// A page must be of the collection that was described, behind the page before.
fn check(
    points: &[Point],
    collection: &Collection,
    last: Option<PointId>,
) -> Result<(), KnowledgeError> {
    let dimension = collection.spec.dimension as usize;
    let ids = last.into_iter().chain(points.iter().map(|point| point.id));
    let fits = |point: &Point| point.vector.is_empty() || point.vector.len() == dimension;
    if ids.is_sorted_by(|one, next| one < next) && points.iter().all(fits) {
        return Ok(());
    }
    let name = &collection.name;
    let message = format!("the collection `{name}` was exchanged while it was exported: try again");
    Err(KnowledgeError::Unavailable { message })
}

fn write(mut writer: Writer, points: Vec<Point>) -> Result<Writer, KnowledgeError> {
    for point in points {
        writer.write(&Record::from(point)).map_err(|error| match failed(error) {
            KnowledgeError::Unreadable { message } => KnowledgeError::Invalid { message },
            other => other,
        })?;
    }
    Ok(writer)
}
