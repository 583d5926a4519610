//! Files into the job and out of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use gaia_sandbox::jail::{Bind, Cancel, Collect, CollectError, File, StartError};

use crate::harness::{Bench, LIMITS, attack, lines};

fn collect(path: &str) -> Collect {
    Collect { path: path.into(), bytes_max: 100 }
}

fn file(path: String, content: Vec<u8>) -> File {
    File { path: path.into(), content, executable: false }
}

#[test]
fn links_are_not_followed_out() {
    let bench = Bench::new();
    let mut command = attack(&["links"]);
    let names = ["shadow", "folder/etc/passwd", "magic", "pipe", "good", "none", "."];
    command.collect = names.map(collect).to_vec();
    let outcome = bench.run(&command);
    let came: Vec<_> = outcome.collected.into_iter().map(|file| file.content).collect();
    let absent = || Err(CollectError::Absent);
    let not_regular = || Err(CollectError::NotRegular);
    let good = Ok(b"good".to_vec());
    let expected = [absent(), absent(), absent(), not_regular(), good, absent(), not_regular()];
    assert_eq!(came, expected);
    let text = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    assert!(text.contains("hard refused"), "no second name for a file of the host: {text}");
}

#[test]
fn what_is_too_large_stays() {
    let bench = Bench::new();
    let mut command = attack(&["fill", "/job"]);
    command.collect = vec![collect("0")];
    let outcome = bench.run(&command);
    assert_eq!(outcome.collected[0].content, Err(CollectError::TooLarge { bytes: 1 << 20 }));
}

#[test]
fn ten_thousand_files_go_in() {
    let bench = Bench::new();
    let mut command = attack(&["list", "/job/deep/er"]);
    // A page each.
    command.limits.disk_bytes = 64 << 20;
    command.limits.output_bytes = 1 << 20;
    command.files =
        (0..10_000).map(|n| file(format!("deep/er/{n}"), n.to_string().into_bytes())).collect();
    command.collect = vec![collect("deep/er/9999")];
    let outcome = bench.run(&command);
    assert_eq!(lines(&outcome)[0].split(' ').count(), 10_000);
    assert_eq!(outcome.collected[0].content.as_deref(), Ok(&b"9999"[..]));
}

#[test]
fn too_much_is_refused_before_anything_runs() {
    let bench = Bench::new();
    let mut command = attack(&["echo"]);
    let large = vec![0; usize::try_from(LIMITS.disk_bytes).expect("small") + 1];
    command.files = vec![file("large".into(), large)];
    let error = bench.jail.run(&command, &Cancel::never()).expect_err("does not fit");
    assert!(matches!(&error, StartError::Input { path, .. } if path == &PathBuf::from("large")));
    bench.assert_clean();
}

/// A careful administrator's umask closes what the node makes, and must not close it to the job.
#[test]
fn a_strict_umask_of_the_node_is_the_nodes_own() {
    let bench = Bench::new();
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut command = attack(&["read", "/etc/passwd", "/job/a/b"]);
    command.files = vec![file("a/b".into(), vec![])];
    let outcome = bench.jail.run(&command, &Cancel::never());
    rustix::process::umask(before);
    let outcome = outcome.expect("the sandbox works");
    assert!(lines(&outcome).iter().all(|line| line.ends_with("DONE")), "{outcome:?}");
    bench.assert_clean();
}

#[test]
fn the_job_owns_what_went_in() {
    let bench = Bench::new();
    let mut command = attack(&["write", "/job/a", "/job/b/c", "/job/b/new", "/job/new"]);
    command.files = vec![file("a".into(), vec![]), file("b/c".into(), vec![])];
    let outcome = bench.run(&command);
    assert!(lines(&outcome).iter().all(|line| line.ends_with("DONE")), "{outcome:?}");
}

/// A folder that was built ahead: two jobs change it, each for itself, and the host's stays.
#[test]
fn an_overlay_is_changed_for_one_job_alone() {
    let bench = Bench::new();
    let folder = std::env::temp_dir().join(format!("gaia-overlay-{}", std::process::id()));
    fs::create_dir_all(folder.join("deps")).expect("a folder");
    fs::write(folder.join("deps/old"), "old").expect("writable");
    for (path, mode) in [("deps", 0o777), ("deps/old", 0o666)] {
        fs::set_permissions(folder.join(path), Permissions::from_mode(mode)).expect("ours");
    }
    for _ in 0..2 {
        let mut command = attack(&["write", "/job/target/deps/old", "/job/target/deps/new"]);
        command.binds.push(Bind::overlay(&folder, "/job/target"));
        command.files = vec![file("target/given".into(), b"given".to_vec())];
        let names = ["target/deps/old", "target/deps/new", "target/given", "deps/old"];
        command.collect = names.map(collect).to_vec();
        let outcome = bench.run(&command);
        let came: Vec<_> = outcome.collected.into_iter().map(|file| file.content).collect();
        let good = |text: &str| Ok(text.as_bytes().to_vec());
        let absent = Err(CollectError::Absent);
        assert_eq!(came, [good("1ld"), good("1"), good("given"), absent]);
    }
    assert_eq!(fs::read(folder.join("deps/old")).expect("there"), b"old");
    assert!(!folder.join("deps/new").exists() && !folder.join("given").exists());
    fs::remove_dir_all(folder).expect("ours");
}

#[test]
fn an_overlay_ends_at_the_disks_limit() {
    let bench = Bench::new();
    let folder = std::env::temp_dir().join(format!("gaia-overlay-full-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let mut command = attack(&["fill", "/job/target"]);
    command.binds.push(Bind::overlay(&folder, "/job/target"));
    let outcome = bench.run(&command);
    fs::remove_dir(&folder).expect("still empty");
    assert!(lines(&outcome)[0].ends_with("refused 28"), "{outcome:?}");
    assert!(outcome.notes.disk_full);
}
