//! Folders: what is read, what is left aside, and why.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use gaia_documents::{Entry, Reason, Rules, WalkError, walk};

/// A folder of a test's own, removed by drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&root);
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("files are in the folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(root)
    }

    fn walk(&self) -> Vec<String> {
        shown(walk(&self.0, &Rules::default()).expect("the folder is there"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shown(entries: Vec<Entry>) -> Vec<String> {
    let show = |entry| match entry {
        Entry::File { name, .. } => name,
        Entry::Left { name, reason } => format!("{name}: {reason}"),
    };
    entries.into_iter().map(show).collect()
}

#[test]
fn what_is_no_folder_is_refused() {
    let folder = Folder::new("no-folder", &[("a.txt", "a")]);
    for path in [folder.0.join("missing"), folder.0.join("a.txt")] {
        assert!(matches!(walk(&path, &Rules::default()), Err(WalkError::NoFolder { .. })));
    }
}

#[test]
fn more_than_the_rules_allow_is_refused() {
    let folder = Folder::new("too-many", &[("a.txt", "12345"), ("b.txt", "12345"), ("c.png", "")]);
    let few = Rules { entries_max: 2, ..Rules::default() };
    assert_eq!(walk(&folder.0, &few), Err(WalkError::TooMany { entries_max: 2 }));
    let small = Rules { bytes_max: 9, ..Rules::default() };
    assert_eq!(walk(&folder.0, &small), Err(WalkError::TooLarge { bytes_max: 9 }));
    let short = Rules { file_bytes_max: 4, ..Rules::default() };
    let left = shown(walk(&folder.0, &short).expect("within the rules"));
    assert_eq!(left[0], "a.txt: it has 5 bytes, at most 4 are read: split it");
}

#[test]
fn files_come_by_name_and_others_with_a_reason() {
    let files = [
        ("b/z.md", "z"),
        ("b/a.rs", "a"),
        ("a.txt", "a"),
        ("Z", "z"),
        ("image.PNG", ""),
        ("b.pdf", ""),
    ];
    let folder = Folder::new("order", &files);
    symlink("/etc", folder.0.join("link")).expect("a link");
    symlink(".", folder.0.join("b/round")).expect("a link");
    assert_eq!(
        folder.walk(),
        [
            "Z",
            "a.txt",
            "b.pdf",
            "b/a.rs",
            "b/round: links are not followed: give the folder or file that it leads to",
            "b/z.md",
            "image.PNG: a .png file can't be read: only text is read: run a text recognition over it and \
             save the text",
            "link: links are not followed: give the folder or file that it leads to",
        ]
    );
}

#[test]
fn what_programs_made_and_what_is_hidden_is_left_out() {
    let files = [
        ("target/a.txt", ""),
        ("x/node_modules/a.txt", ""),
        (".git/config", ""),
        (".hidden/a.txt", ""),
        (".env", ""),
        ("x/target", "a file may be called so"),
        (".gitignore", "*.log\n/x/secret\n!keep.log\n"),
        ("x/a.log", ""),
        ("x/keep.log", ""),
        ("x/secret/a.txt", ""),
        ("y/.gitignore", "a.txt"),
        ("y/a.txt", ""),
        ("y/b.txt", ""),
    ];
    assert_eq!(Folder::new("left-out", &files).walk(), ["x/keep.log", "x/target", "y/b.txt"]);
}

#[test]
fn names_that_are_no_text_are_reported() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new("names", &[("a.txt", "")]);
    let name = std::ffi::OsStr::from_bytes(b"b\xff.txt");
    fs::write(folder.0.join(name), "b").expect("a file");
    let entries = walk(&folder.0, &Rules::default()).expect("the folder is there");
    assert!(matches!(&entries[1], Entry::Left { reason: Reason::Name, .. }), "{entries:?}");
}
