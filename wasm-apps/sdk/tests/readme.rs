//! The apps that the README shows are the apps that are built.

use std::path::Path;

#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("it is committed");
    let readme = read("README.md");
    for path in ["examples/echo/src/main.rs", "examples/tldr/src/main.rs"] {
        let source = read(path);
        let (app, _tests) = source.split_once("\n#[cfg(test)]").expect("it ends with its tests");
        let block = format!("```rust\n{app}```\n");
        assert!(readme.contains(&block), "README.md shows another version of {path}");
    }
}
