//! What setup fetched: which versions there are, and what each needs.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::CatalogError;
use crate::project::Dependency;

/// The crates that were fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    packages: Vec<Package>,
}

/// One version of one crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The crate's name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Places in the index of what it may need, whatever the platform, with all fetched features.
    needs: Vec<usize>,
}

impl Package {
    /// The folder that its sources are in.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

impl Index {
    /// Reads an index that setup wrote.
    ///
    /// # Errors
    /// Refuses what setup would not have written.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let index: Self = serde_json::from_str(text)?;
        let count = index.packages.len();
        let wild = index.packages.iter().flat_map(|package| &package.needs).any(|at| *at >= count);
        if wild { Err(CatalogError::Metadata("package for every need")) } else { Ok(index) }
    }

    /// Makes an index from `cargo metadata` of the manifest that fetches everything.
    ///
    /// # Errors
    /// Names what cargo's description lacks.
    pub fn from_metadata(text: &str) -> Result<Self, CatalogError> {
        let metadata: Value = serde_json::from_str(text)?;
        let ids = ids(&metadata)?;
        let mut packages: Vec<Option<Package>> = vec![None; ids.len()];
        for package in list(&metadata["packages"], "packages")? {
            if let Some(at) = package["id"].as_str().and_then(|id| ids.get(id)) {
                packages[*at] = Some(named(package)?);
            }
        }
        let mut packages: Vec<_> =
            packages.into_iter().collect::<Option<_>>().ok_or(CatalogError::Metadata("id"))?;
        for node in list(&metadata["resolve"]["nodes"], "resolved nodes")? {
            let Some(at) = node["id"].as_str().and_then(|id| ids.get(id)) else { continue };
            packages[*at].needs = needs(node, &ids)?;
        }
        Ok(Self { packages })
    }

    /// Every fetched package.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The fetched versions of a crate, the oldest first.
    pub fn versions(&self, name: &str) -> Vec<&Version> {
        let mut versions: Vec<_> = self.named(name).map(|(_, package)| &package.version).collect();
        versions.sort();
        versions
    }

    fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = (usize, &'a Package)> {
        self.packages.iter().enumerate().filter(move |(_, package)| package.name == name)
    }

    /// Whatever cargo may look at for these dependencies: what they allow, and all that needs.
    pub fn reachable(&self, wanted: &[Dependency]) -> Vec<&Package> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<usize> =
            wanted.iter().flat_map(|wanted| self.allowed(wanted)).collect();
        while let Some(at) = waiting.pop() {
            if found.insert(at) {
                waiting.extend(&self.packages[at].needs);
            }
        }
        found.into_iter().map(|at| &self.packages[at]).collect()
    }

    fn allowed(&self, wanted: &Dependency) -> Vec<usize> {
        let named = self.named(&wanted.package);
        named
            .filter(|(_, package)| wanted.requirement.matches(&package.version))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether a `Cargo.lock` names nothing but what was fetched, so that cargo can follow it.
    pub fn satisfies_lock(&self, lock: &str) -> bool {
        let Ok(lock) = lock.parse::<toml::Table>() else { return false };
        let packages = lock.get("package").and_then(toml::Value::as_array);
        packages.is_some_and(|packages| packages.iter().all(|package| self.has_locked(package)))
    }

    fn has_locked(&self, package: &toml::Value) -> bool {
        let text = |name| package.get(name).and_then(toml::Value::as_str);
        let Some(source) = text("source") else { return true };
        let (Some(name), Some(version)) = (text("name"), text("version")) else { return false };
        source == REGISTRY && self.named(name).any(|(_, own)| own.version.to_string() == version)
    }

    /// An index of names, versions and places of needs, for tests.
    #[cfg(test)]
    pub(crate) fn of(packages: &[(&str, &str, &[usize])]) -> Self {
        let package = |(name, version, needs): &(&str, &str, &[usize])| Package {
            name: (*name).to_owned(),
            version: version.parse().expect("a version"),
            needs: needs.to_vec(),
        };
        Self { packages: packages.iter().map(package).collect() }
    }
}

/// How lock files name the registry that everybody uses.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn list<'a>(value: &'a Value, name: &'static str) -> Result<&'a Vec<Value>, CatalogError> {
    value.as_array().ok_or(CatalogError::Metadata(name))
}

/// A place for every package from a registry.
fn ids(metadata: &Value) -> Result<BTreeMap<&str, usize>, CatalogError> {
    let packages = list(&metadata["packages"], "packages")?;
    let fetched = packages.iter().filter(|package| !package["source"].is_null());
    let ids: BTreeSet<_> = fetched.filter_map(|package| package["id"].as_str()).collect();
    Ok(ids.into_iter().zip(0..).collect())
}

