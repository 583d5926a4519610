//! Projects in all their forms.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const MANIFEST: &str = "[package]\nname = \"a\"\n";

fn limits() -> Limits {
    Limits::default()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (path, bytes) in files {
        writer.start_file(*path, options).expect("accepted");
        writer.write_all(bytes).expect("accepted");
    }
    writer.finish().expect("accepted").into_inner()
}

/// An archive whose paths are written as they are: the library would refuse some.
fn tar_gz(files: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (path, kind, bytes) in files {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, *bytes).expect("accepted");
    }
    builder.into_inner().expect("accepted").finish().expect("accepted")
}

fn plain_tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let files: Vec<_> =
        files.iter().map(|(path, bytes)| (*path, EntryType::Regular, *bytes)).collect();
    tar_gz(&files)
}

fn paths(project: &Project) -> Vec<String> {
    project.files().map(|(path, _)| path.to_string()).collect()
}

#[test]
fn a_packed_project_is_unpacked_as_it_was() {
    let list = [("Cargo.toml", MANIFEST.as_bytes()), ("src/a é.rs", b""), ("data.bin", b"\xff\0")];
    let list = list.map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
    let project = Project::from_bytes(list.to_vec(), &limits()).expect("accepted");
    let packed = project.to_zip();
    assert_eq!(Project::from_zip(&packed, &limits()), Ok(project.clone()));
    assert_eq!(packed, project.to_zip(), "the same bytes");
}

#[test]
fn archives_are_unpacked() {
    let files: [(&str, &[u8]); 2] =
        [("Cargo.toml", MANIFEST.as_bytes()), ("src/main.rs", b"fn main() {}")];
    for project in [
        Project::from_zip(&zip(&files), &limits()),
        Project::from_tar_gz(&plain_tar(&files), &limits()),
    ] {
        let project = project.expect("accepted");
        assert_eq!(paths(&project), ["Cargo.toml", "src/main.rs"]);
        assert_eq!(project.file("src/main.rs"), Some(b"fn main() {}".as_slice()));
    }
}

#[test]
fn a_folder_around_everything_is_taken_off() {
    let files: [(&str, &[u8]); 2] =
        [("a-1/Cargo.toml", MANIFEST.as_bytes()), ("a-1/src/lib.rs", b"")];
    assert_eq!(
        paths(&Project::from_zip(&zip(&files), &limits()).expect("accepted")),
        ["Cargo.toml", "src/lib.rs"]
    );
    let tar = plain_tar(&[("./a-1/Cargo.toml", MANIFEST.as_bytes()), ("./a-1/x", b"")]);
    assert_eq!(
        paths(&Project::from_tar_gz(&tar, &limits()).expect("accepted")),
        ["Cargo.toml", "x"]
    );
    let up: [(&str, &[u8]); 1] = [("../Cargo.toml", MANIFEST.as_bytes())];
    assert!(matches!(Project::from_zip(&zip(&up), &limits()), Err(ProjectError::Path { .. })));
    assert!(matches!(
        Project::from_tar_gz(&plain_tar(&up), &limits()),
        Err(ProjectError::Path { .. })
    ));
    let two = plain_tar(&[("a/Cargo.toml", MANIFEST.as_bytes()), ("b", b"")]);
    assert_eq!(Project::from_tar_gz(&two, &limits()), Err(ProjectError::NoManifest));
}

#[test]
fn links_and_devices_are_refused() {
    for kind in
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo]
    {
        let archive =
            tar_gz(&[("Cargo.toml", EntryType::Regular, MANIFEST.as_bytes()), ("x", kind, b"")]);
        let refused = Project::from_tar_gz(&archive, &limits());
        assert_eq!(
            refused,
            Err(ProjectError::Archive(ArchiveFault::Special { path: "x".to_owned() }))
        );
    }
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    writer.add_symlink("x", "/etc/passwd", SimpleFileOptions::default()).expect("accepted");
    let archive = writer.finish().expect("accepted").into_inner();
    let refused = Project::from_zip(&archive, &limits());
    assert_eq!(refused, Err(ProjectError::Archive(ArchiveFault::Special { path: "x".to_owned() })));
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 4 << 20];
    let archives = [
        Project::from_zip(&zip(&[("Cargo.toml", &zeros)]), &limits()),
        Project::from_tar_gz(&plain_tar(&[("Cargo.toml", &zeros)]), &limits()),
    ];
    for refused in archives {
        assert!(
            matches!(refused, Err(ProjectError::Archive(ArchiveFault::TooLarge { .. }))),
            "{refused:?}"
        );
    }
}

#[test]
fn many_entries_are_refused() {
    let few = Limits { files_max: 2, ..limits() };
    let folders: Vec<_> = ["a/", "b/", "c/", "d/", "e/", "f/", "g/"]
        .map(|path| (path, EntryType::Directory, b"".as_slice()))
        .into();
    let refused = Project::from_tar_gz(&tar_gz(&folders), &few);
    assert_eq!(refused, Err(ProjectError::Archive(ArchiveFault::TooManyEntries { max: 6 })));
    let files = zip(&[("Cargo.toml", MANIFEST.as_bytes()), ("a", b""), ("b", b"")]);
    assert_eq!(Project::from_zip(&files, &few), Err(ProjectError::TooManyFiles { max: 2 }));
}

