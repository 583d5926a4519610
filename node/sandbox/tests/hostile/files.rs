//! Files into the job and out of it.

use std::path::PathBuf;

use gaia_sandbox::jail::{Cancel, Collect, CollectError, File, StartError};

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

#[test]
fn the_job_owns_what_went_in() {
    let bench = Bench::new();
    let mut command = attack(&["write", "/job/a", "/job/b/c", "/job/b/new", "/job/new"]);
    command.files = vec![file("a".into(), vec![]), file("b/c".into(), vec![])];
    let outcome = bench.run(&command);
    assert!(lines(&outcome).iter().all(|line| line.ends_with("DONE")), "{outcome:?}");
}
