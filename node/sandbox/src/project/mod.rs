//! Projects: files with checked paths and checked manifests.
//!
//! A project comes as a map of files, as flat text, as an archive or as one source file; whichever
//! way it comes, it passes the same checks, and what is refused is named with its path and reason.
//! Source code is not looked into: what it does is the sandbox's worry, what its manifests make cargo
//! do is decided here.

mod archive;
mod error;
mod files;
mod flat;
mod limits;
mod manifest;
mod path;
mod single;
mod tar_gz;
mod zip_file;

pub use error::{ArchiveFault, ManifestFault, ManifestProblem, PathFault, ProjectError};
pub use files::FileMap;
pub use limits::Limits;
pub use manifest::{Dependency, DependencyKind};
pub use path::ProjectPath;
pub use single::{Edition, SingleFile};

use files::Files;

/// Files that are safe to write into an empty folder and to hand to cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    files: Files,
    dependencies: Vec<Dependency>,
}

impl Project {
    /// Takes a map of paths and texts, in the order in which it was written.
    ///
    /// # Errors
    /// Names the first path, size or manifest that is refused.
    pub fn from_map(map: FileMap, limits: &Limits) -> Result<Self, ProjectError> {
        let mut files = Files::new(limits);
        for (path, text) in map.0 {
            files.add(&path, text.into_bytes())?;
        }
        Self::checked(files, limits)
    }

    /// Takes files of any kind.
    ///
    /// # Errors
    /// As [`Project::from_map`].
    pub fn from_bytes(list: Vec<(String, Vec<u8>)>, limits: &Limits) -> Result<Self, ProjectError> {
        let mut files = Files::new(limits);
        for (path, bytes) in list {
            files.add(&path, bytes)?;
        }
        Self::checked(files, limits)
    }

    /// Reads flat text: blocks that begin with a line `[filename: path]`.
    ///
    /// Blocks may be indented as a whole and fenced by backticks; prose before the first block and
    /// behind a fence is dropped, as is the comment `# Build succeeded` behind the last block.
    ///
    /// # Errors
    /// Refuses text without a block, and whatever [`Project::from_map`] refuses.
    pub fn from_flat(text: &str, limits: &Limits) -> Result<Self, ProjectError> {
        Self::checked(flat::parse(text, limits)?, limits)
    }

    /// Unpacks a zip archive. A single folder around everything is taken off.
    ///
    /// # Errors
    /// Refuses links, encrypted entries, and archives that unpack to more than the limits say.
    pub fn from_zip(archive: &[u8], limits: &Limits) -> Result<Self, ProjectError> {
        Self::checked(zip_file::unpack(archive, limits)?, limits)
    }

    /// Unpacks a tar archive compressed by gzip. A single folder around everything is taken off.
    ///
    /// # Errors
    /// Refuses links, devices, and archives that unpack to more than the limits say.
    pub fn from_tar_gz(archive: &[u8], limits: &Limits) -> Result<Self, ProjectError> {
        Self::checked(tar_gz::unpack(archive, limits)?, limits)
    }

    /// Makes a project around one source file: a program if it has a `main`, a library otherwise.
    ///
    /// # Errors
    /// Refuses a file above the limit.
    pub fn from_source(single: SingleFile, limits: &Limits) -> Result<Self, ProjectError> {
        Self::checked(single.into_files(limits)?, limits)
    }

    fn checked(files: Files, limits: &Limits) -> Result<Self, ProjectError> {
        let dependencies = manifest::check(&files, limits)?;
        Ok(Self { files, dependencies })
    }

    /// The files, in the order in which they came.
    pub fn files(&self) -> impl Iterator<Item = (&ProjectPath, &[u8])> {
        self.files.iter()
    }

    /// The bytes of one file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path)
    }

    /// Whether a file of a compiler message belongs to the project.
    pub fn contains(&self, path: &str) -> bool {
        self.files.get(path).is_some()
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> usize {
        self.files.bytes()
    }

    /// What the manifests take from the registry, in the order of manifests and tables.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    /// The same project without one file, as when a lock file can't be followed.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.files.remove(path);
        self
    }

    /// Writes flat text from which [`Project::from_flat`] makes this very project again.
    ///
    /// # Errors
    /// Refuses a project with a file that is no UTF-8 text.
    pub fn to_flat(&self) -> Result<String, ProjectError> {
        flat::print(&self.files)
    }

    /// Packs a zip archive from which [`Project::from_zip`] makes this very project again. The same
    /// project gives the same bytes.
    #[must_use]
    pub fn to_zip(&self) -> Vec<u8> {
        zip_file::pack(&self.files)
    }
}

#[cfg(test)]
mod tests;
