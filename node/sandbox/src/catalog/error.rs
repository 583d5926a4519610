//! What can be wrong with a list, an index, or a project's wishes.

use crate::project::Dependency;

/// Why a list or an index of crates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The list is no TOML, or has a key that is not known.
    #[error("the list of crates is wrong: {0}")]
    List(#[from] toml::de::Error),
    /// The list is for another version of the node.
    #[error("the list of crates has format {found}, and this node reads format {known}")]
    Format {
        /// What the list says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// A name in the list that no crate has.
    #[error(
        "{name:?} in the list of crates is no crate's name: letters, digits, \"-\" and \"_\" make one"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A version requirement in the list.
    #[error("{name:?} in the list of crates has a wrong version {text:?}: {reason}")]
    Version {
        /// The crate.
        name: String,
        /// The requirement as written.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// A prebuilt set with a crate that is not listed.
    #[error("the prebuilt set {set:?} names {name:?}, which is not in the list of crates")]
    Set {
        /// The set's members.
        set: String,
        /// The unknown one.
        name: String,
    },
    /// What cargo or setup wrote can't be read.
    #[error("the index of crates can't be read: {0}; run scripts/setup again")]
    Index(#[from] serde_json::Error),
    /// Cargo's description lacks something.
    #[error("cargo's metadata has no {0}; this cargo is too old or too new")]
    Metadata(&'static str),
}

/// A dependency of a project that this node has not got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogProblem {
    /// A crate that is not listed.
    #[error("{}:{}: the crate {:?} is not available here{}", .dependency.manifest, .dependency.line, .dependency.package, advice(.instead.as_deref(), .nearest))]
    NotListed {
        /// What was asked for.
        dependency: Box<Dependency>,
        /// What to take instead, if that is known.
        instead: Option<String>,
        /// Listed crates with a similar name, the nearest first.
        nearest: Vec<String>,
    },
    /// A listed crate in a version that is not there.
    #[error("{}:{}: the crate {:?} is available here as {}, and none of these is {:?}", .dependency.manifest, .dependency.line, .dependency.package, .available.join(", "), .dependency.requirement.to_string())]
    OtherVersions {
        /// What was asked for.
        dependency: Box<Dependency>,
        /// The versions that are there.
        available: Vec<String>,
    },
}

fn advice(instead: Option<&str>, nearest: &[String]) -> String {
    match (instead, nearest) {
        (Some(instead), _) => format!("; take instead: {instead}"),
        (None, []) => "; GET the list of crates to see what is".to_owned(),
        (None, nearest) => format!("; similar names are: {}", nearest.join(", ")),
    }
}
