//! What manifests are refused for, and what they may say.

use proptest::prelude::*;

use super::*;
use crate::project::{FileMap, Project};

fn project(manifests: &[(&str, &str)]) -> Result<Project, ProjectError> {
    let files = manifests.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Project::from_map(FileMap(files.collect()), &Limits::default())
}

const PACKAGE: &str = "[package]\nname = \"a\"\n";

/// The problem of a manifest that begins with `PACKAGE`.
fn problem(rest: &str) -> ManifestProblem {
    let manifest = format!("{PACKAGE}{rest}");
    match project(&[("Cargo.toml", &manifest), ("sub/Cargo.toml", PACKAGE)]) {
        Err(ProjectError::Manifest(problem)) => problem,
        other => panic!("{rest}: {other:?}"),
    }
}

fn refused_place(rest: &str) -> String {
    match problem(rest).fault {
        ManifestFault::Refused { place, .. } => place,
        other => panic!("{rest}: {other}"),
    }
}

#[test]
fn a_project_has_a_manifest_at_its_top() {
    assert_eq!(project(&[("src/main.rs", "")]), Err(ProjectError::NoManifest));
    assert_eq!(project(&[("sub/Cargo.toml", PACKAGE)]), Err(ProjectError::NoManifest));
}

#[test]
fn what_is_no_toml_gives_its_line() {
    let problem = problem("x = \n");
    assert_eq!(problem.line, 3);
    assert!(matches!(problem.fault, ManifestFault::Syntax { .. }));
    assert!(problem.to_string().starts_with("Cargo.toml:3: "));
}

#[test]
fn a_key_twice_is_an_error() {
    assert_eq!(problem("name = \"b\"\n").line, 3);
}

#[test]
fn tables_of_power_are_refused() {
    for table in [
        "patch.crates-io",
        "replace",
        "source.crates-io",
        "env",
        "build",
        "unstable",
        "alias",
        "net",
    ] {
        let top = table.split('.').next().expect("accepted");
        assert_eq!(refused_place(&format!("[{table}]\n")), top);
    }
    let features = project(&[("Cargo.toml", "cargo-features = [\"x\"]\n")]);
    assert!(features.expect_err("refused").to_string().contains("unstable features"));
}

#[test]
fn dependencies_from_elsewhere_are_refused() {
    let cases = [
        ("git = \"https://example.org/a\"", "dependencies.x.git"),
        ("version = \"1\", registry = \"r\"", "dependencies.x.registry"),
        ("registry-index = \"r\"", "dependencies.x.registry-index"),
        ("version = \"1\", artifact = \"bin\"", "dependencies.x.artifact"),
    ];
    for (details, place) in cases {
        assert_eq!(refused_place(&format!("[dependencies]\nx = {{ {details} }}\n")), place);
    }
}

#[test]
fn every_table_of_dependencies_is_looked_into() {
    for table in [
        "dependencies",
        "dev-dependencies",
        "build-dependencies",
        "dev_dependencies",
        "build_dependencies",
        "target.'cfg(unix)'.dependencies",
        "target.x86_64-unknown-linux-gnu.build-dependencies",
        "workspace.dependencies",
    ] {
        let place = refused_place(&format!("[{table}.x]\ngit = \"https://example.org/a\"\n"));
        assert!(place.ends_with(".x.git"), "{place}");
    }
}

#[test]
fn paths_stay_inside() {
    for rest in [
        "build = \"../b.rs\"",
        "build = \"/b.rs\"",
        "build = [\"b.rs\", \"../c.rs\"]",
        "workspace = \"..\"",
        "[lib]\npath = \"../x.rs\"",
        "[[bin]]\nname = \"b\"\npath = \"/etc/passwd\"",
        "[[example]]\npath = \"a/../../x.rs\"",
        "[workspace]\nmembers = [\"../*\"]",
        "[workspace]\nexclude = [\"/x\"]",
        "[dependencies]\nx = { path = \"../x\" }",
        "[dependencies]\nx = { path = \"sub/../../x\", version = \"1\" }",
    ] {
        let fault = problem(rest).fault;
        assert!(matches!(fault, ManifestFault::Outside { .. }), "{rest}: {fault}");
    }
}

#[test]
fn a_path_leads_to_a_package() {
    let problem = problem("[dependencies]\nx = { path = \"nowhere\" }\n");
    assert_eq!((problem.line, problem.path.as_str()), (4, "Cargo.toml"));
    assert!(matches!(problem.fault, ManifestFault::NotThere { .. }));
}

#[test]
fn the_compiler_s_arguments_are_ours() {
    assert_eq!(refused_place("[profile.dev]\nrustflags = [\"-Zx\"]\n"), "profile.dev.rustflags");
    assert_eq!(
        refused_place("[profile.dev.package.\"*\"]\nrustflags = []\n"),
        "profile.dev.package.*.rustflags"
    );
    assert_eq!(refused_place("[profile.dev]\nx = [\"-Zunstable-options\"]\n"), "profile.dev.x");
    assert_eq!(
        refused_place("[target.x86_64-unknown-linux-gnu]\nlinker = \"sh\"\n"),
        "target.x86_64-unknown-linux-gnu.linker"
    );
    assert_eq!(refused_place("links = \"z\"\n"), "package.links");
}

