//! The list of crates, as `config/crates.toml` has it.

use std::collections::BTreeMap;

use semver::VersionReq;
use serde::Deserialize;

use super::error::{CatalogError, CatalogProblem};
use super::index::Index;
use super::nearest::nearest;
use crate::project::Dependency;

const FORMAT: u32 = 1;

/// What projects may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    crates: BTreeMap<String, Listed>,
    instead: BTreeMap<String, String>,
    together: BTreeMap<String, Vec<String>>,
    sets: Vec<Vec<Member>>,
}

/// One listed crate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Requirements; the newest version for each is fetched.
    pub versions: Vec<String>,
    /// Features that resolve offline, beside the default ones.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether what the default features need is fetched.
    #[serde(default = "yes")]
    pub default_features: bool,
}

fn yes() -> bool {
    true
}

/// A crate of a prebuilt set: `name`, `name@version`, either with `+feature` any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    pub version: String,
    pub features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    crates: BTreeMap<String, Line>,
    #[serde(default)]
    instead: BTreeMap<String, String>,
    #[serde(default)]
    together: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    prebuilt: Sets,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sets {
    sets: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    One(String),
    Several(Vec<String>),
    Detailed(Listed),
}

impl Line {
    fn listed(self) -> Listed {
        let plain = |versions| Listed { versions, features: vec![], default_features: true };
        match self {
            Self::One(version) => plain(vec![version]),
            Self::Several(versions) => plain(versions),
            Self::Detailed(listed) => listed,
        }
    }
}

impl Catalog {
    /// Reads a list.
    ///
    /// # Errors
    /// Names what is wrong: a key, a crate, a version, a member of a set.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let file: File = toml::from_str(text)?;
        if file.format != FORMAT {
            return Err(CatalogError::Format { found: file.format, known: FORMAT });
        }
        let crates: BTreeMap<_, _> =
            file.crates.into_iter().map(|(name, line)| (name, line.listed())).collect();
        crates.iter().try_for_each(|(name, listed)| check(name, listed))?;
        let sets = file.prebuilt.sets.iter().map(|set| members(set, &crates));
        let sets = sets.collect::<Result<_, _>>()?;
        Ok(Self { crates, instead: file.instead, together: file.together, sets })
    }

    /// The listed crates by name.
    pub fn crates(&self) -> impl Iterator<Item = (&str, &Listed)> {
        self.crates.iter().map(|(name, listed)| (name.as_str(), listed))
    }

    /// Crates of which some features are on together, with these features.
    pub fn together(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.together.iter().map(|(name, features)| (name.as_str(), features.as_slice()))
    }

    pub(super) fn sets(&self) -> &[Vec<Member>] {
        &self.sets
    }

    /// All dependencies that a project can't have here, in the order of its manifests.
    pub fn problems(&self, wanted: &[Dependency], index: &Index) -> Vec<CatalogProblem> {
        wanted.iter().filter_map(|dependency| self.problem(dependency, index)).collect()
    }

    fn problem(&self, dependency: &Dependency, index: &Index) -> Option<CatalogProblem> {
        if !self.crates.contains_key(&dependency.package) {
            return Some(self.not_listed(dependency));
        }
        let versions = index.versions(&dependency.package);
        if versions.iter().any(|version| dependency.requirement.matches(version)) {
            return None;
        }
        let available = versions.iter().map(ToString::to_string).collect();
        Some(CatalogProblem::OtherVersions { dependency: Box::new(dependency.clone()), available })
    }

    fn not_listed(&self, dependency: &Dependency) -> CatalogProblem {
        let package = &dependency.package;
        CatalogProblem::NotListed {
            dependency: Box::new(dependency.clone()),
            instead: self.instead.get(package).cloned(),
            nearest: nearest(package, self.crates.keys().map(String::as_str)),
        }
    }
}

