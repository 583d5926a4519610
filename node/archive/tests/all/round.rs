//! What is packed comes out the same; what other programs pack is understood.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use gaia_archive::{Compression, Limits, PackError, UnpackError, Watch, pack, unpack};
use proptest::prelude::*;
use tar::EntryType;

use crate::support::{LIMITS, Place, Tar, files, pax, tree};

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

fn everything(_: &Path) -> bool {
    true
}

fn write(folder: &Path, content: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir(folder).unwrap();
    for (path, body) in content {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
}

#[test]
fn links_and_bad_names_are_not_packed() {
    let place = Place::new();
    write(&place.path("dir"), &files(&[("a", b"x")]));
    std::os::unix::fs::symlink("a", place.path("dir/link")).unwrap();
    let (dir, file) = (place.path("dir"), place.path("archive"));
    let error = pack(&dir, &file, Compression::None, &everything).unwrap_err();
    assert!(matches!(error, PackError::Special { .. }), "{error}");
    let filter = |path: &Path| path != Path::new("link");
    assert_eq!(pack(&dir, &file, Compression::None, &filter).unwrap().files, 1);
    fs::write(place.path("dir/a\nb"), "").unwrap();
    let error = pack(&dir, &file, Compression::None, &filter).unwrap_err();
    assert!(matches!(error, PackError::BadPath { .. }), "{error}");
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    let place = Place::new();
    let sparse = |map: &str, real: &str, body: &[u8]| {
        let records = [("major", "1"), ("minor", "0"), ("name", "holes"), ("realsize", real)];
        let records = records.map(|(key, value)| pax(&format!("GNU.sparse.{key}"), value));
        let mut block = map.as_bytes().to_vec();
        block.resize(512, 0);
        block.extend_from_slice(body);
        Tar::default().entry(EntryType::XHeader, "x", &records.concat()).file("x", &block).end()
    };
    for (map, real) in [
        ("1\n0\n4\n", "4"),
        ("1\n5\n3\n", "7"),
        ("2\n4\n2\n0\n1\n", "9"),
        ("1\n18446744073709551615\n3\n", "9"),
        ("9999999999\n", "9"),
        ("1\n-1\n3\n", "9"),
        ("x", "9"),
    ] {
        let error = place.refused(&sparse(map, real, b"abc"));
        assert!(matches!(error, UnpackError::Damaged { .. }), "{map:?}: {error}");
    }
    let error = place.refused(&sparse("1\n0\n3\n", "99999999", b"abc"));
    assert!(matches!(error, UnpackError::TooLarge { .. }), "{error}");
    let expected = files(&[("holes", b"\0\0abc\0")]);
    assert_eq!(place.content(&sparse("1\n2\n3\n", "6", b"abc")), expected);
}

#[test]
fn other_sparse_formats_are_refused() {
    let place = Place::new();
    let records = [pax("GNU.sparse.size", "9"), pax("GNU.sparse.map", "0,3")].concat();
    let tar = Tar::default().entry(EntryType::XHeader, "x", &records).file("x", b"abc");
    let error = place.refused(&tar.end());
    assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
}

#[test]
fn a_file_with_holes_keeps_them_and_takes_no_room() {
    const SIZE: u64 = 64 << 20;
    let place = Place::new();
    fs::create_dir(place.path("dir")).unwrap();
    let file = File::create(place.path("dir/holes")).unwrap();
    file.set_len(SIZE).unwrap();
    // More runs than a header and one further block hold.
    for n in 0..40 {
        file.write_all_at(&[n as u8 + 1; 100], n * (1 << 20) + 8192).unwrap();
    }
    File::create(place.path("dir/hole")).unwrap().set_len(SIZE).unwrap();
    let limits = Limits { bytes_max: 1 << 30, ratio_max: 2000, ..LIMITS };
    for compression in ALL {
        let archive = place.path("archive");
        let packed = pack(&place.path("dir"), &archive, compression, &everything).unwrap();
        assert_eq!((packed.files, packed.bytes), (2, 2 * SIZE));
        assert!(fs::metadata(&archive).unwrap().len() < 1 << 20);
        let unpacked = unpack(&archive, &place.path("into"), limits, Watch::default()).unwrap();
        assert_eq!(unpacked.bytes, 2 * SIZE);
        assert!(fs::metadata(place.path("into/holes")).unwrap().blocks() * 512 < 4 << 20);
        assert!(tree(&place.path("dir")) == tree(&place.path("into")));
        fs::remove_dir_all(place.path("into")).unwrap();
    }
}

#[test]
fn zeros_become_holes() {
    let place = Place::new();
    let limits = Limits { bytes_max: 1 << 30, ..LIMITS };
    place.unpack(&Tar::default().file("zeros", &vec![0; 4 << 20]).end(), limits).unwrap();
    let metadata = fs::metadata(place.path("into/zeros")).unwrap();
    assert_eq!(metadata.len(), 4 << 20);
    assert!(metadata.blocks() * 512 < 1 << 20);
}

#[test]
fn modes_of_the_archive_do_not_count() {
    let place = Place::new();
    place.unpack(&Tar::default().file("setuid", b"x").end(), LIMITS).unwrap();
    let mode = fs::metadata(place.path("into/setuid")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7111, 0);
}

#[test]
fn the_same_content_is_the_same_bytes() {
    let place = Place::new();
    let content = files(&[("b", b"2"), ("a/c", b"1"), ("a.d", b"3")]);
    write(&place.path("one"), &content);
    write(&place.path("two"), &content);
    for compression in ALL {
        let bytes = ["one", "two"].map(|dir| {
            pack(&place.path(dir), &place.path("archive"), compression, &everything).unwrap();
            fs::read(place.path("archive")).unwrap()
        });
        assert!(bytes[0] == bytes[1], "{compression:?}");
    }
}

#[test]
fn an_archive_in_its_own_folder_does_not_hold_itself() {
    let place = Place::new();
    let content = files(&[("a", b"1")]);
    write(&place.path("dir"), &content);
    let archive = place.path("dir/archive");
    let packed = pack(&place.path("dir"), &archive, Compression::None, &everything).unwrap();
    assert_eq!(packed.files, 1);
    unpack(&archive, &place.path("into"), LIMITS, Watch::default()).unwrap();
    assert_eq!(tree(&place.path("into")), content);
}

#[test]
fn what_the_system_tar_packs_is_unpacked() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let content = files(&[(&long, b"long"), ("a", b"short")]);
    write(&place.path("dir"), &content);
    let holes = File::create(place.path("dir/holes")).unwrap();
    holes.set_len(900_000).unwrap();
    for n in 0..30 {
        holes.write_all_at(b"data", n * 28_672).unwrap();
    }
    for format in ["gnu", "pax"] {
        for option in ["--sparse", "--gzip"] {
            let mut tar = Command::new("tar");
            tar.arg(option).arg(format!("--format={format}")).arg("-C").arg(place.path("dir"));
            let status = tar.arg("-cf").arg(place.path("archive")).arg(".").status().unwrap();
            assert!(status.success());
            let limits = Limits { ratio_max: 2000, ..LIMITS };
            unpack(&place.path("archive"), &place.path("into"), limits, Watch::default()).unwrap();
            assert!(tree(&place.path("dir")) == tree(&place.path("into")), "{format} {option}");
            fs::remove_dir_all(place.path("into")).unwrap();
        }
    }
}

