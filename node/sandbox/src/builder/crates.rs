//! The fetched and compiled crates as setup left them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use gaia_core::build::{self, Offer};
use semver::VersionReq;

use super::toolchain::Toolchain;
use crate::catalog::{Catalog, CatalogError, Index, Listed, Prebuilt};
use crate::project::Dependency;

/// The list of crates that comes with the node.
const LIST: &str = include_str!("../../../../config/crates.toml");

/// What projects may depend on, and where it is.
#[derive(Debug)]
pub struct Crates {
    /// `GAIA_NODE_HOME/crates`.
    folder: PathBuf,
    catalog: Catalog,
    /// None where setup has fetched nothing.
    index: Option<Index>,
    /// None where nothing was compiled ahead, or by another compiler.
    prebuilt: Option<Prebuilt>,
}

impl Crates {
    /// Reads what setup left in a folder. An empty one is no failure: projects without dependencies
    /// are compiled, others are told what to do.
    ///
    /// # Errors
    /// There is something, and it can't be read.
    pub fn open(folder: &Path, toolchain: &Toolchain) -> Result<Self, CatalogError> {
        let catalog = Catalog::parse(LIST)?;
        let index =
            read(&folder.join("index.json"))?.map(|text| Index::parse(&text)).transpose()?;
        let prebuilt = read(&folder.join("prebuilt/units.json"))?;
        let prebuilt = prebuilt.map(|text| Prebuilt::parse(&text)).transpose()?;
        let prebuilt = prebuilt.filter(|prebuilt| prebuilt.compiler.trim() == toolchain.version());
        Ok(Self { folder: folder.to_owned(), catalog, index, prebuilt })
    }

    /// Where they are, if there are any.
    pub fn folder(&self) -> Option<&Path> {
        self.index.is_some().then_some(&self.folder)
    }

    /// The crates that were fetched; empty without setup.
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// What was compiled of them with this toolchain.
    pub fn prebuilt(&self) -> Option<&Prebuilt> {
        self.prebuilt.as_ref()
    }

    /// What a project can have here: the listed requirements for which a version was fetched.
    pub fn offers(&self) -> build::Crates {
        let Some(index) = &self.index else { return build::Crates::new() };
        let is_there = |name: &str, text: &String| {
            let requirement = VersionReq::parse(text);
            requirement.is_ok_and(|own| index.versions(name).into_iter().any(|at| own.matches(at)))
        };
        let offer = |(name, listed): (&str, &Listed)| {
            let own = listed.versions.iter().filter(|text| is_there(name, text));
            Some((name.to_owned(), Offer::of(own.cloned().collect())?))
        };
        self.catalog.crates().filter_map(offer).collect()
    }

    /// All that a project can't have here.
    pub fn problems(&self, wanted: &[Dependency]) -> Vec<String> {
        match &self.index {
            _ if wanted.is_empty() => vec![],
            Some(index) => {
                let problems = self.catalog.problems(wanted, index);
                problems.iter().map(ToString::to_string).collect()
            }
            None => vec![format!(
                "the crate {:?} is not available: this node has fetched no crates; its operator runs \
                 scripts/setup",
                wanted[0].package
            )],
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, CatalogError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CatalogError::Index(serde_json::Error::io(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Limits, Project};

    #[test]
    fn what_was_fetched_is_offered_as_it_is_listed() {
        let list = "format = 1\n[crates]\nrand = [\"0.8\", \"0.9\"]\nhex = \"0.4\"\n";
        let (folder, prebuilt) = (PathBuf::from("/nowhere"), None);
        let catalog = Catalog::parse(list).expect("accepted");
        let index = Index::of(&[("rand", "0.8.5", &[]), ("left-over", "1.0.0", &[])]);
        let crates = Crates { folder, catalog, index: Some(index), prebuilt };
        let offers = crates.offers();
        let all: Vec<_> = offers.iter().map(|(name, offer)| (&**name, offer.newest())).collect();
        assert_eq!(all, [("rand", "0.8")]);
        assert!(Crates { index: None, ..crates }.offers().is_empty());
    }

    #[test]
    fn without_setup_a_dependency_is_refused_with_what_to_do() {
        let toolchain = Toolchain::find(None).expect("there is one");
        let crates =
            Crates::open(Path::new("/nowhere"), &toolchain).expect("nothing is no failure");
        let flat = "[filename: Cargo.toml]\n[dependencies]\nserde = \"1\"\n";
        let project = Project::from_flat(flat, &Limits::default()).expect("accepted");
        let problems = crates.problems(project.dependencies());
        assert!(problems[0].contains("scripts/setup"), "{problems:?}");
        assert!(crates.problems(&[]).is_empty());
        assert!(crates.folder().is_none());
    }
}