#[test]
fn wrong_types_are_named() {
    for rest in [
        "[dependencies]\nx = 1\n",
        "[dependencies]\nx = { version = 1 }\n",
        "[dependencies]\nx = { optional = \"yes\" }\n",
        "[dependencies]\nx = { features = [1] }\n",
        "[workspace]\nmembers = [1]\n",
        "lib = 1\n[target]\nx = 1\n",
    ] {
        let fault = problem(rest).fault;
        assert!(matches!(fault, ManifestFault::WrongType { .. }), "{rest}: {fault}");
    }
    assert!(matches!(
        problem("[dependencies]\nx = \"one\"\n").fault,
        ManifestFault::Requirement { .. }
    ));
}

#[test]
fn a_large_manifest_is_refused() {
    let large = format!("# {}\n", "x".repeat(64 << 10));
    assert!(matches!(problem(&large).fault, ManifestFault::TooLarge { .. }));
}

#[test]
fn nesting_is_refused_without_a_crash() {
    let deep = format!("x = {}\n", "[".repeat(20_000));
    assert!(matches!(problem(&deep).fault, ManifestFault::Syntax { .. }));
    let dotted = format!("[profile.{}]\n", ["a"; 20_000].join("."));
    assert!(matches!(problem(&dotted).fault, ManifestFault::Syntax { .. }));
}

#[test]
fn a_manifest_below_is_checked_though_nothing_refers_to_it() {
    let refused = project(&[("Cargo.toml", PACKAGE), ("x/Cargo.toml", "[patch.crates-io]\n")]);
    let Err(ProjectError::Manifest(problem)) = refused else { panic!("{refused:?}") };
    assert_eq!(problem.path, "x/Cargo.toml");
}

#[test]
fn too_many_dependencies_are_refused() {
    let many: String = (0..201).map(|index| format!("c{index} = \"1\"\n")).collect();
    let fault = match project(&[("Cargo.toml", &format!("[dependencies]\n{many}"))]) {
        Err(ProjectError::Manifest(problem)) => problem.fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault, ManifestFault::TooManyDependencies { max: 200 });
}

#[test]
fn a_usual_manifest_is_taken() {
    let root = r#"
[package]
name = "a"
version = "0.1.0"
edition = "2024"
build = "build/main.rs"
include = ["src/**"]
[workspace]
members = ["sub", "crates/*"]
[workspace.dependencies]
log = "0.4"
[lib]
path = "src/lib.rs"
crate-type = ["rlib"]
[dependencies]
sub = { path = "sub" }
serde = { version = "1.0", features = ["derive"], default-features = false }
log = { workspace = true }
j = { package = "serde_json", version = "1", optional = true }
[dev-dependencies]
proptest = "1"
[target.'cfg(unix)'.dependencies]
libc = "0.2"
[features]
default = ["dep:j"]
[profile.release]
lto = "fat"
opt-level = 99
[lints.rust]
unsafe_code = "forbid"
"#;
    let project = project(&[
        ("Cargo.toml", root),
        ("sub/Cargo.toml", "[package]\nname = \"sub\"\nworkspace = \"..\"\n"),
    ])
    .expect("accepted");
    let names: Vec<_> = project.dependencies().iter().map(|found| found.package.as_str()).collect();
    assert_eq!(names.len(), 5);
    let find =
        |name| project.dependencies().iter().find(|found| found.package == name).expect("accepted");
    assert_eq!(find("serde").features, ["derive"]);
    assert!(!find("serde").default_features);
    assert_eq!(find("proptest").kind, DependencyKind::Dev);
    assert_eq!(
        find("serde_json").line,
        root.lines().position(|line| line.starts_with("j =")).expect("accepted") + 1
    );
    assert!(find("libc").default_features);
}

proptest! {
    #[test]
    fn foreign_manifests_never_panic(text in "(\\[|\\]|=|\"|'|\n|\\.|dependencies|package|path|git|x|-|\\{|\\}|,|1|\\PC){0,80}") {
        let _ = project(&[("Cargo.toml", &text)]);
    }

    #[test]
    fn no_path_leads_out(path in "(\\.|/|a|\\\\|:){0,12}") {
        let manifest = format!("[dependencies]\nx = {{ path = {:?} }}\n", path);
        let taken = project(&[("Cargo.toml", &manifest), ("a/Cargo.toml", PACKAGE)]).is_ok();
        let up = path.split('/').any(|name| name == "..");
        prop_assert!(!taken || !path.starts_with('/') && (!up || path.contains('a')));
    }
}