#[test]
fn paths_of_archives_are_checked() {
    for path in ["/etc/passwd", "a/../../b", "a\\b", ".cargo/config.toml", "rust-toolchain.toml"] {
        for refused in [
            Project::from_zip(&zip(&[(path, b"")]), &limits()),
            Project::from_tar_gz(&plain_tar(&[(path, b"")]), &limits()),
        ] {
            assert!(matches!(refused, Err(ProjectError::Path { .. })), "{path}: {refused:?}");
        }
    }
}

#[test]
fn twins_in_archives_are_refused() {
    let tar = plain_tar(&[("Cargo.toml", MANIFEST.as_bytes()), ("Cargo.toml", b"")]);
    assert!(matches!(Project::from_tar_gz(&tar, &limits()), Err(ProjectError::Duplicate { .. })));
    let mut archive = zip(&[("Cargo.toml", MANIFEST.as_bytes()), ("Cargo.tomm", b"")]);
    for at in 0..archive.len() - 10 {
        if archive[at..].starts_with(b"Cargo.tomm") {
            archive[at..at + 10].copy_from_slice(b"Cargo.toml");
        }
    }
    let refused = Project::from_zip(&archive, &limits());
    assert!(
        matches!(refused, Err(ProjectError::Archive(ArchiveFault::Damaged { .. }))),
        "{refused:?}"
    );
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [b"".as_slice(), b"PK", b"hello", &[0x1f, 0x8b, 8, 0]] {
        assert!(matches!(
            Project::from_zip(bytes, &limits()),
            Err(ProjectError::Archive(ArchiveFault::Damaged { .. }))
        ));
        assert!(Project::from_tar_gz(bytes, &limits()).is_err());
    }
}

#[test]
fn a_single_file_becomes_a_project() {
    let single =
        |source: &str| SingleFile { source: source.to_owned(), edition: Edition::default() };
    let program = Project::from_source(single("fn main() {}"), &limits()).expect("accepted");
    assert_eq!(paths(&program), ["Cargo.toml", "src/main.rs"]);
    let library = Project::from_source(single("pub fn a() {}"), &limits()).expect("accepted");
    assert!(library.contains("src/lib.rs"));
    let large = Project::from_source(single(&" ".repeat(3 << 20)), &limits());
    assert!(matches!(large, Err(ProjectError::FileTooLarge { .. })));
}

#[test]
fn flat_text_is_checked_and_comes_back() {
    let text =
        format!("[filename: Cargo.toml]\n{MANIFEST}\n[filename: src/main.rs]\nfn main() {{}}\n");
    let project = Project::from_flat(&text, &limits()).expect("accepted");
    assert_eq!(project.to_flat().expect("accepted"), text);
    let refused = Project::from_flat("[filename: Cargo.toml]\n[patch.crates-io]\n", &limits());
    assert!(matches!(refused, Err(ProjectError::Manifest(_))));
}

#[test]
fn text_indented_as_rust_coder_s_examples_are_is_taken() {
    let text = r#"
    [filename: Cargo.toml]
    [package]
    name = "hello_world"
    version = "0.1.0"
    edition = "2021"

    [dependencies]

    [filename: src/main.rs]
    fn main() {
        println!("Hello, World!");
    }

    # Build succeeded
    "#;
    let project = Project::from_flat(text, &limits()).expect("accepted");
    assert_eq!(
        project.file("src/main.rs"),
        Some(b"fn main() {\n    println!(\"Hello, World!\");\n}\n".as_slice())
    );
}

#[test]
fn binary_files_are_not_printed() {
    let archive = zip(&[("Cargo.toml", MANIFEST.as_bytes()), ("x.bin", &[0xff])]);
    let project = Project::from_zip(&archive, &limits()).expect("accepted");
    assert_eq!(project.to_flat(), Err(ProjectError::NotText { path: "x.bin".to_owned() }));
    assert!(project.without("x.bin").to_flat().is_ok());
}

/// A good archive with a few bytes changed gets farther than noise does.
fn damaged(archive: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6).prop_map(
        move |changes| {
            let mut archive = archive.clone();
            for (index, byte) in changes {
                let at = index.index(archive.len());
                archive[at] = byte;
            }
            archive
        },
    )
}

proptest! {
    #[test]
    fn damaged_zips_never_panic(archive in damaged(zip(&[("Cargo.toml", MANIFEST.as_bytes()), ("src/main.rs", b"fn main() {}")]))) {
        let _ = Project::from_zip(&archive, &limits());
    }

    #[test]
    fn damaged_tars_never_panic(archive in damaged(plain_tar(&[("Cargo.toml", MANIFEST.as_bytes()), ("x", b"y")]))) {
        let _ = Project::from_tar_gz(&archive, &limits());
    }

    #[test]
    fn damaged_tars_within_gzip_never_panic(changes in prop::collection::vec((0..1024_usize, any::<u8>()), 1..8)) {
        let mut tar = vec![];
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(plain_tar(&[("Cargo.toml", MANIFEST.as_bytes())]).as_slice()), &mut tar).expect("accepted");
        for (at, byte) in changes {
            tar[at] = byte;
        }
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(&tar).expect("accepted");
        let _ = Project::from_tar_gz(&encoder.finish().expect("accepted"), &limits());
    }
}
