//! Jobs beside each other, and jobs whose node dies.

use std::fs;
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use gaia_sandbox::jail::{Cancel, Ending};

use crate::harness::{Bench, attack, cgroups, is_root, lines, processes};

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

/// Jobs of every kind, a few at once: the node is as it was.
#[test]
fn a_hundred_jobs_leave_no_descriptor_behind() {
    let bench = Bench::new();
    let open = || fs::read_dir("/proc/self/fd").expect("mounted").count();
    let before = open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|number| one_of_many(&bench, number)));
        }
    });
    assert_eq!(open(), before);
    bench.assert_clean();
}

fn one_of_many(bench: &Bench, number: usize) {
    let names = ["echo", "daemon", "abort", "memory", "links", "files"];
    let mut command = attack(&[names[number % names.len()], "10"]);
    if number.is_multiple_of(7) {
        command.binds[0].source = "/no/such/source".into();
    }
    let outcome = bench.jail.run(&command, &Cancel::never());
    assert_eq!(outcome.is_err(), number.is_multiple_of(7), "{outcome:?}");
}

#[test]
fn a_running_job_has_less_weight_than_the_node() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let (handle, cancel) = Cancel::pair().expect("a descriptor");
    let outcome = std::thread::scope(|scope| {
        let job = scope.spawn(|| bench.jail.run(&attack(&["sleep"]), &cancel));
        wait_until(|| weights().iter().any(|weight| weight == "256" || weight == "25"));
        handle.cancel();
        job.join().expect("no panic").expect("the sandbox works")
    });
    assert_eq!(outcome.ending, Ending::Cancelled);
    bench.assert_clean();
}

/// Of the jobs' cgroups, in v1 or v2.
fn weights() -> Vec<String> {
    let read = |file: &str| {
        cgroups()
            .into_iter()
            .filter_map(|group| fs::read_to_string(group.join(file)).ok())
            .collect()
    };
    let all: [Vec<String>; 2] = [read("cpu.shares"), read("cpu.weight")];
    all.concat().iter().map(|weight| weight.trim().to_owned()).collect()
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
