//! What setup compiled: which files of it belong to which package.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::CatalogError;
use super::index::Package;

/// Results of compiling the prebuilt sets with one toolchain, by package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prebuilt {
    /// What `rustc -vV` said: results are of no use to another compiler.
    pub compiler: String,
    units: BTreeMap<String, Unit>,
}

/// All that was compiled of one version of a crate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Files and folders below a profile's folder, such as `deps/libserde-0123.rmeta`.
    pub entries: BTreeSet<String>,
}

impl Prebuilt {
    /// Reads what setup wrote.
    ///
    /// # Errors
    /// Refuses what setup would not have written.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Sorts the files of a folder of results by package. `messages` are cargo's, of all its runs on
    /// this folder; `entries` are the names in its `.fingerprint`, `build` and `deps`.
    pub fn collect(compiler: &str, messages: &str, entries: &[String]) -> Self {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for artifact in messages.lines().filter_map(artifact) {
            names.entry(artifact.folder).or_default().extend(artifact.stems);
        }
        let units = names.into_iter().map(|(folder, stems)| (folder, unit(&stems, entries)));
        Self { compiler: compiler.to_owned(), units: units.collect() }
    }

    /// What a job links into its folder of results for the packages that it can reach.
    pub fn entries(&self, reachable: &[&Package]) -> BTreeSet<&str> {
        let units = reachable.iter().filter_map(|package| self.units.get(&package.folder()));
        units.flat_map(|unit| &unit.entries).map(String::as_str).collect()
    }
}

/// What cargo says of one compiled package.
struct Artifact {
    folder: String,
    /// Beginnings of the names of its files: folder and name up to the dash before the hash.
    stems: Vec<String>,
}

fn artifact(line: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let (name, version) = package_of(message["package_id"].as_str()?)?;
    let target = message["target"]["name"].as_str()?.replace('-', "_");
    let stems = vec![
        format!(".fingerprint/{name}-"),
        format!("build/{name}-"),
        format!("deps/lib{target}-"),
    ];
    Some(Artifact { folder: format!("{name}-{version}"), stems })
}

/// Name and version of `registry+…#name@version`; nothing of a package that is no registry's.
fn package_of(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix("registry+")?.rsplit_once('#')?.1.split_once('@')
}

fn unit(stems: &BTreeSet<String>, entries: &[String]) -> Unit {
    let ours = |entry: &&String| stems.iter().any(|stem| is_of(entry, stem));
    Unit { entries: entries.iter().filter(ours).cloned().collect() }
}

/// Whether an entry is a stem with a hash, and an ending perhaps, behind it.
fn is_of(entry: &str, stem: &str) -> bool {
    let Some(rest) = entry.strip_prefix(stem) else { return false };
    let hash = rest.split('.').next().unwrap_or(rest);
    hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::Index;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","package_id":"registry+https://github.com/rust-lang/crates.io-index#serde@1.0.1","target":{"name":"serde"}}
{"reason":"compiler-artifact","package_id":"registry+https://github.com/rust-lang/crates.io-index#md-5@0.10.0","target":{"name":"md5"}}
{"reason":"compiler-artifact","package_id":"path+file:///job/project#0.0.0","target":{"name":"x"}}
not JSON
{"reason":"build-finished"}"#;

    fn entries() -> Vec<String> {
        [
            "deps/libserde-0123456789abcdef.rmeta",
            "deps/libserde_json-0123456789abcdef.rmeta",
            ".fingerprint/serde-0123456789abcdef",
            ".fingerprint/serde-json-0123456789abcde",
            "build/serde-0123456789abcde0",
            "deps/libmd5-0123456789abcdef.rlib",
            ".fingerprint/md-5-0123456789abcdef",
        ]
        .map(str::to_owned)
        .into()
    }

    #[test]
    fn files_are_sorted_by_package() {
        let prebuilt = Prebuilt::collect("rustc 1", MESSAGES, &entries());
        let index = Index::of(&[
            ("serde", "1.0.1", &[]),
            ("serde_json", "1.0.0", &[]),
            ("md-5", "0.10.0", &[]),
        ]);
        let of =
            |at: usize| prebuilt.entries(&[&index.packages()[at]]).into_iter().collect::<Vec<_>>();
        assert_eq!(
            of(0),
            [
                ".fingerprint/serde-0123456789abcdef",
                "build/serde-0123456789abcde0",
                "deps/libserde-0123456789abcdef.rmeta"
            ]
        );
        assert!(of(1).is_empty());
        assert_eq!(
            of(2),
            [".fingerprint/md-5-0123456789abcdef", "deps/libmd5-0123456789abcdef.rlib"]
        );
        let written = serde_json::to_string(&prebuilt).expect("JSON");
        assert_eq!(Prebuilt::parse(&written).expect("read"), prebuilt);
    }

    #[test]
    fn another_version_gets_nothing() {
        let prebuilt = Prebuilt::collect("rustc 1", MESSAGES, &entries());
        let other = Index::of(&[("serde", "1.0.2", &[])]);
        assert!(prebuilt.entries(&[&other.packages()[0]]).is_empty());
    }

    proptest! {
        #[test]
        fn foreign_messages_never_panic(line in "(\\{|\"reason\":\"compiler-artifact\"|,|\"package_id\":\"registry\\+#@\"|\\}|\\PC){0,12}") {
            Prebuilt::collect("", &line, &entries());
        }
    }
}
