//! The manifests that setup gives to cargo.

use std::fmt::Write;

use super::list::{Catalog, Member};

const HEAD: &str = "[package]\nname = \"gaia-crates\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[lib]\npath = \"lib.rs\"\n\n[dependencies]\n";

/// A manifest that depends on everything in the list, each version under a name of its own. Features
/// that are on together stand there too, so that another manifest means that setup has work to do.
pub fn fetch_manifest(catalog: &Catalog) -> String {
    let mut text = HEAD.to_owned();
    for (name, listed) in catalog.crates() {
        for (index, version) in listed.versions.iter().enumerate() {
            let features = quoted(&listed.features);
            let defaults = listed.default_features;
            line(
                &mut text,
                format_args!(
                    "{name}-{index} = {{ package = \"{name}\", version = \"{version}\", features = [{features}], default-features = {defaults} }}"
                ),
            );
        }
    }
    line(&mut text, format_args!("\n[package.metadata.together]"));
    for (name, features) in catalog.together() {
        line(&mut text, format_args!("{name} = [{}]", quoted(features)));
    }
    text
}

/// A manifest for each prebuilt set.
pub fn set_manifests(catalog: &Catalog) -> Vec<String> {
    catalog.sets().iter().map(|set| set_manifest(set)).collect()
}

/// Names of our own, for a set may have several versions of a crate.
fn set_manifest(set: &[Member]) -> String {
    let mut text = HEAD.to_owned();
    for (index, Member { name, version, features }) in set.iter().enumerate() {
        let features = quoted(features);
        line(
            &mut text,
            format_args!(
                "{name}-{index} = {{ package = \"{name}\", version = \"{version}\", features = [{features}] }}"
            ),
        );
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}

/// Features are of our own list: plain names.
fn quoted(features: &[String]) -> String {
    let quoted: Vec<_> = features.iter().map(|feature| format!("{feature:?}")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "format = 1\n[crates]\nserde = \"1\"\nrand = { versions = [\"0.8\", \"0.9\"], features = [\"serde\"], default_features = false }\n[together]\nsyn = [\"full\"]\n[prebuilt]\nsets = [[\"serde+derive+rc\", \"rand@0.8\"], [\"rand\"]]\n";

    #[test]
    fn everything_listed_is_fetched() {
        let text = fetch_manifest(&Catalog::parse(LIST).expect("accepted"));
        let table: toml::Table = text.parse().expect("TOML");
        let dependencies = table["dependencies"].as_table().expect("a table");
        assert_eq!(dependencies.len(), 3);
        let together = &table["package"]["metadata"]["together"];
        assert_eq!(together["syn"][0].as_str(), Some("full"));
        assert_eq!(dependencies["rand-1"]["version"].as_str(), Some("0.9"));
        assert_eq!(dependencies["rand-0"]["default-features"].as_bool(), Some(false));
    }

    #[test]
    fn a_set_names_versions_and_features() {
        let texts = set_manifests(&Catalog::parse(LIST).expect("accepted"));
        let table: toml::Table = texts[0].parse().expect("TOML");
        let dependencies = table["dependencies"].as_table().expect("a table");
        assert_eq!(dependencies["serde-0"]["features"].as_array().map(Vec::len), Some(2));
        assert_eq!(dependencies["rand-1"]["version"].as_str(), Some("0.8"));
        assert!(texts[1].contains("version = \"0.9\""));
    }
}