fn named(package: &Value) -> Result<Package, CatalogError> {
    let name = package["name"].as_str().ok_or(CatalogError::Metadata("name"))?;
    let version = package["version"].as_str().and_then(|text| text.parse().ok());
    let version = version.ok_or(CatalogError::Metadata("version"))?;
    Ok(Package { name: name.to_owned(), version, needs: vec![] })
}

fn needs(node: &Value, ids: &BTreeMap<&str, usize>) -> Result<Vec<usize>, CatalogError> {
    let names = list(&node["dependencies"], "dependencies")?;
    let places: BTreeSet<_> = names.iter().filter_map(|id| ids.get(id.as_str()?)).collect();
    Ok(places.into_iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::project::{Limits, Project};

    fn wanted(text: &str) -> Vec<Dependency> {
        let flat = format!("[filename: Cargo.toml]\n[dependencies]\n{text}\n");
        Project::from_flat(&flat, &Limits::default()).expect("accepted").dependencies().to_vec()
    }

    fn folders(index: &Index, text: &str) -> Vec<String> {
        index.reachable(&wanted(text)).iter().map(|package| package.folder()).collect()
    }

    #[test]
    fn what_is_needed_is_reached_and_nothing_else() {
        let index = Index::of(&[
            ("a", "1.0.0", &[1]),
            ("b", "1.0.0", &[0, 2]),
            ("c", "1.0.0", &[]),
            ("a", "2.0.0", &[]),
            ("d", "1.0.0", &[0]),
        ]);
        assert_eq!(folders(&index, "a = \"1\""), ["a-1.0.0", "b-1.0.0", "c-1.0.0"]);
        assert_eq!(folders(&index, "a = \"2\""), ["a-2.0.0"]);
        assert_eq!(folders(&index, "c = \"1\"\na = \">=2\""), ["c-1.0.0", "a-2.0.0"]);
        assert!(folders(&index, "x = \"1\"").is_empty());
    }

    #[test]
    fn metadata_becomes_an_index() {
        let metadata = r#"{"packages":[
            {"id":"root","name":"all","version":"0.0.0","source":null},
            {"id":"b","name":"beta","version":"1.2.3","source":"registry"},
            {"id":"a","name":"alpha","version":"0.1.0","source":"registry"}],
            "resolve":{"nodes":[{"id":"root","dependencies":["a"]},{"id":"a","dependencies":["b"]},{"id":"b","dependencies":[]}]}}"#;
        let index = Index::from_metadata(metadata).expect("an index");
        assert_eq!(index, Index::of(&[("alpha", "0.1.0", &[1]), ("beta", "1.2.3", &[])]));
        let written = serde_json::to_string(&index).expect("JSON");
        assert_eq!(Index::parse(&written).expect("an index"), index);
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"packages":[]}"#,
            r#"{"packages":[{"id":"a","source":"r"}],"resolve":{"nodes":[]}}"#,
        ] {
            assert!(Index::from_metadata(text).is_err(), "{text}");
        }
        assert!(
            Index::parse(r#"{"packages":[{"name":"a","version":"1.0.0","needs":[7]}]}"#).is_err()
        );
    }

    #[test]
    fn a_lock_file_is_followed_only_if_all_is_there() {
        let index = Index::of(&[("a", "1.0.0", &[])]);
        let lock = |version: &str, source: &str| {
            format!(
                "version = 4\n[[package]]\nname = \"me\"\nversion = \"0.1.0\"\n[[package]]\nname = \"a\"\nversion = \"{version}\"\nsource = \"{source}\"\n"
            )
        };
        assert!(index.satisfies_lock(&lock("1.0.0", REGISTRY)));
        assert!(!index.satisfies_lock(&lock("1.0.1", REGISTRY)));
        assert!(!index.satisfies_lock(&lock("1.0.0", "git+https://example.org/a")));
        for text in ["", "x", "package = 1", "[[package]]\nsource = \"x\""] {
            assert!(!index.satisfies_lock(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn foreign_locks_never_panic(text in "(\\[\\[package\\]\\]\n|name = |source = |version = |\"a\"|\"1\"|\n|\\PC){0,30}") {
            Index::of(&[("a", "1.0.0", &[])]).satisfies_lock(&text);
        }

        #[test]
        fn reaching_ends(needs in prop::collection::vec(prop::collection::vec(0..6_usize, 0..6), 6)) {
            let packages: Vec<_> = needs.iter().map(|needs| ("a", "1.0.0", needs.as_slice())).collect();
            let index = Index::of(&packages);
            prop_assert_eq!(index.reachable(&wanted("a = \"1\"")).len(), 6);
        }
    }
}
