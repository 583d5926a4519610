//! What a model wants to depend on, read from the manifests that it writes.
//!
//! Its manifests are not taken: only names, versions and features of crates from the registry are, and
//! written anew. Whether a crate is allowed is the sandbox's to say.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::build::Crates;

/// Crates of one manifest at most, and features of one crate.
const CRATES_MAX: usize = 32;
const FEATURES_MAX: usize = 16;

/// Bytes of a manifest that is read.
const MANIFEST_BYTES_MAX: usize = 16 << 10;

/// The tables of a manifest that are read.
const TABLES: [&str; 2] = ["dependencies", "dev-dependencies"];

/// What one package depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// By table and crate: the version and features, as TOML.
    crates: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Wanted {
    /// Reads a manifest; one that is none wants nothing.
    pub(super) fn read(manifest: &str) -> Self {
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Self::default();
        }
        let manifest: Table = manifest.parse().unwrap_or_default();
        let mut wanted = Self::default();
        for name in TABLES {
            let Some(Value::Table(table)) = manifest.get(name) else { continue };
            let crates = table.iter().filter_map(|(name, value)| Some((name, entry(value)?)));
            let crates = crates.filter(|(name, _)| is_crate(name)).take(CRATES_MAX);
            let crates = crates.map(|(name, value)| (name.clone(), value));
            wanted.crates.entry(name).or_default().extend(crates);
        }
        wanted
    }

    /// Both.
    #[must_use]
    pub(super) fn with(mut self, other: &Self) -> Self {
        for (table, crates) in &other.crates {
            let own = self.crates.entry(table).or_default();
            own.extend(crates.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        self
    }

    /// The crates of which a refusal speaks get versions that can be had.
    pub(super) fn correct(&mut self, refusal: &str, offered: &Crates) {
        for (name, value) in self.crates.values_mut().flatten() {
            let offer = offered.get(name).filter(|_| refusal.contains(&format!("{name:?}")));
            let Some(offer) = offer else { continue };
            // The first text in quotes is the version.
            if let [before, _, rest] = &value.splitn(3, '"').collect::<Vec<_>>()[..] {
                *value = format!("{before}\"{}\"{rest}", offer.newest());
            }
        }
    }

    /// The same without the crates of which a refusal speaks.
    pub(super) fn forget(&mut self, refusal: &str) {
        for crates in self.crates.values_mut() {
            crates.retain(|name, _| !refusal.contains(&format!("{name:?}")));
        }
    }

    /// As tables of a manifest.
    pub(super) fn to_toml(&self) -> String {
        self.to_toml_with("")
    }

    /// The same with one more line among the dependencies.
    pub(super) fn to_toml_with(&self, line: &str) -> String {
        let mut text = String::new();
        for table in TABLES {
            let none = BTreeMap::new();
            let crates = self.crates.get(table).unwrap_or(&none);
            text.push_str(if table == TABLES[0] || !crates.is_empty() { "\n[" } else { continue });
            text.push_str(table);
            text.push_str("]\n");
            if table == TABLES[0] && !line.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
            for (name, value) in crates {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
        text
    }
}

/// What is kept of a dependency: nothing that leads elsewhere than the registry.
fn entry(value: &Value) -> Option<String> {
    match value {
        Value::String(version) => is_version(version).then(|| format!("\"{version}\"")),
        Value::Table(table) => {
            let version = table.get("version").and_then(Value::as_str).unwrap_or("*");
            if !is_version(version) || table.keys().any(|name| LEADING_AWAY.contains(&&**name)) {
                return None;
            }
            let mut text = format!("version = \"{version}\"");
            if table.get("default-features") == Some(&Value::Boolean(false)) {
                text.push_str(", default-features = false");
            }
            if let Some(Value::Array(features)) = table.get("features") {
                let names =
                    features.iter().filter_map(Value::as_str).filter(|name| is_feature(name));
                let names: Vec<_> =
                    names.take(FEATURES_MAX).map(|name| format!("\"{name}\"")).collect();
                text.push_str(&format!(", features = [{}]", names.join(", ")));
            }
            Some(format!("{{ {text} }}"))
        }
        _ => None,
    }
}

const LEADING_AWAY: [&str; 6] =
    ["git", "path", "registry", "registry-index", "package", "workspace"];

fn is_crate(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}

fn is_version(version: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".*^~=<>, +-".contains(c);
    (1..=40).contains(&version.len()) && version.chars().all(is_plain)
}

fn is_feature(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_/?:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::crates_of;

    #[test]
    fn what_leads_elsewhere_or_is_no_dependency_is_left_out() {
        let manifest = r#"
            [package]
            name = "evil"
            build = "../build.rs"
            [dependencies]
            a = { git = "https://example.org/a" }
            b = { path = "../b" }
            c = { version = "1", package = "other" }
            "d e" = "1"
            e = 7
            f = "1\"\n[patch.crates-io]"
            serde = { version = "1", features = ["derive", "x\"y"], default-features = false }
            rand = "0.8"
            [patch.crates-io]
            serde = { path = "x" }
            [dev-dependencies]
            tempfile = "3"
        "#;
        let expected = "\n[dependencies]\nrand = \"0.8\"\nserde = { version = \"1\", default-features = false, \
                        features = [\"derive\"] }\n\n[dev-dependencies]\ntempfile = \"3\"\n";
        assert_eq!(Wanted::read(manifest).to_toml(), expected);
    }

    #[test]
    fn what_is_no_manifest_wants_nothing() {
        let long = format!("[dependencies]\na = \"1\"\n#{}", "x".repeat(MANIFEST_BYTES_MAX));
        for text in ["", "no toml [", "dependencies = 7", &long] {
            assert_eq!(Wanted::read(text).to_toml(), "\n[dependencies]\n", "{text:.20}");
        }
    }

    #[test]
    fn a_crate_in_another_version_is_taken_as_it_can_be_had() {
        let manifest = "[dependencies]\nrand = { version = \"0.5\", features = [\"std\"] }\n\
                        hex = \"9\"\nserde = \"1\"\n";
        let mut wanted = Wanted::read(manifest);
        let offered = crates_of(&[("rand", &["0.8", "0.9"]), ("serde", &["2"])]);
        wanted.correct("the crate \"rand\" is available here as 0.8.5, 0.9.1", &offered);
        wanted.correct("the crate \"hex\" is not available here", &offered);
        let expected = "\n[dependencies]\nhex = \"9\"\nrand = { version = \"0.9\", features = [\"std\"] }\n\
                        serde = \"1\"\n";
        assert_eq!(wanted.to_toml(), expected);
    }

    #[test]
    fn a_crate_that_was_refused_is_forgotten() {
        let mut wanted = Wanted::read("[dependencies]\nsered = \"1\"\nrand = \"0.8\"\n");
        wanted.forget("the crate \"sered\" is not available: did you mean \"serde\"?");
        assert_eq!(wanted.to_toml(), "\n[dependencies]\nrand = \"0.8\"\n");
    }
}
