//! Finds the files that the rules speak of.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One tracked file, with its path from the project's root.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// The project's root.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ lies in the root").to_path_buf()
}

/// All text files that git tracks or would track, whose path passes `wanted`.
pub fn sources(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the project's files");
    assert!(listing.status.success(), "git ls-files failed: the tidy test needs a git checkout");
    let listing = String::from_utf8(listing.stdout).expect("our paths are UTF-8");
    let found: Vec<Source> = listing
        .lines()
        .filter(|path| wanted(path))
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect();
    assert!(!found.is_empty(), "no file matched: the rule would check nothing");
    found
}

/// Rust sources of the project.
pub fn rust_sources() -> Vec<Source> {
    sources(|path| path.ends_with(".rs"))
}

/// Fails with all findings at once.
pub fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
