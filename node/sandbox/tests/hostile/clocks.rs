//! Time, silence and cancellation.

use std::time::Duration;

use gaia_sandbox::jail::{Cancel, Ending};

use crate::harness::{Bench, attack, is_root, lines};

#[test]
fn a_sleeper_is_ended_when_its_time_is_over() {
    let bench = Bench::new();
    for name in ["sleep", "stubborn", "stop"] {
        let mut command = attack(&[name]);
        command.limits.time = Duration::from_millis(300);
        assert_eq!(bench.run(&command).ending, Ending::TimedOut, "{name}");
    }
}

#[test]
fn a_silent_job_is_ended_and_keeps_what_it_said() {
    let bench = Bench::new();
    let mut command = attack(&["sleep"]);
    command.limits.silence = Duration::from_secs(2);
    let outcome = bench.run(&command);
    assert_eq!(outcome.ending, Ending::Silent);
    assert_eq!(lines(&outcome), ["sleeping"]);
}

#[test]
fn a_job_that_speaks_now_and_then_is_not_silent() {
    let bench = Bench::new();
    let mut command = attack(&["tick"]);
    command.limits.silence = Duration::from_millis(1400);
    let outcome = bench.run(&command);
    assert_eq!(outcome.ending, Ending::Exited(0));
    assert_eq!(lines(&outcome).len(), 15);
}

/// Where no cgroup counts time on cores, only output is a sign of life.
#[test]
fn a_job_that_works_is_not_silent() {
    let bench = Bench::new();
    let mut command = attack(&["work"]);
    command.limits.silence = Duration::from_millis(1400);
    let outcome = bench.run(&command);
    let uncounted = !is_root() && outcome.ending == Ending::Silent;
    assert!(uncounted || outcome.ending == Ending::Exited(0), "{:?}", outcome.ending);
    assert_eq!(lines(&outcome).len(), usize::from(!uncounted));
}

#[test]
fn another_thread_cancels() {
    let bench = Bench::new();
    let (handle, cancel) = Cancel::pair().expect("a descriptor");
    let outcome = std::thread::scope(|scope| {
        let job = scope.spawn(|| bench.jail.run(&attack(&["sleep"]), &cancel));
        std::thread::sleep(Duration::from_millis(300));
        handle.cancel();
        job.join().expect("no panic").expect("the sandbox works")
    });
    assert_eq!(outcome.ending, Ending::Cancelled);
    bench.assert_clean();
}

#[test]
fn a_dropped_handle_cancels_before_the_start_too() {
    let bench = Bench::new();
    let (handle, cancel) = Cancel::pair().expect("a descriptor");
    drop(handle);
    let outcome = bench.jail.run(&attack(&["sleep"]), &cancel).expect("the sandbox works");
    assert_eq!(outcome.ending, Ending::Cancelled);
    bench.assert_clean();
}
