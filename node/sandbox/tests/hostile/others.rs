//! Jobs beside each other, and jobs whose node dies.

use std::fs;
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use gaia_sandbox::jail::{Cancel, Ending};

use crate::harness::{Bench, attack, is_root, lines, processes};

#[test]
fn jobs_at_once_have_each_their_own_user_and_world() {
    let bench = Bench::new();
    let outcomes = std::thread::scope(|scope| {
        let run = |_| {
            scope.spawn(|| {
                let mut command = attack(&["list", "/proc", "/tmp", "/job", "/dev/shm"]);
                let script = "echo mine >/tmp/mine; echo mine >/dev/shm/mine; sleep 0.5; \
                              exec /attack list /proc /tmp /job /dev/shm";
                command.argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
                command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
                bench.jail.run(&command, &Cancel::never()).expect("the sandbox works")
            })
        };
        let jobs: Vec<_> = (0..4).map(run).collect();
        std::thread::sleep(Duration::from_millis(400));
        let users: std::collections::BTreeSet<_> = processes().into_iter().map(uid).collect();
        assert!(users.len() > 1 || !is_root(), "{users:?}");
        jobs.into_iter().map(|job| job.join().expect("no panic")).collect::<Vec<_>>()
    });
    for outcome in outcomes {
        assert_eq!(outcome.ending, Ending::Exited(0));
        let lines = lines(&outcome);
        let numbers = lines[0].split(' ').filter(|name| name.parse::<u32>().is_ok());
        assert_eq!(numbers.count(), 2, "pid 1 and itself: {}", lines[0]);
        assert_eq!(lines[1..], ["mine", "", "mine"]);
    }
    bench.assert_clean();
}

fn uid(process: String) -> String {
    process.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_job_dies_with_its_node() {
    let bench = Bench::new();
    let mut node = Program::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "others::the_node_that_dies", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    wait_until(|| processes().iter().any(|process| process.contains("/attack sleep")));
    node.kill().expect("ours");
    node.wait().expect("ours");
    wait_until(|| processes().is_empty());
    // What it could not remove any more is removed by the next one.
    drop(bench);
    let bench = Bench::new();
    let left = fs::read_dir("/sys/fs/cgroup/pids").into_iter().flatten().flatten();
    let name = format!("gaia-jail-{}-", node.id());
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name));
    assert_eq!(left.count(), 0);
    bench.assert_clean();
}

#[test]
#[ignore = "a part of a_job_dies_with_its_node, which kills it"]
fn the_node_that_dies() {
    let bench = Bench::new();
    let _ = bench.jail.run(&attack(&["sleep"]), &Cancel::never());
}

/// A wait for what must come, with an end in case it doesn't.
fn wait_until(holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}
