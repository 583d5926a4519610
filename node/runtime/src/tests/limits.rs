//! Time, instructions and memory.

use std::time::Duration;

use gaia_protocol::Outcome;

use super::guest::{Message, Node, number};
use crate::nn::fake::{FakeModel, Script};

const ENDLESS: &str = "(drop (call $take)) (call $reply) (loop $again (br $again))";

#[test]
fn an_endless_loop_meets_the_time_limit() {
    let node = Node::with(ENDLESS, |config| config.time_ms_max = 100);
    assert_eq!(node.ask(b"x"), (vec![b"x".to_vec()], Outcome::TimeLimit));
    assert_eq!(node.pool.stats().traps_total, 1);
}

#[test]
fn a_full_window_meets_the_time_limit() {
    let node = Node::with("(drop (call $take)) (call $reply)", |config| config.time_ms_max = 100);
    assert_eq!(node.submit_to(b"x", 0).finish(), (vec![], Outcome::TimeLimit));
}

#[test]
fn a_silent_model_meets_the_time_limit() {
    let model = FakeModel::chat(Script::Silent);
    let wasm = super::pointers::generating();
    let node = Node::try_over(model, &wasm, |config| config.time_ms_max = 100).expect("starts");
    assert_eq!(node.ask(b"x").1, Outcome::TimeLimit);
}

#[test]
fn a_guest_asleep_inside_wasi_loses_its_request_in_time() {
    // One clock subscription of about an hour, relative, at 0; the event goes to 128.
    let node = Node::with(
        "(drop (call $take))
         (memory.fill (i32.const 0) (i32.const 0) (i32.const 256))
         (i32.store (i32.const 16) (i32.const 1))
         (i64.store (i32.const 24) (i64.const 4000000000))
         (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 252)))
         (call $reply)",
        |config| config.time_ms_max = 100,
    );
    assert_eq!(node.ask(b"x"), (vec![], Outcome::TimeLimit));
    // It sleeps on, and the watchdog has nothing more to do about it.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(node.pool.stats().traps_total, 1);
}

#[test]
fn cancelling_ends_an_endless_loop() {
    let node = Node::start(ENDLESS);
    let client = node.submit(b"x");
    assert_eq!(client.next(), Message::Event(b"x".to_vec()));
    client.handle.cancel();
    assert_eq!(client.finish().1, Outcome::Cancelled);
}

#[test]
fn an_endless_loop_meets_the_instruction_limit() {
    let node = Node::with(ENDLESS, |config| config.instructions_max = Some(100_000));
    for _ in 0..3 {
        assert_eq!(node.ask(b"x"), (vec![b"x".to_vec()], Outcome::InstructionLimit));
    }
}

/// Runs its loop so many times before and after it takes a request.
fn counted(before: u32, after: u32) -> String {
    let spin = |count: u32, label: &str| {
        format!(
            "(local.set $left (i32.const {count}))
             (loop ${label}
               (br_if ${label}
                 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
        )
    };
    format!(
        "(local $left i32) {} (drop (call $take)) {} (call $reply)",
        spin(before, "set_up"),
        spin(after, "work")
    )
}

#[test]
fn instructions_are_counted_from_the_request_on() {
    // A turn of the loop has five or six instructions: set-up and work fit apart, not together.
    let limit = |config: &mut gaia_protocol::AppConfig| config.instructions_max = Some(100_000);
    let fits = Node::with(&counted(10_000, 10_000), limit);
    assert_eq!(fits.ask(b"x").1, Outcome::Done);
    let too_many = Node::with(&counted(10_000, 40_000), limit);
    assert_eq!(too_many.ask(b"x").1, Outcome::InstructionLimit);
}

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    let node = Node::with(
        "(drop (call $take))
         (call $say (memory.grow (i32.const 62)))
         (call $say (memory.grow (i32.const 1)))
         (call $say (memory.size))",
        |config| config.memory_bytes_max = 64 * 65_536,
    );
    let (events, outcome) = node.ask(b"x");
    let numbers: Vec<i32> = events.iter().map(|event| number(event)).collect();
    assert_eq!(numbers, [2, -1, 64]);
    assert_eq!(outcome, Outcome::Done);
}

#[test]
fn a_guest_that_takes_all_memory_and_traps_leaves_the_pool_well() {
    let hog = "(drop (call $take))
         (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         (memory.fill (i32.const 0) (i32.const 7) (i32.const 4194304))
         (memory.fill (i32.const 1) (i32.const 7) (i32.const 4194304))";
    let node = Node::start(hog);
    for _ in 0..3 {
        let (_, outcome) = node.ask(b"x");
        assert!(matches!(&outcome, Outcome::Trap { message } if message.contains("memory")));
    }
}
