//! What cargo made.

use serde::Serialize;

use super::diagnostic::package_name;
use super::place::Places;
use super::text::{plain, shortened};
use super::wire;

/// A result of the project itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// The package.
    pub package: String,
    /// Its part: the name of a library, a program, a test.
    pub target: String,
    /// `bin`, `lib`, `test`, `custom-build` and so on.
    pub kinds: Vec<String>,
    /// Whether it is the part's tests.
    pub test: bool,
    /// Files below cargo's folder of results.
    pub files: Vec<String>,
    /// The file that can be run, below cargo's folder of results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
}

/// How many crates were there, and how many had to be compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compiled {
    /// Compiled in this job.
    pub compiled: usize,
    /// Taken as they were.
    pub fresh: usize,
}

impl Compiled {
    pub(super) fn count(&mut self, fresh: bool) {
        if fresh { self.fresh += 1 } else { self.compiled += 1 }
    }
}

const FILES_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 100;

impl Artifact {
    /// None for what is no package of the project.
    pub(super) fn of(artifact: &wire::CompilerArtifact, places: &Places) -> Option<Self> {
        if !artifact.package_id.starts_with("path+") {
            return None;
        }
        let name = |text: &str| shortened(plain(text), NAME_BYTES_MAX);
        let files = artifact.filenames.iter().filter_map(|file| places.result(file));
        Some(Self {
            package: name(package_name(&artifact.package_id)),
            target: name(&artifact.target.name),
            kinds: artifact.target.kind.iter().take(FILES_MAX).map(|kind| name(kind)).collect(),
            test: artifact.profile.test,
            files: files.take(FILES_MAX).collect(),
            executable: artifact.executable.as_deref().and_then(|file| places.result(file)),
        })
    }
}
