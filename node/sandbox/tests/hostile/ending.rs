//! How jobs end, and what goes in and out.

use gaia_sandbox::jail::{Command, Ending, StartError};

use crate::harness::{Bench, attack, lines};

#[test]
fn codes_and_signals_come_back() {
    let bench = Bench::new();
    assert_eq!(bench.attack(&["exit", "7"]).ending, Ending::Exited(7));
    assert_eq!(bench.attack(&["abort"]).ending, Ending::Signalled(6));
    assert_eq!(bench.attack(&["crash"]).ending, Ending::Signalled(11));
    assert_eq!(bench.attack(&["massacre"]).ending, Ending::Exited(0), "it is all alone");
}

#[test]
fn what_can_not_be_executed_is_named() {
    let bench = Bench::new();
    let ending = bench.run(&Command::new(["/no/such/program"])).ending;
    assert!(matches!(&ending, Ending::NotStarted(why) if why.contains("/no/such/program")));
    let mut command = attack(&["echo"]);
    command.directory = "/no/such/folder".into();
    let ending = bench.run(&command).ending;
    assert!(matches!(&ending, Ending::NotStarted(why) if why.contains("/no/such/folder")));
}

#[test]
fn a_bind_that_is_not_there_is_an_error_of_the_start() {
    let bench = Bench::new();
    let mut command = attack(&["echo"]);
    command.binds[0].source = "/no/such/source".into();
    let error = bench.jail.run(&command, &gaia_sandbox::jail::Cancel::never());
    let error = error.expect_err("nothing to bind");
    assert!(matches!(&error, StartError::Setup(why) if why.contains("/no/such/source")), "{error}");
    bench.assert_clean();
}

#[test]
fn the_input_is_read_to_its_end() {
    let bench = Bench::new();
    let mut command = attack(&["echo"]);
    command.stdin = vec![b'a'; 50_000];
    let outcome = bench.run(&command);
    assert_eq!(outcome.stdout.bytes, command.stdin);
    assert_eq!(bench.attack(&["echo"]).stdout.bytes, b"");
}

#[test]
fn the_input_can_not_be_changed_into_a_store() {
    let outcome = Bench::new().attack(&["write", "/proc/self/fd/0"]);
    assert!(lines(&outcome)[0].contains("refused"), "{outcome:?}");
}

#[test]
fn daemons_end_with_the_job() {
    let outcome = Bench::new().attack(&["daemon"]);
    assert_eq!(outcome.ending, Ending::Exited(0));
    assert_eq!(lines(&outcome), ["left"]);
}
