//! The layers as they hold for root and for a user without rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use gaia_sandbox::jail::{Jail, Layer, Settings, StartError, State};

use crate::harness::{Bench, attack_program, is_root};

const NOBODY: u32 = 65534;

#[test]
fn as_root_every_layer_is_enforced() {
    if !is_root() {
        return;
    }
    let report = Bench::new().jail.probe();
    assert!(report.is_whole(), "{report}");
}

#[test]
fn programs_that_are_missing_are_named() {
    let error = Jail::new(Settings::new("/no/helper")).expect_err("no helper").to_string();
    assert!(error.contains("/no/helper") && error.contains("gaia-jail"), "{error}");
    let settings = Settings { bwrap: "/no/bwrap".into(), ..Settings::new("/bin/true") };
    let error = Jail::new(settings).expect_err("no bubblewrap").to_string();
    assert!(error.contains("/no/bwrap") && error.contains("install"), "{error}");
}

/// A bubblewrap that makes no namespace is a reason for every layer, not a weaker sandbox.
#[test]
fn where_no_job_runs_every_layer_is_missing() {
    let bench = Bench::new();
    let settings = Settings { bwrap: "/bin/false".into(), ..crate::harness::settings() };
    let jail = Jail::new(settings).expect("the programs are there");
    let report = jail.probe();
    assert_eq!(report.unacceptable(&[]).count(), Layer::ALL.len(), "{report}");
    let command = crate::harness::attack(&["echo"]);
    let error = jail.run(&command, &gaia_sandbox::jail::Cancel::never()).expect_err("no sandbox");
    assert!(matches!(error, StartError::Setup(_)), "{error}");
    bench.assert_clean();
}

/// The whole suite again, as a user without rights, from a folder that it can read.
#[test]
fn nobody_is_as_safe_as_that_user_can_be() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let folder = Folder::new();
    let tests = folder.with(&std::env::current_exe().expect("a path"), "tests");
    folder.with(Path::new(env!("CARGO_BIN_EXE_gaia-jail")), "gaia-jail");
    folder.with(&attack_program(), "attack");
    let output = Program::new(tests)
        .args(["--include-ignored", "--skip", "the_node_that_dies", "--skip", "cargo::"])
        .args(["--skip", "a_job_dies_with_its_node"])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "as nobody: {text}");
    assert!(text.contains("test users::nobodys_layers ... ok"), "{text}");
    bench.assert_clean();
}

#[test]
#[ignore = "a part of nobody_is_as_safe_as_that_user_can_be"]
fn nobodys_layers() {
    assert!(!is_root());
    let bench = Bench::new();
    let report = bench.jail.probe();
    for line in &report.layers {
        let needs_root = [Layer::Memory, Layer::Processes, Layer::CpuWeight].contains(&line.layer);
        match &line.state {
            State::Missing { fix, .. } if needs_root => assert!(fix.contains("Delegate=yes")),
            State::Degraded { .. } => assert_eq!(line.layer, Layer::Uid),
            state => assert_eq!(*state, State::Enforced, "{}", line.layer),
        }
    }
    bench.assert_clean();
    drop(bench);
    refuses_to_weaken_silently();
}

fn refuses_to_weaken_silently() {
    let settings = Settings { accepted: vec![], ..crate::harness::settings() };
    let jail = Jail::new(settings).expect("the programs are there");
    let command = crate::harness::attack(&["echo"]);
    let error = jail.run(&command, &gaia_sandbox::jail::Cancel::never()).expect_err("no cgroup");
    assert!(matches!(error, StartError::Layer { layer: Layer::Memory, .. }), "{error}");
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = Path::new("/tmp").join(format!("gaia-nobody-{}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("ours");
        Self(folder)
    }

    fn with(&self, program: &Path, name: &str) -> PathBuf {
        let copy = self.0.join(name);
        fs::copy(program, &copy).expect("copied");
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("ours");
        copy
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
