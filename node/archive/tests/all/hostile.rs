//! What is refused, by its name, and leaves nothing.

use std::fs;
use std::sync::atomic::AtomicBool;

use gaia_archive::{Limits, Progress, UnpackError, Watch, unpack};
use proptest::prelude::*;
use tar::EntryType;

use crate::support::{LIMITS, Place, Tar, gzip, pax};

#[test]
fn paths_that_lead_out_are_refused() {
    let place = Place::new();
    for path in ["/etc/passwd", "//x"] {
        let error = place.refused(&Tar::default().file(path, b"x").end());
        assert!(matches!(error, UnpackError::AbsolutePath { .. }), "{error}");
    }
    for path in ["../x", "a/../../x", "a/.."] {
        let error = place.refused(&Tar::default().file("ok", b"x").file(path, b"x").end());
        assert!(matches!(error, UnpackError::ParentPath { .. }), "{error}");
    }
    let error = place.refused(&Tar::default().entry(EntryType::Directory, "../x", b"").end());
    assert!(matches!(error, UnpackError::ParentPath { .. }), "{error}");
}

#[test]
fn paths_in_extended_headers_are_judged_too() {
    let place = Place::new();
    let long = Tar::default().entry(EntryType::GNULongName, "././@LongLink", b"../x\0");
    let error = place.refused(&long.file("ok", b"x").end());
    assert!(matches!(error, UnpackError::ParentPath { .. }), "{error}");
    let path = Tar::default().entry(EntryType::XHeader, "x", &pax("path", "/etc/passwd"));
    let error = place.refused(&path.file("ok", b"x").end());
    assert!(matches!(error, UnpackError::AbsolutePath { .. }), "{error}");
    let global = Tar::default().entry(EntryType::XGlobalHeader, "x", &pax("path", "y"));
    let error = place.refused(&global.file("ok", b"x").end());
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn names_that_are_none_or_too_long_are_refused() {
    let place = Place::new();
    for path in ["", ".", "a\nb"] {
        let error = place.refused(&Tar::default().file(path, b"").end());
        assert!(matches!(error, UnpackError::BadPath { .. }), "{path:?}: {error}");
    }
    let long = "a/".repeat(200);
    let named = Tar::default().entry(EntryType::GNULongName, "././@LongLink", long.as_bytes());
    let error = place.refused(&named.file("ok", b"x").end());
    assert!(matches!(error, UnpackError::LongPath { path_bytes_max: 300 }), "{error}");
    let path = Tar::default().entry(EntryType::XHeader, "x", &pax("path", &long));
    let error = place.refused(&path.file("ok", b"x").end());
    assert!(matches!(error, UnpackError::LongPath { .. }), "{error}");
}

#[test]
fn links_and_devices_are_refused() {
    let place = Place::new();
    for kind in [EntryType::Symlink, EntryType::Link] {
        let error = place.refused(&Tar::default().entry(kind, "link", b"").end());
        assert!(matches!(error, UnpackError::Link { .. }), "{error}");
    }
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::new(b'Z')] {
        let error = place.refused(&Tar::default().entry(kind, "device", b"").end());
        assert!(matches!(error, UnpackError::Special { .. }), "{error}");
    }
}

#[test]
fn duplicates_are_refused() {
    let place = Place::new();
    let twice = Tar::default().file("a/b", b"1").file("./a//b", b"2");
    let file_in_file = Tar::default().file("a", b"1").file("a/b", b"2");
    let file_for_folder = Tar::default().file("a/b", b"1").file("a", b"2");
    let folder = |tar: Tar| tar.entry(EntryType::Directory, "d/", b"");
    for tar in [twice, file_in_file, file_for_folder, folder(folder(Tar::default()))] {
        let error = place.refused(&tar.end());
        assert!(matches!(error, UnpackError::Duplicate { .. }), "{error}");
    }
}

#[test]
fn more_than_allowed_is_refused_before_it_is_written() {
    let place = Place::new();
    let large = Tar::default().entry_of(EntryType::Regular, ("x", (1 << 20) + 1), b"");
    let error = place.refused(&large.end());
    assert!(matches!(error, UnpackError::TooLarge { .. }), "{error}");
    let huge = Tar::default().entry_of(EntryType::Regular, ("x", u64::MAX), b"");
    let error = place.refused(&huge.end());
    assert!(matches!(error, UnpackError::TooLarge { .. }), "{error}");
    let many = (0..51).fold(Tar::default(), |tar, n| tar.file(&n.to_string(), b""));
    let error = place.refused(&many.end());
    assert!(matches!(error, UnpackError::TooManyFiles { files_max: 50 }), "{error}");
    let deep = "d/".repeat(49) + "e/f";
    let error = place.refused(&Tar::default().file(&deep[2..], b"").file("x/y", b"").end());
    assert!(matches!(error, UnpackError::TooManyFiles { .. }), "{error}");
}

#[test]
fn headers_take_no_more_memory_than_a_path() {
    let place = Place::new();
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let error = place.refused(&Tar::default().entry_of(kind, ("x", 1 << 40), b"").end());
        let named = matches!(error, UnpackError::LongPath { .. } | UnpackError::Damaged { .. });
        assert!(named, "{error}");
    }
    let chain = (0..20)
        .fold(Tar::default(), |tar, _| tar.entry(EntryType::GNULongName, "././@LongLink", b"x\0"));
    let error = place.refused(&chain.end());
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn bombs_are_refused() {
    let place = Place::new();
    let limits = Limits { bytes_max: 1 << 30, ..LIMITS };
    let bomb = gzip(&Tar::default().file("zeros", &vec![0; 8 << 20]).end());
    let error = place.unpack(&bomb, limits).unwrap_err();
    assert!(matches!(error, UnpackError::Bomb { ratio_max: 20 }), "{error}");
    let zstd =
        zstd::encode_all(&*Tar::default().file("zeros", &vec![0; 8 << 20]).end(), 3).unwrap();
    let error = place.unpack(&zstd, limits).unwrap_err();
    assert!(matches!(error, UnpackError::Bomb { .. }), "{error}");
    let padding = gzip(&[Tar::default().end(), vec![0; 8 << 20]].concat());
    let error = place.unpack(&padding, limits).unwrap_err();
    assert!(matches!(error, UnpackError::Bomb { .. }), "{error}");
    let limits = Limits { ratio_max: 5000, ..limits };
    assert_eq!(place.unpack(&bomb, limits).unwrap().bytes, 8 << 20);
}

