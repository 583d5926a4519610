//! Tables of dependencies.

use semver::VersionReq;
use serde::Serialize;
use toml::de::DeValue;

use super::source::{Checked, Entry, Source, entries};
use crate::project::error::{ManifestFault, excerpt};

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyKind {
    /// The package itself.
    Normal,
    /// Its tests, examples and benches.
    Dev,
    /// Its build script.
    Build,
}

impl DependencyKind {
    /// The kind that a table's name stands for.
    pub(super) fn of_table(name: &str) -> Option<Self> {
        match name {
            "dependencies" => Some(Self::Normal),
            "dev-dependencies" | "dev_dependencies" => Some(Self::Dev),
            "build-dependencies" | "build_dependencies" => Some(Self::Build),
            _ => None,
        }
    }
}

/// A crate that a project takes from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Where it stands.
    pub manifest: String,
    /// The line there, counted from 1.
    pub line: usize,
    /// What it is for.
    pub kind: DependencyKind,
    /// The crate's name in the registry.
    pub package: String,
    /// Which versions will do.
    pub requirement: VersionReq,
    /// Features that are switched on by name.
    pub features: Vec<String>,
    /// Whether the default features are on too.
    pub default_features: bool,
}

pub(super) fn check(
    source: &Source<'_>,
    kind: DependencyKind,
    entry: &Entry<'_, '_>,
) -> Checked<Vec<Dependency>> {
    let mut found = vec![];
    for (name, entry) in entries(&entry.place, source.table(entry)?) {
        let dependency = match entry.get() {
            DeValue::Table(_) => detailed(source, name, &entry)?,
            _ => Some(plain(source, name, &entry)?),
        };
        found.extend(dependency.map(|dependency| Dependency { kind, ..dependency }));
    }
    Ok(found)
}

fn plain(source: &Source<'_>, name: &str, entry: &Entry<'_, '_>) -> Checked<Dependency> {
    let Some(text) = entry.get().as_str() else {
        return Err(source.wrong(entry, "a version or a table"));
    };
    Ok(Dependency {
        manifest: source.path.to_owned(),
        line: source.problem(entry.value.span(), ManifestFault::NotUtf8).line,
        kind: DependencyKind::Normal,
        package: name.to_owned(),
        requirement: requirement(source, entry, text)?,
        features: vec![],
        default_features: true,
    })
}

fn requirement(source: &Source<'_>, entry: &Entry<'_, '_>, text: &str) -> Checked<VersionReq> {
    VersionReq::parse(text).map_err(|error| {
        let (text, reason) = (excerpt(text), error.to_string());
        let fault = ManifestFault::Requirement { place: entry.place.clone(), text, reason };
        source.problem(entry.value.span(), fault)
    })
}

/// A dependency with details; none if it comes from the project or from the workspace's table.
fn detailed(source: &Source<'_>, name: &str, entry: &Entry<'_, '_>) -> Checked<Option<Dependency>> {
    let mut dependency = Dependency {
        manifest: source.path.to_owned(),
        line: source.problem(entry.value.span(), ManifestFault::NotUtf8).line,
        kind: DependencyKind::Normal,
        package: name.to_owned(),
        requirement: VersionReq::STAR,
        features: vec![],
        default_features: true,
    };
    let mut from_registry = true;
    for (name, entry) in entries(&entry.place, source.table(entry)?) {
        from_registry &= detail(source, name, &entry, &mut dependency)?;
    }
    Ok(from_registry.then_some(dependency))
}

/// Takes one detail in. False if it says that the registry is not asked.
fn detail(
    source: &Source<'_>,
    name: &str,
    entry: &Entry<'_, '_>,
    dependency: &mut Dependency,
) -> Checked<bool> {
    match name {
        "version" => dependency.requirement = requirement(source, entry, source.text(entry)?)?,
        "package" => dependency.package = source.text(entry)?.to_owned(),
        "features" => dependency.features = features(source, entry)?,
        "default-features" | "default_features" => {
            dependency.default_features = flag(source, entry)?
        }
        "optional" | "public" => drop(flag(source, entry)?),
        "workspace" => return flag(source, entry).map(|inherited| !inherited),
        "path" => return path(source, entry).map(|()| false),
        _ => return Err(source.refused(entry, reason(name))),
    }
    Ok(true)
}

/// Why a detail is refused.
fn reason(name: &str) -> &'static str {
    match name {
        "git" | "branch" | "tag" | "rev" => {
            "a job has no network; take a version of the crate instead"
        }
        "registry" | "registry-index" | "base" => "crates come from this node alone",
        "artifact" | "lib" | "target" => "unstable features of cargo are off",
        _ => "no dependency has such a key",
    }
}

fn features(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<Vec<String>> {
    let texts = source.texts(entry)?;
    texts.iter().map(|item| source.text(item).map(str::to_owned)).collect()
}

fn flag(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<bool> {
    entry.get().as_bool().ok_or_else(|| source.wrong(entry, "true or false"))
}

/// A path has to lead to a package of the project.
fn path(source: &Source<'_>, entry: &Entry<'_, '_>) -> Checked<()> {
    let folder = source.inside(entry)?;
    if source.folders.contains(folder.as_str()) {
        return Ok(());
    }
    let path = excerpt(source.text(entry)?);
    let fault = ManifestFault::NotThere { place: entry.place.clone(), path };
    Err(source.problem(entry.value.span(), fault))
}
