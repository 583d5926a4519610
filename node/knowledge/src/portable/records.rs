//! A file's points, judged one by one.

use std::path::Path;

use gaia_archive::jsonl::{Reader, Summary};
use gaia_core::KnowledgeError;
use gaia_core::knowledge::{Point, PointId};
use serde_json::Value;

use super::{Header, KIND, Phase, Record, Step, VERSION, Watch, failed, limits, unreadable};

/// Points between two reports of how far it is.
const TELL_EVERY: u64 = 1000;

/// Bytes of lines after which no more points are taken at once; parsed, they may have many times that.
const TAKE_BYTES: u64 = 8 << 20;

/// Reads points, and holds each to the header and to the one before.
pub(super) struct Records {
    reader: Reader,
    dimension: u32,
    last: Option<PointId>,
    count: u64,
}

/// What is known of a file that was read to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub header: Header,
    pub summary: Summary,
    /// Points without a vector.
    pub bare: u64,
}

impl Records {
    pub(super) fn open(file: &Path, bytes_max: u64) -> Result<(Self, Header), KnowledgeError> {
        let opened = Reader::open::<Value>(file, limits(bytes_max));
        let (reader, header) = opened.map_err(failed)?;
        let header = parse(header)?;
        let dimension = header.spec.dimension;
        Ok((Self { reader, dimension, last: None, count: 0 }, header))
    }

    /// The next point; `None` when the file has ended well.
    pub(super) fn next(&mut self) -> Result<Option<Point>, KnowledgeError> {
        let Some(record) = self.reader.next::<Record>().map_err(failed)? else { return Ok(None) };
        self.count += 1;
        let point = record.point(self.dimension, self.last);
        let point = point.map_err(|why| unreadable(&format!("record {}: {why}", self.count)))?;
        self.last = Some(point.id);
        Ok(Some(point))
    }

    /// Up to so many points, fewer where they are large; none when the file has ended well.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<Point>, KnowledgeError> {
        let bytes_max = self.reader.bytes() + TAKE_BYTES;
        let mut points = vec![];
        while points.len() < count
            && self.reader.bytes() < bytes_max
            && let Some(point) = self.next()?
        {
            points.push(point);
        }
        Ok(points)
    }

    /// What was read; known after the last point.
    pub(super) fn summary(&self) -> Option<&Summary> {
        self.reader.summary()
    }
}

/// Reads a whole file and keeps nothing of it.
pub(super) fn judge(file: &Path, bytes_max: u64, watch: &Watch) -> Result<Judged, KnowledgeError> {
    let (mut records, header) = Records::open(file, bytes_max)?;
    let mut bare = 0;
    while let Some(point) = records.next()? {
        bare += u64::from(point.vector.is_empty());
        if records.count.is_multiple_of(TELL_EVERY) {
            let of = Some(header.points.max(records.count));
            watch(Step { phase: Phase::Checking, points: records.count, of });
        }
    }
    let summary = records.summary().cloned().ok_or_else(|| unreadable("it has no end"))?;
    Ok(Judged { header, summary, bare })
}

/// The kind and version are looked at first: another version may have other fields.
fn parse(header: Value) -> Result<Header, KnowledgeError> {
    if header["kind"] != KIND {
        return Err(unreadable("it holds no knowledge base"));
    }
    if header["version"] != VERSION {
        let version = &header["version"];
        let why = format!("it has version {version}, and this node reads version {VERSION}");
        return Err(unreadable(&why));
    }
    serde_json::from_value(header).map_err(|error| unreadable(&format!("its header: {error}")))
}

#[cfg(test)]
mod tests {
    use gaia_archive::jsonl::Writer;
    use gaia_core::knowledge::CollectionSpec;
    use serde_json::json;

    use super::*;

    #[test]
    fn of_large_points_fewer_are_taken_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        let spec = CollectionSpec { dimension: 1, ..CollectionSpec::default() };
        let header = Header {
            kind: KIND.into(),
            version: VERSION,
            collection: "c".into(),
            points: 10,
            spec,
        };
        let mut writer = Writer::create(&file, &header, limits(1 << 30)).expect("made");
        for id in 0..10 {
            let payload = json!({"source": "a".repeat(3 << 20)});
            let payload = payload.as_object().cloned().expect("an object");
            let record = Record { id: id.to_string(), vector: vec![1.0], payload };
            writer.write(&record).expect("written");
        }
        writer.finish().expect("whole");
        let (mut records, _) = Records::open(&file, 1 << 30).expect("open");
        let mut sizes = vec![];
        loop {
            match records.take(2 + sizes.len()).expect("read").len() {
                0 => break,
                size => sizes.push(size),
            }
        }
        assert_eq!(sizes, [2, 3, 3, 2]);
        assert_eq!(records.summary().map(|summary| summary.records), Some(10));
    }
}