fn check(name: &str, listed: &Listed) -> Result<(), CatalogError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(CatalogError::Name { name: name.to_owned() });
    }
    for text in &listed.versions {
        VersionReq::parse(text).map_err(|error| CatalogError::Version {
            name: name.to_owned(),
            text: text.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

fn members(set: &[String], crates: &BTreeMap<String, Listed>) -> Result<Vec<Member>, CatalogError> {
    set.iter().map(|text| member(text, crates).ok_or_else(|| unknown(set, text))).collect()
}

fn member(text: &str, crates: &BTreeMap<String, Listed>) -> Option<Member> {
    let mut parts = text.split('+');
    let crate_text = parts.next()?;
    let (name, version) = crate_text.split_once('@').unwrap_or((crate_text, ""));
    let listed = crates.get(name)?;
    let newest = listed.versions.last()?.as_str();
    let version = if version.is_empty() { newest } else { version };
    let version = listed.versions.iter().find(|known| *known == version)?.clone();
    Some(Member { name: name.to_owned(), version, features: parts.map(str::to_owned).collect() })
}

fn unknown(set: &[String], text: &str) -> CatalogError {
    CatalogError::Set { set: set.join(" "), name: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::project::{Limits, Project};

    const DEFAULT: &str = include_str!("../../../../config/crates.toml");

    fn dependencies(text: &str) -> Vec<Dependency> {
        let flat = format!("[filename: Cargo.toml]\n[dependencies]\n{text}\n");
        let project = Project::from_flat(&flat, &Limits::default()).expect("accepted");
        project.dependencies().to_vec()
    }

    fn problems(text: &str) -> Vec<String> {
        let list = "format = 1\n[crates]\nserde = \"1\"\nrand = [\"0.8\", \"0.9\"]\n[instead]\nopenssl = \"sha2\"\n";
        let catalog = Catalog::parse(list).expect("accepted");
        let index =
            Index::of(&[("serde", "1.0.200", &[]), ("rand", "0.8.5", &[]), ("rand", "0.9.1", &[])]);
        let found = catalog.problems(&dependencies(text), &index);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_outside_is_named_with_its_neighbour() {
        assert_eq!(
            problems("sered = \"1\""),
            ["Cargo.toml:2: the crate \"sered\" is not available here; similar names are: serde"]
        );
        assert_eq!(
            problems("openssl = \"1\""),
            ["Cargo.toml:2: the crate \"openssl\" is not available here; take instead: sha2"]
        );
        assert!(problems("zzzzzzzz = \"1\"")[0].contains("GET the list"));
    }

    #[test]
    fn a_renamed_crate_is_found_by_its_own_name() {
        assert_eq!(problems("a = { package = \"serde\", version = \"1\" }"), Vec::<String>::new());
        assert_eq!(problems("serde = { package = \"evil\", version = \"1\" }").len(), 1);
    }

    #[test]
    fn versions_that_are_not_there_are_named() {
        assert_eq!(
            problems("rand = \"0.7\""),
            [
                "Cargo.toml:2: the crate \"rand\" is available here as 0.8.5, 0.9.1, and none of these is \"^0.7\""
            ]
        );
        assert_eq!(problems("rand = \"=0.8.4\"").len(), 1);
        assert!(problems("rand = \"0.8\"\nserde = \"*\"").is_empty());
        assert!(problems("rand = { version = \">=0.8, <1\" }").is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        assert_eq!(problems("a1 = \"1\"\nserde = \"1\"\nrand = \"3\"").len(), 2);
    }

    #[test]
    fn wrong_lists_are_refused() {
        for (list, part) in [
            ("", "format"),
            ("format = 2\n[crates]\n", "format 2"),
            ("format = 1\n[crates]\n\"a/b\" = \"1\"", "no crate's name"),
            ("format = 1\n[crates]\na = \"one\"", "wrong version"),
            ("format = 1\nx = 1\n[crates]\n", "unknown field"),
            ("format = 1\n[crates]\na = \"1\"\n[prebuilt]\nsets = [[\"b\"]]", "prebuilt set"),
            ("format = 1\n[crates]\na = \"1\"\n[prebuilt]\nsets = [[\"a@2\"]]", "prebuilt set"),
        ] {
            let error = Catalog::parse(list).expect_err("refused").to_string();
            assert!(error.contains(part), "{list}: {error}");
        }
    }

    #[test]
    fn the_list_that_comes_with_the_node_is_right() {
        let catalog = Catalog::parse(DEFAULT).expect("accepted");
        assert!(catalog.crates().count() > 100);
        assert!(!catalog.sets().is_empty());
        let listed = |name: &str| catalog.crates.contains_key(name);
        let both: Vec<_> = catalog.instead.keys().filter(|name| listed(name)).collect();
        assert!(both.is_empty(), "listed, and told to be replaced: {both:?}");
    }

    proptest! {
        #[test]
        fn foreign_lists_never_panic(text in "(format = 1\n|\\[crates\\]\n|a = |\"1\"|\\[|\\]|\\{|\\}|\\PC){0,30}") {
            let _ = Catalog::parse(&text);
        }
    }
}
