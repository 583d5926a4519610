//! Tar files written block by block, for the tar crate refuses to write evil ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use gaia_archive::{Limits, UnpackError, Unpacked, Watch, unpack};
use tar::{EntryType, Header};

pub const LIMITS: Limits =
    Limits { bytes_max: 1 << 20, files_max: 50, path_bytes_max: 300, ratio_max: 20 };

/// A tar file in the making.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn entry(self, kind: EntryType, path: &str, body: &[u8]) -> Self {
        self.entry_of(kind, (path, body.len() as u64), body)
    }

    /// An entry that may lie about its size.
    pub fn entry_of(mut self, kind: EntryType, (path, size): (&str, u64), body: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o6777);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.body(body)
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, path: &str, body: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, body)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// One record of a pax header.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Unpacks these bytes to `into`.
    pub fn unpack(&self, bytes: &[u8], limits: Limits) -> Result<Unpacked, UnpackError> {
        fs::write(self.path("archive"), bytes).unwrap();
        unpack(&self.path("archive"), &self.path("into"), limits, Watch::default())
    }

    /// The error, after which nothing may be left.
    pub fn refused(&self, bytes: &[u8]) -> UnpackError {
        let error = self.unpack(bytes, LIMITS).unwrap_err();
        self.assert_nothing_left();
        error
    }

    pub fn assert_nothing_left(&self) {
        let names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["archive"]);
    }

    /// Unpacks and gives all files; folders end by a slash.
    pub fn content(&self, bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        self.unpack(bytes, LIMITS).unwrap();
        tree(&self.path("into"))
    }
}

/// All files below a folder with their content; folders end by a slash.
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for child in fs::read_dir(&path).unwrap() {
            let child = child.unwrap().path();
            let name = child.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if child.is_dir() {
                found.insert(name + "/", vec![]);
                waiting.push(child);
            } else {
                found.insert(name, fs::read(&child).unwrap());
            }
        }
    }
    found
}

/// Files as [`tree`] gives them.
pub fn files(list: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    list.iter().map(|(path, body)| ((*path).to_owned(), body.to_vec())).collect()
}
