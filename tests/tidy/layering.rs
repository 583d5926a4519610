//! Dependencies between rooms point one way, and each outside library has one owner.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{assert_none, sources};

/// What each room may depend on; the picture is in ARCHITECTURE.md.
const ROOMS: &[(&str, &[&str])] = &[
    ("gaia-protocol", &[]),
    ("gaia-core", &["gaia-protocol"]),
    ("gaia-documents", &[]),
    ("gaia-inference", &[]),
    ("gaia-runtime", &["gaia-protocol", "gaia-inference"]),
    ("gaia-worker", &["gaia-protocol", "gaia-inference", "gaia-pictures", "gaia-runtime"]),
    ("gaia-knowledge", &["gaia-core", "gaia-archive", "gaia-net"]),
    ("gaia-net", &[]),
    ("gaia-pictures", &[]),
    ("gaia-archive", &[]),
    (
        "gaia-host",
        &[
            "gaia-core",
            "gaia-documents",
            "gaia-protocol",
            "gaia-knowledge",
            "gaia-net",
            "gaia-pictures",
            "gaia-sandbox",
        ],
    ),
    ("gaia-sandbox", &["gaia-core"]),
];

/// Vocabulary that says nothing about an outside world; any room may speak it.
const VOCABULARY: &[&str] = &[
    "anyhow",
    "base64",
    "futures-core",
    "libc",
    "rustix",
    "serde",
    "serde_json",
    "sha2",
    // Formats: `archive` reads them to disk, `sandbox` into memory.
    "flate2",
    "tar",
    "thiserror",
    "tokio",
    "toml",
    "tracing",
    "tracing-subscriber",
];

/// Families of crates that count as one library with one owner.
const OWNERS: &[(&str, &str)] = &[
    ("llama-cpp", "gaia-inference"),
    ("llguidance", "gaia-inference"),
    ("toktrie", "gaia-inference"),
    ("wasmedge", "gaia-runtime"),
    ("landlock", "gaia-sandbox"),
    ("seccompiler", "gaia-sandbox"),
    ("semver", "gaia-sandbox"),
    ("similar", "gaia-core"),
    ("qdrant", "gaia-knowledge"),
    ("tonic", "gaia-knowledge"),
    ("text-splitter", "gaia-documents"),
    ("pulldown-cmark", "gaia-documents"),
    ("html5gum", "gaia-documents"),
    ("lopdf", "gaia-documents"),
    ("proc-macro2", "gaia-documents"),
    ("ignore", "gaia-documents"),
    ("zune", "gaia-pictures"),
    ("reqwest", "gaia-net"),
    ("rustls", "gaia-net"),
    ("mysql", "gaia-knowledge"),
    ("zstd", "gaia-archive"),
    ("axum", "gaia-host"),
    ("rmcp", "gaia-host"),
    ("schemars", "gaia-host"),
    ("hyper", "gaia-host"),
    ("clap", "gaia-host"),
];

struct Room {
    name: String,
    dependencies: BTreeSet<String>,
}

fn rooms() -> Vec<Room> {
    let manifests = sources(|path| path.starts_with("node/") && path.ends_with("/Cargo.toml"));
    manifests.iter().map(|manifest| parse(&manifest.text)).collect()
}

fn parse(manifest: &str) -> Room {
    let manifest: toml::Table = manifest.parse().expect("cargo accepts the manifest");
    let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let dependencies = dependencies.map(|table| table.keys().cloned().collect());
    Room { name, dependencies: dependencies.unwrap_or_default() }
}

#[test]
fn dependencies_between_rooms_point_one_way() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut findings = vec![];
    for room in rooms() {
        let Some(allowed) = allowed.get(room.name.as_str()) else {
            findings.push(format!("{} is not in the picture of rooms", room.name));
            continue;
        };
        let inside = room.dependencies.iter().filter(|name| name.starts_with("gaia-"));
        let wrong = inside.filter(|name| !allowed.contains(&name.as_str()));
        findings.extend(wrong.map(|name| format!("{} must not depend on {name}", room.name)));
    }
    assert_none("layering", &findings);
}

#[test]
fn each_outside_library_is_named_in_one_room() {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for room in rooms() {
        let outside = room.dependencies.iter().filter(|name| !name.starts_with("gaia-"));
        for library in outside.filter(|name| !VOCABULARY.contains(&name.as_str())) {
            users.entry(library.clone()).or_default().push(room.name.clone());
        }
    }
    let shared = users.iter().filter(|(_, rooms)| rooms.len() > 1);
    let findings: Vec<_> = shared
        .map(|(library, rooms)| format!("{library} is named by {}", rooms.join(", ")))
        .collect();
    assert_none("one owner per outside library", &findings);
}

#[test]
fn outside_worlds_stay_with_their_owner() {
    let mut findings = vec![];
    for room in rooms() {
        for library in &room.dependencies {
            let owner = OWNERS.iter().find(|(family, _)| library.starts_with(family));
            if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != room.name) {
                findings.push(format!("{library} belongs to {owner}, not to {}", room.name));
            }
        }
    }
    assert_none("owners", &findings);
}
