//! What may stand in a source: where `unsafe` lives, how lints are silenced, what is never written.

use crate::sources::{Source, assert_none, rust_sources, sources};

/// Rooms that speak C; everything else forbids `unsafe`.
const ROOMS_WITH_UNSAFE: &[&str] =
    &["node/runtime/", "node/inference/", "node/sandbox/", "wasm-apps/sdk/"];

/// Every file that starts a crate.
fn crate_roots() -> Vec<Source> {
    let ends = ["/src/lib.rs", "/src/main.rs"];
    let mut roots = rust_sources();
    roots.retain(|source| ends.iter().any(|end| source.path.ends_with(end)));
    roots
}

#[test]
fn unsafe_is_forbidden_where_it_does_not_belong() {
    let findings: Vec<_> = crate_roots()
        .into_iter()
        .filter(|root| !ROOMS_WITH_UNSAFE.iter().any(|room| root.path.starts_with(room)))
        .filter(|root| !root.text.contains("#![forbid(unsafe_code)]"))
        .map(|root| root.path)
        .collect();
    assert_none("crates without forbid(unsafe_code)", &findings);
}

#[test]
fn unsafe_stands_in_ffi_files_alone() {
    let findings: Vec<_> = rust_sources()
        .into_iter()
        .filter(|source| ROOMS_WITH_UNSAFE.iter().any(|room| source.path.starts_with(room)))
        .filter(|source| !source.path.contains("ffi"))
        .filter(|source| source.text.lines().any(|line| line.contains("unsafe ")))
        .map(|source| source.path)
        .collect();
    assert_none("unsafe outside ffi files", &findings);
}

#[test]
fn every_crate_root_says_what_it_is_for() {
    let findings: Vec<_> = crate_roots()
        .into_iter()
        .filter(|root| !root.text.starts_with("//!"))
        .map(|root| root.path)
        .collect();
    assert_none("crate roots without a purpose", &findings);
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let attribute = concat!("[", "allow(");
    let findings: Vec<_> = rust_sources()
        .into_iter()
        .filter(|source| source.text.contains(attribute))
        .map(|source| source.path)
        .collect();
    assert_none("use #[expect(.., reason = \"..\")]", &findings);
}

#[test]
fn nothing_is_left_for_later() {
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("X", "XX")];
    let mut findings = vec![];
    for source in sources(|path| !path.ends_with(".lock") && !path.ends_with(".json")) {
        for (index, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    assert_none("unfinished business", &findings);
}
