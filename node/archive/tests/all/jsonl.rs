//! Records that come back whole or not at all.

use std::fs;
use std::path::Path;

use gaia_archive::jsonl::{JsonlError, Limits, Reader, Summary, Writer};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Place;

const LIMITS: Limits = Limits { line_bytes_max: 1000, bytes_max: 100_000 };

fn write(path: &Path, records: &[Value]) -> Result<Summary, JsonlError> {
    let mut writer = Writer::create(path, &json!({"name": "kb"}), LIMITS)?;
    for record in records {
        writer.write(record)?;
    }
    writer.finish()
}

fn read(path: &Path, limits: Limits) -> Result<(Vec<Value>, Summary), JsonlError> {
    let (mut reader, header) = Reader::open::<Value>(path, limits)?;
    assert_eq!(header, json!({"name": "kb"}));
    let mut records = vec![];
    while let Some(record) = reader.next()? {
        records.push(record);
    }
    assert!(reader.next::<Value>()?.is_none());
    Ok((records, reader.summary().unwrap().clone()))
}

fn records() -> Vec<Value> {
    (0..50).map(|n| json!({"id": n, "text": "ä\n".repeat(n)})).collect()
}

/// A file with these lines, whatever they are.
fn read_lines(place: &Place, lines: &str) -> JsonlError {
    let path = place.path("lines");
    fs::write(&path, zstd::encode_all(lines.as_bytes(), 3).unwrap()).unwrap();
    read(&path, LIMITS).unwrap_err()
}

fn lines(path: &Path) -> Vec<String> {
    let text = zstd::decode_all(fs::File::open(path).unwrap()).unwrap();
    String::from_utf8(text).unwrap().lines().map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn other_files_are_refused() {
    let place = Place::new();
    let other = "{\"format\":\"x\",\"version\":1,\"header\":{}}\n{}\n";
    let later = "{\"format\":\"gaia-jsonl\",\"version\":2,\"header\":{}}\n{}\n";
    for text in ["", "{}\n{}\n", other, later, "\u{0}\n{}\n"] {
        let error = read_lines(&place, text);
        assert!(matches!(error, JsonlError::Format), "{text:?}: {error}");
    }
    fs::write(place.path("x"), "not compressed").unwrap();
    let error = read(&place.path("x"), LIMITS).unwrap_err();
    assert!(matches!(error, JsonlError::Damaged { .. }), "{error}");
}

#[test]
fn every_cut_is_noticed() {
    let place = Place::new();
    write(&place.path("whole"), &records()).unwrap();
    let whole = fs::read(place.path("whole")).unwrap();
    for length in 0..whole.len() {
        fs::write(place.path("cut"), &whole[..length]).unwrap();
        assert!(read(&place.path("cut"), LIMITS).is_err(), "{length}");
    }
    let lines = lines(&place.path("whole"));
    for count in 1..lines.len() {
        let error = read_lines(&place, &lines[..count].concat());
        assert!(matches!(error, JsonlError::Cut { .. } | JsonlError::Format), "{count}: {error}");
    }
    let text = lines.concat();
    let error = read_lines(&place, &text[..text.len() - 1]);
    assert!(matches!(error, JsonlError::Cut { .. }), "{error}");
}

#[test]
fn a_lost_changed_or_added_line_is_noticed() {
    let place = Place::new();
    write(&place.path("whole"), &records()).unwrap();
    let whole = lines(&place.path("whole"));
    let mut lost = whole.clone();
    lost.remove(3);
    let mut swapped = whole.clone();
    swapped.swap(2, 3);
    let mut twice = whole.clone();
    twice.push(whole[whole.len() - 1].clone());
    for lines in [lost, swapped, twice] {
        let error = read_lines(&place, &lines.concat());
        assert!(matches!(error, JsonlError::Damaged { .. }), "{error}");
    }
    let mut added = fs::read(place.path("whole")).unwrap();
    added.extend_from_slice(b"garbage");
    fs::write(place.path("added"), added).unwrap();
    assert!(read(&place.path("added"), LIMITS).is_err());
}

#[test]
fn long_lines_and_large_files_are_refused_on_both_sides() {
    let place = Place::new();
    let path = place.path("x");
    let error = write(&path, &[json!("x".repeat(1000))]).unwrap_err();
    assert!(matches!(error, JsonlError::LongLine { line: 2, line_bytes_max: 1000 }), "{error}");
    let error = write(&path, &vec![json!("x".repeat(900)); 200]).unwrap_err();
    assert!(matches!(error, JsonlError::TooLarge { .. }), "{error}");
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 0);
    write(&path, &records()).unwrap();
    let error = read(&path, Limits { line_bytes_max: 100, ..LIMITS }).unwrap_err();
    assert!(matches!(error, JsonlError::LongLine { line_bytes_max: 100, .. }), "{error}");
    let error = read(&path, Limits { bytes_max: 1000, ..LIMITS }).unwrap_err();
    assert!(matches!(error, JsonlError::TooLarge { .. }), "{error}");
    let bomb = zstd::encode_all(&*vec![b'x'; 50 << 20], 3).unwrap();
    fs::write(&path, bomb).unwrap();
    let error = read(&path, LIMITS).unwrap_err();
    assert!(matches!(error, JsonlError::LongLine { line: 1, .. }), "{error}");
}

#[test]
fn a_record_of_another_kind_is_named_by_its_line() {
    let place = Place::new();
    write(&place.path("x"), &[json!(1), json!("two")]).unwrap();
    let (mut reader, _) = Reader::open::<Value>(&place.path("x"), LIMITS).unwrap();
    assert_eq!(reader.next::<u32>().unwrap(), Some(1));
    let error = reader.next::<u32>().unwrap_err();
    assert!(matches!(error, JsonlError::Record { line: 3, .. }), "{error}");
}

#[test]
fn a_record_that_looks_like_a_trailer_is_a_record() {
    let place = Place::new();
    let trailer = json!({"trailer": {"records": 0, "bytes": 0, "sha256": ""}});
    write(&place.path("x"), std::slice::from_ref(&trailer)).unwrap();
    assert_eq!(read(&place.path("x"), LIMITS).unwrap().0, [trailer]);
}

#[test]
fn an_unfinished_file_does_not_exist() {
    let place = Place::new();
    let writer = Writer::create(&place.path("x"), &json!({}), LIMITS).unwrap();
    assert!(!place.path("x").exists());
    let busy = Writer::create(&place.path("x"), &json!({}), LIMITS);
    assert!(matches!(busy, Err(JsonlError::File { .. })));
    drop(writer);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn records_come_back(texts in proptest::collection::vec(".{0,50}", 0..20)) {
        let place = Place::new();
        let records: Vec<_> = texts.iter().map(|text| json!({"text": text})).collect();
        let written = write(&place.path("x"), &records).unwrap();
        prop_assert_eq!(written.records, records.len() as u64);
        prop_assert_eq!(read(&place.path("x"), LIMITS).unwrap(), (records, written));
    }
}
