//! A growing collection of files within limits.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::error::ProjectError;
use super::limits::Limits;
use super::path::ProjectPath;

/// Paths and texts as JSON's object wrote them: in its order, and with what it has twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileMap(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for FileMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileMapVisitor)
    }
}

struct FileMapVisitor;

impl<'de> Visitor<'de> for FileMapVisitor {
    type Value = FileMap;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of paths and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FileMap, A::Error> {
        let mut files = vec![];
        while let Some(file) = map.next_entry()? {
            files.push(file);
        }
        Ok(FileMap(files))
    }
}

/// Files by path. No two are one file on any system, and no file is a folder of another.
#[derive(Debug, Clone)]
pub(super) struct Files {
    files: Vec<(ProjectPath, Vec<u8>)>,
    /// Folded paths of files, with the index of the file.
    names: BTreeMap<String, usize>,
    /// Folded paths of their folders, with the index of a file within.
    folders: BTreeMap<String, usize>,
    bytes: usize,
    limits: Limits,
}

impl PartialEq for Files {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for Files {}

impl Files {
    pub fn new(limits: &Limits) -> Self {
        Self {
            files: vec![],
            names: BTreeMap::new(),
            folders: BTreeMap::new(),
            bytes: 0,
            limits: *limits,
        }
    }

    /// Adds a file under a path that was not checked yet.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), ProjectError> {
        let path = ProjectPath::parse(path, &self.limits)?;
        self.check_size(&path, bytes.len())?;
        let folded = path.folded();
        if let Some(first) = self.clash(&folded) {
            let first = self.files[first].0.to_string();
            return Err(ProjectError::Duplicate { first, second: path.to_string() });
        }
        let index = self.files.len();
        for (end, _) in folded.match_indices('/') {
            self.folders.entry(folded[..end].to_owned()).or_insert(index);
        }
        self.names.insert(folded, index);
        self.bytes += bytes.len();
        self.files.push((path, bytes));
        Ok(())
    }

    fn check_size(&self, path: &ProjectPath, bytes: usize) -> Result<(), ProjectError> {
        let Limits { files_max, file_bytes_max, total_bytes_max, .. } = self.limits;
        if self.files.len() >= files_max {
            return Err(ProjectError::TooManyFiles { max: files_max });
        }
        if bytes > file_bytes_max {
            return Err(ProjectError::FileTooLarge { path: path.to_string(), max: file_bytes_max });
        }
        if self.bytes + bytes > total_bytes_max {
            return Err(ProjectError::TooLarge { max: total_bytes_max });
        }
        Ok(())
    }

    /// The file that a path can't be beside: the same, one below it, or one that would be its folder.
    fn clash(&self, folded: &str) -> Option<usize> {
        let above = folded.match_indices('/').map(|(end, _)| &folded[..end]);
        let mut files = std::iter::once(folded).chain(above).map(|name| self.names.get(name));
        files.find_map(|index| index.copied()).or_else(|| self.folders.get(folded).copied())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ProjectPath, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path, bytes.as_slice()))
    }

    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.iter().find(|(own, _)| own.as_str() == path).map(|(_, bytes)| bytes)
    }

    /// Takes a file out, by rebuilding what is derived from the files: it is rare.
    pub fn remove(&mut self, path: &str) {
        let mut rest = Self::new(&self.limits);
        for (own, bytes) in self.files.drain(..).filter(|(own, _)| own.as_str() != path) {
            rest.add(own.as_str(), bytes).expect("a part of what was accepted is accepted");
        }
        *self = rest;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Result<Files, ProjectError> {
        let mut files = Files::new(&Limits {
            files_max: 4,
            file_bytes_max: 10,
            total_bytes_max: 15,
            ..Limits::default()
        });
        for path in paths {
            files.add(path, b"12345".to_vec())?;
        }
        Ok(files)
    }

    #[test]
    fn what_is_one_file_somewhere_is_refused() {
        for pair in [
            ["a", "a"],
            ["a", "./a"],
            ["a", "A"],
            ["a", "a/b"],
            ["a/b", "a"],
            ["a/B/c", "A/b"],
            ["é", "É"],
        ] {
            assert!(matches!(files(&pair), Err(ProjectError::Duplicate { .. })), "{pair:?}");
        }
        assert!(files(&["a/b", "a/c", "ab"]).is_ok());
    }

    #[test]
    fn limits_are_named() {
        assert_eq!(files(&["a", "b", "c", "d"]), Err(ProjectError::TooLarge { max: 15 }));
        let mut few = Files::new(&Limits { files_max: 1, file_bytes_max: 2, ..Limits::default() });
        let large = few.add("a", vec![0; 3]);
        assert_eq!(large, Err(ProjectError::FileTooLarge { path: "a".to_owned(), max: 2 }));
        few.add("a", vec![0; 2]).expect("accepted");
        assert_eq!(few.add("b", vec![]), Err(ProjectError::TooManyFiles { max: 1 }));
    }

    #[test]
    fn a_map_keeps_its_order_and_what_it_has_twice() {
        let map: FileMap = serde_json::from_str(r#"{"b":"1","a":"2","b":"3"}"#).expect("accepted");
        assert_eq!(
            map.0.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["b", "a", "b"]
        );
        assert!(serde_json::from_str::<FileMap>(r#"{"a":1}"#).is_err());
        assert!(serde_json::from_str::<FileMap>("[]").is_err());
    }

    #[test]
    fn a_removed_file_leaves_its_room() {
        let mut files = files(&["a/b", "c"]).expect("accepted");
        files.remove("a/b");
        assert_eq!((files.bytes(), files.get("a/b")), (5, None));
        files.add("a", vec![]).expect("accepted");
    }

    proptest::proptest! {
        #[test]
        fn foreign_json_never_panics(text in "(\\{|\\}|\"a\"|:|,|\"\\\\u0000\"|\\[|1|\\PC){0,20}") {
            if let Ok(map) = serde_json::from_str::<FileMap>(&text) {
                let _ = crate::project::Project::from_map(map, &Limits::default());
            }
        }
    }
}