#[test]
fn every_cut_is_noticed() {
    let place = Place::new();
    let whole = Tar::default().file("a", &[7; 700]).entry(EntryType::Directory, "d", b"").end();
    let zip = gzip(&whole);
    let zst = zstd::encode_all(&*whole, 3).unwrap();
    for (bytes, step) in [(&whole, 100), (&zip, 7), (&zst, 5)] {
        for length in (0..bytes.len()).step_by(step) {
            let error = place.refused(&bytes[..length]);
            let named = matches!(error, UnpackError::Cut { .. } | UnpackError::Damaged { .. });
            assert!(named, "{length}: {error}");
        }
    }
    let error = place.refused(&whole[..whole.len() - 512]);
    assert!(matches!(error, UnpackError::Cut { .. }), "{error}");
}

#[test]
fn what_follows_the_end_must_be_padding() {
    let place = Place::new();
    let end = || Tar::default().file("a", b"x").end();
    for garbage in [b"x".to_vec(), [vec![0; 5000], vec![1]].concat()] {
        let error = place.refused(&[end(), garbage].concat());
        assert!(matches!(error, UnpackError::TrailingGarbage), "{error}");
    }
    let mut lone = Tar::default().file("a", b"x").0;
    lone.resize(lone.len() + 512, 0);
    let error = place.refused(&Tar(lone).file("b", b"x").end());
    assert!(matches!(error, UnpackError::TrailingGarbage), "{error}");
    let error = place.refused(&[gzip(&end()), vec![b'x'; 600]].concat());
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn what_is_no_tar_is_refused() {
    let place = Place::new();
    for bytes in [&[b'x'; 4096][..], b"PK\x03\x04", b"", &gzip(b"hello"), b"\x1f\x8b\x08"] {
        let error = place.refused(bytes);
        let named = matches!(error, UnpackError::Cut { .. } | UnpackError::Damaged { .. });
        assert!(named, "{error}");
    }
    let mut wrong = Tar::default().file("a", b"x").end();
    wrong[0] ^= 1;
    assert!(matches!(place.refused(&wrong), UnpackError::Damaged { .. }));
}

#[test]
fn a_flipped_bit_under_gzip_is_noticed() {
    let place = Place::new();
    let mut zip = gzip(&Tar::default().file("a", b"some content that matters").end());
    let checksum = zip.len() - 8;
    zip[checksum] ^= 1;
    let error = place.refused(&zip);
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn what_exists_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("into")).unwrap();
    let error = place.unpack(&Tar::default().file("a", b"x").end(), LIMITS).unwrap_err();
    assert!(matches!(error, UnpackError::Exists { .. }), "{error}");
    assert_eq!(fs::read_dir(place.path("into")).unwrap().count(), 0);
    let error = unpack(&place.path("into"), &place.path("b"), LIMITS, Watch::default());
    assert!(matches!(error, Err(UnpackError::NotAFile { .. })));
}

#[test]
fn a_link_in_the_place_of_the_work_is_not_followed() {
    let place = Place::new();
    fs::create_dir(place.path("victim")).unwrap();
    fs::write(place.path("victim/mine"), "x").unwrap();
    std::os::unix::fs::symlink(place.path("victim"), place.path(".into.unpacking")).unwrap();
    let error = place.unpack(&Tar::default().file("a", b"x").end(), LIMITS).unwrap_err();
    assert!(matches!(error, UnpackError::File { .. }), "{error}");
    assert!(place.path("victim/mine").exists());
}

#[test]
fn cancelling_leaves_nothing() {
    let place = Place::new();
    let cancel = AtomicBool::new(false);
    let tar = (0..9).fold(Tar::default(), |tar, n| tar.file(&n.to_string(), &[1; 400_000]));
    fs::write(place.path("archive"), tar.end()).unwrap();
    let mut stop = |progress: Progress| {
        assert!(progress.bytes_read <= progress.bytes_total);
        cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let watch = Watch { progress: Some(&mut stop), cancel: Some(&cancel) };
    let limits = Limits { bytes_max: 1 << 30, ..LIMITS };
    let error = unpack(&place.path("archive"), &place.path("into"), limits, watch).unwrap_err();
    assert!(matches!(error, UnpackError::Cancelled), "{error}");
    place.assert_nothing_left();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_do_harm(
        flips in proptest::collection::vec((0_usize..3000, any::<u8>()), 1..8),
    ) {
        let place = Place::new();
        let mut bytes = Tar::default()
            .entry(EntryType::GNULongName, "././@LongLink", b"a/long/name\0")
            .file("a", &[7; 300])
            .entry(EntryType::XHeader, "x", &pax("path", "b/c"))
            .file("b", b"")
            .end();
        for (index, value) in flips {
            let length = bytes.len();
            bytes[index % length] = value;
        }
        if place.unpack(&bytes, LIMITS).is_err() {
            place.assert_nothing_left();
        }
        let outside = fs::read_dir(place.folder.path()).unwrap().count();
        prop_assert!(outside <= 2);
    }
}
