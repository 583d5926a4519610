//! Guests that do their worst: each loses its own request, and the process goes on.

use gaia_protocol::Outcome;

use super::guest::{Node, module};

/// Calls itself in a way that no compiler turns into a loop.
const DEEP: &str = "(func $deep (param i32) (result i32)
    (i32.store (i32.const 900) (call $deep (i32.add (local.get 0) (i32.const 1))))
    (i32.load (i32.const 900)))";

/// The outcome of each of several requests to an app that does this with it.
fn outcomes(start: &str, more: &str) -> Vec<Outcome> {
    // The module's last parenthesis closes `_start`: more functions come before it.
    let wasm = module(&format!("(drop (call $take)) {start}) {more} (func"));
    let node = Node::try_with(&wasm, |config| config.instances_warm = 2).expect("starts");
    (0..5).map(|_| node.ask(b"x").1).collect()
}

fn traps(start: &str, more: &str, words: &str) {
    for outcome in outcomes(start, more) {
        assert!(
            matches!(&outcome, Outcome::Trap { message } if message.contains(words)),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_wild_load_traps() {
    traps("(drop (i32.load (i32.const 0x7fffffff)))", "", "out of bounds memory access");
}

#[test]
fn a_wild_store_traps() {
    traps("(i64.store offset=4294967295 (i32.const -1) (i64.const 1))", "", "out of bounds");
}

#[test]
fn a_division_by_zero_traps() {
    traps("(drop (i32.div_s (i32.const 1) (i32.load (i32.const 900))))", "", "divide by zero");
}

#[test]
fn endless_recursion_traps() {
    traps("(drop (call $deep (i32.const 1)))", DEEP, "out of bounds memory access");
}

#[test]
fn a_wild_indirect_call_traps() {
    traps(
        "(call_indirect (param i32) (i32.const 1) (i32.const 77))",
        "(table 1 funcref)",
        "undefined element",
    );
}

#[test]
fn hostile_guests_side_by_side_do_not_disturb_an_honest_one() {
    let honest = Node::start("(drop (call $take)) (call $reply)");
    std::thread::scope(|scope| {
        for start in [
            "(drop (i32.load (i32.const 0x7fffffff)))",
            "(drop (i32.div_s (i32.const 1) (i32.load (i32.const 900))))",
            "(drop (call $deep (i32.const 1)))",
            "(unreachable)",
        ] {
            scope.spawn(move || {
                let wasm = module(&format!("(drop (call $take)) {start}) {DEEP} (func"));
                let node = Node::try_with(&wasm, |_| {}).expect("starts");
                for _ in 0..20 {
                    let outcome = node.ask(b"x").1;
                    assert!(!matches!(outcome, Outcome::Done | Outcome::Overloaded), "{outcome:?}");
                }
            });
        }
        for _ in 0..100 {
            assert_eq!(honest.ask(b"y").1, Outcome::Done);
        }
    });
}

#[test]
fn an_exit_code_is_told() {
    assert_eq!(outcomes("(call $exit (i32.const 42))", "")[0], Outcome::Exit { code: 42 });
    let node = Node::start("(drop (call $take)) (call $reply) (call $exit (i32.const 0))");
    assert_eq!(node.ask(b"x").1, Outcome::Done);
}

#[test]
fn standard_input_is_empty_and_output_never_blocks() {
    // One buffer of 60,000 bytes at 2048, written 40 times to both streams.
    let node = Node::start(
        "(local $left i32)
         (drop (call $take))
         (i32.store (i32.const 16) (i32.const 2048))
         (i32.store (i32.const 20) (i32.const 60000))
         (call $say (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
         (call $say (i32.load (i32.const 24)))
         (local.set $left (i32.const 40))
         (loop $again
           (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
           (drop (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 24)))
           (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
         (call $say (i32.load (i32.const 24)))",
    );
    let (events, outcome) = node.ask(b"x");
    let numbers: Vec<i32> = events.iter().map(|event| super::guest::number(event)).collect();
    assert_eq!(numbers, [0, 0, 60_000]);
    assert_eq!(outcome, Outcome::Done);
}