#[test]
fn the_system_tar_unpacks_what_is_packed() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    write(&place.path("dir"), &files(&[(&long, b"long"), ("a", b"short")]));
    let holes = File::create(place.path("dir/holes")).unwrap();
    holes.set_len(9_000_000).unwrap();
    holes.write_all_at(b"data", 1 << 20).unwrap();
    let archive = place.path("archive");
    pack(&place.path("dir"), &archive, Compression::Gzip, &everything).unwrap();
    fs::create_dir(place.path("into")).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar.arg("-C").arg(place.path("into")).arg("-xzf").arg(archive).status();
    assert!(tar.unwrap().success());
    assert!(tree(&place.path("dir")) == tree(&place.path("into")));
}

#[test]
fn a_crashed_unpacking_is_cleared_away_by_the_next() {
    let place = Place::new();
    write(&place.path(".into.unpacking"), &files(&[("old/x", b"1")]));
    let content = place.content(&Tar::default().file("new", b"2").end());
    assert_eq!(content, files(&[("new", b"2")]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_packed_comes_out_the_same(
        content in proptest::collection::btree_map(
            "([a-c]{1,60}/){0,3}x[a-z]{1,120}", proptest::collection::vec(0_u8..3, 0..2000), 0..6),
        compression in 0_usize..3,
    ) {
        let place = Place::new();
        write(&place.path("dir"), &content);
        let archive = place.path("archive");
        let packed = pack(&place.path("dir"), &archive, ALL[compression], &everything).unwrap();
        let unpacked = unpack(&archive, &place.path("into"), LIMITS, Watch::default()).unwrap();
        prop_assert_eq!((packed.files, packed.bytes), (unpacked.files, unpacked.bytes));
        prop_assert!(tree(&place.path("dir")) == tree(&place.path("into")));
    }
}
