//! More of everything than there is.

use std::time::Duration;

use gaia_sandbox::jail::{Ending, Limits};

use crate::harness::{Bench, LIMITS, assert_refused, attack, is_root, lines};

#[test]
fn a_fork_bomb_meets_the_limit_of_processes() {
    let bench = Bench::new();
    let mut command = attack(&["fork"]);
    command.limits.time = Duration::from_millis(500);
    let outcome = bench.run(&command);
    // Whichever limit it meets last: all its processes together also take memory.
    let ended = matches!(outcome.ending, Ending::TimedOut | Ending::OutOfMemory);
    assert!(ended, "{:?}", outcome.ending);
    assert!(outcome.notes.process_limit_hits > 0 || !is_root());
}

#[test]
fn memory_ends_at_its_limit() {
    let outcome = Bench::new().attack(&["memory"]);
    if is_root() {
        assert_eq!(outcome.ending, Ending::OutOfMemory);
        assert!(outcome.notes.oom_kills > 0);
        let peak = outcome.memory_peak_bytes.expect("counted");
        assert!(peak <= LIMITS.memory_bytes, "{peak}");
    } else {
        assert_eq!(outcome.ending, Ending::Signalled(6), "an allocation fails");
    }
}

#[test]
fn memory_is_counted_for_all_processes_together() {
    if !is_root() {
        return;
    }
    let outcome = Bench::new().attack(&["families"]);
    assert_eq!(outcome.ending, Ending::OutOfMemory);
}

#[test]
fn files_count_as_memory() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let mut command = attack(&["fill", "/dev/shm"]);
    command.limits.disk_bytes = 256 << 20;
    assert_eq!(bench.run(&command).ending, Ending::OutOfMemory);
}

#[test]
fn the_disk_ends_at_its_limit_wherever_it_is_filled() {
    let bench = Bench::new();
    for folder in ["/job", "/tmp", "/dev/shm"] {
        let outcome = bench.attack(&["fill", folder]);
        let line = &lines(&outcome)[0];
        let bytes: u64 = line.split(' ').nth(2).and_then(|n| n.parse().ok()).expect("a number");
        assert!(bytes <= LIMITS.disk_bytes && bytes > LIMITS.disk_bytes / 2, "{line}");
        assert!(line.ends_with("refused 28"), "no space left: {line}");
        assert!(outcome.notes.disk_full);
    }
}

#[test]
fn ten_thousand_files_are_fine_and_more_than_the_limit_are_not() {
    let bench = Bench::new();
    let outcome = bench.attack(&["files", "10000"]);
    assert_eq!(lines(&outcome), ["10000 files"]);
    assert!(!outcome.notes.disk_full);
    let mut command = attack(&["files", "10000"]);
    command.limits.disk_files = 1000;
    let outcome = bench.run(&command);
    assert_eq!(lines(&outcome), ["1000 files"]);
    assert!(outcome.notes.disk_full);
}

#[test]
fn one_file_ends_at_its_limit() {
    let bench = Bench::new();
    let mut command = attack(&["grow"]);
    command.limits.file_bytes = 1 << 20;
    assert_eq!(bench.run(&command).ending, Ending::Signalled(25), "SIGXFSZ");
}

#[test]
fn endless_output_is_cut_counted_and_ended() {
    let outcome = Bench::new().attack(&["print"]);
    assert_eq!(outcome.ending, Ending::OutputLimit);
    let mut total = 0;
    for output in [&outcome.stdout, &outcome.stderr] {
        assert_eq!(output.bytes.len(), LIMITS.output_bytes);
        assert!(output.bytes.iter().all(|byte| *byte == b'x'));
        total += output.bytes.len() as u64 + output.cut_bytes;
    }
    assert!(total > LIMITS.output_bytes_max);
    assert!(total < LIMITS.output_bytes_max + (1 << 20), "ended at once: {total}");
}

#[test]
fn a_job_may_not_raise_its_limits() {
    let bench = Bench::new();
    let mut command = attack(&[]);
    let script = "ulimit -Hn 100000 2>/dev/null && echo n DONE; ulimit -Hc 1000 2>/dev/null && \
                  echo c DONE; ulimit -Hu 100000 2>/dev/null && echo u DONE; echo all refused 0";
    command.argv = ["/bin/bash", "-c", script].map(str::to_owned).to_vec();
    command.limits = Limits { processes: 16, ..LIMITS };
    assert_refused(&bench.run(&command), 1);
}
