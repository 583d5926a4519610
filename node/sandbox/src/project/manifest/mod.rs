//! What the manifests of a project may say.
//!
//! Every `Cargo.toml` is checked, also one that nothing refers to. Known keys are taken; what would
//! reach out of the project, change cargo or replace the compiler is refused by name; a key that is
//! not known at the top is refused too, for nobody knows what the next cargo makes of it.

mod dependencies;
mod sections;
mod source;

use std::collections::BTreeSet;

pub use dependencies::{Dependency, DependencyKind};

use super::error::{ManifestFault, ManifestProblem, ProjectError};
use super::files::Files;
use super::limits::Limits;
use source::Source;

/// Dependencies of all manifests together at most.
const DEPENDENCIES_MAX: usize = 200;

/// Checks all manifests and gives what they take from the registry.
pub(super) fn check(files: &Files, limits: &Limits) -> Result<Vec<Dependency>, ProjectError> {
    if files.get("Cargo.toml").is_none() {
        return Err(ProjectError::NoManifest);
    }
    let manifests: Vec<_> = files.iter().filter(|(path, _)| is_manifest(path.as_str())).collect();
    let folders: BTreeSet<&str> = manifests.iter().map(|(path, _)| folder(path.as_str())).collect();
    let mut dependencies = vec![];
    for (path, bytes) in manifests {
        let found = check_one(path.as_str(), bytes, &folders, limits);
        dependencies.extend(found.map_err(ProjectError::Manifest)?);
        if dependencies.len() > DEPENDENCIES_MAX {
            return Err(too_many(path.as_str()));
        }
    }
    Ok(dependencies)
}

fn is_manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

/// The folder of a manifest, without a slash at its end.
fn folder(manifest: &str) -> &str {
    manifest.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn check_one(
    path: &str,
    bytes: &[u8],
    folders: &BTreeSet<&str>,
    limits: &Limits,
) -> Result<Vec<Dependency>, ManifestProblem> {
    let whole = |fault| ManifestProblem { path: path.to_owned(), line: 1, fault };
    if bytes.len() > limits.manifest_bytes_max {
        return Err(whole(ManifestFault::TooLarge { max: limits.manifest_bytes_max }));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole(ManifestFault::NotUtf8))?;
    let source = Source { path, folder: folder(path), text, folders };
    sections::check(&source)
}

fn too_many(path: &str) -> ProjectError {
    let fault = ManifestFault::TooManyDependencies { max: DEPENDENCIES_MAX };
    ProjectError::Manifest(ManifestProblem { path: path.to_owned(), line: 1, fault })
}

#[cfg(test)]
mod tests;
