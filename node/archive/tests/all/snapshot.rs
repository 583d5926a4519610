//! Published snapshots: a gzip'd tar around one file that is a tar itself.

use std::fs;

use gaia_archive::{Limits, UnpackError};
use tar::EntryType;

use crate::support::{LIMITS, Place, Tar, files, gzip};

fn inner() -> Tar {
    Tar::default().file("config.json", b"{}").file("0/segments/a.tar", &[9; 3000])
}

fn expected() -> std::collections::BTreeMap<String, Vec<u8>> {
    files(&[
        ("0/", b""),
        ("0/segments/", b""),
        ("0/segments/a.tar", &[9; 3000]),
        ("config.json", b"{}"),
    ])
}

#[test]
fn a_snapshot_with_company_is_refused() {
    let place = Place::new();
    let tar = Tar::default().file("a.snapshot", &inner().end()).file("b", b"");
    let error = place.refused(&gzip(&tar.end()));
    assert!(matches!(error, UnpackError::NotAlone { .. }), "{error}");
}

#[test]
fn what_is_wrong_inside_is_refused() {
    let place = Place::new();
    let outer = |inner: &[u8]| gzip(&Tar::default().file("a.snapshot", inner).end());
    let error = place.refused(&outer(&inner().file("../x", b"").end()));
    assert!(matches!(error, UnpackError::ParentPath { .. }), "{error}");
    let error = place.refused(&outer(&inner().0));
    assert!(matches!(error, UnpackError::Cut { .. }), "{error}");
    let error = place.refused(&outer(&[inner().end(), b"x".to_vec()].concat()));
    assert!(matches!(error, UnpackError::TrailingGarbage), "{error}");
    let whole = outer(&inner().end());
    for length in (0..whole.len()).step_by(9) {
        let error = place.refused(&whole[..length]);
        assert!(matches!(error, UnpackError::Cut { .. } | UnpackError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_snapshot_alone_is_unpacked_itself() {
    let outer = |tar: Tar| tar.file("dir/a.snapshot", &inner().end()).end();
    let folders = Tar::default().entry(EntryType::Directory, "./", b"");
    let folders = folders.entry(EntryType::Directory, "./dir/", b"");
    for bytes in [gzip(&outer(Tar::default())), outer(Tar::default()), gzip(&outer(folders))] {
        assert_eq!(Place::new().content(&bytes), expected());
    }
}

#[test]
fn a_bare_snapshot_is_a_tar_like_any_other() {
    assert_eq!(Place::new().content(&inner().end()), expected());
}

#[test]
fn a_snapshot_that_is_no_tar_stays_a_file() {
    let text = Tar::default().file("a.snapshot", &[b'x'; 2000]).file("b.snapshot", b"").end();
    let expected = files(&[("a.snapshot", &[b'x'; 2000]), ("b.snapshot", b"")]);
    assert_eq!(Place::new().content(&gzip(&text)), expected);
}

#[test]
fn the_limits_hold_for_what_is_inside() {
    let place = Place::new();
    let limits = Limits { bytes_max: 3000, ..LIMITS };
    let bytes = gzip(&Tar::default().file("a.snapshot", &inner().end()).end());
    let error = place.unpack(&bytes, limits).unwrap_err();
    assert!(matches!(error, UnpackError::TooLarge { .. }), "{error}");
    let limits = Limits { bytes_max: 3002, ..LIMITS };
    let unpacked = place.unpack(&bytes, limits).unwrap();
    assert_eq!((unpacked.files, unpacked.bytes), (2, 3002));
    assert_eq!(fs::read(place.path("into/config.json")).unwrap(), b"{}");
}
