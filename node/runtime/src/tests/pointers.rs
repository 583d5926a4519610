//! Pointers that leave the guest's memory, in every host function and every position.

use super::guest::{Node, number};
use crate::nn::Errno;

/// Every function of WASI-NN with good arguments around one pointer that is bad. `B` is the last
/// byte of the two pages of memory: no number fits there.
const BAD: &[&str] = &[
    "(call $load (i32.const B) (i32.const 1) (i32.const 6) (i32.const 1) (i32.const 64))",
    "(call $load (i32.const 0) (i32.const 1) (i32.const 6) (i32.const 1) (i32.const B))",
    "(call $load (i32.const 200) (i32.const 1) (i32.const 6) (i32.const 1) (i32.const 64))",
    "(call $load (i32.const -4) (i32.const 1) (i32.const 6) (i32.const 1) (i32.const 64))",
    "(call $load_by_name (i32.const B) (i32.const 7) (i32.const 64))",
    "(call $load_by_name (i32.const 32) (i32.const -1) (i32.const 64))",
    "(call $load_by_name (i32.const 32) (i32.const 7) (i32.const B))",
    "(call $with_config (i32.const B) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 64))",
    "(call $with_config (i32.const 32) (i32.const 7) (i32.const B) (i32.const 2) (i32.const 64))",
    "(call $with_config (i32.const 32) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const B))",
    "(call $init (i32.load (i32.const 64)) (i32.const B))",
    "(call $set (i32.load (i32.const 68)) (i32.const 0) (i32.const B))",
    "(call $set (i32.load (i32.const 68)) (i32.const 0) (i32.const 208))",
    "(call $set (i32.load (i32.const 68)) (i32.const 1) (i32.const 208))",
    "(call $get (i32.load (i32.const 68)) (i32.const 0) (i32.const B) (i32.const 9) (i32.const 0))",
    "(call $get (i32.load (i32.const 68)) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0))",
    "(call $get (i32.load (i32.const 68)) (i32.const 1) (i32.const 0) (i32.const 9) (i32.const B))",
    "(call $single (i32.load (i32.const 68)) (i32.const 0) (i32.const B) (i32.const 9) (i32.const 0))",
    "(call $single (i32.load (i32.const 68)) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const B))",
    "(call $next (i32.const B) (i32.const 9) (i32.const 0))",
    "(call $next (i32.const 0) (i32.const 9) (i32.const B))",
    "(call $next (i32.const 0) (i32.const -1) (i32.const 0))",
    "(call $emit (i32.const B) (i32.const 9))",
    "(call $emit (i32.const -1) (i32.const -1))",
];

const IMPORTS: &str = r#"
  (import "gaia_app" "next_request" (func $next (param i32 i32 i32) (result i32)))
  (import "gaia_app" "emit" (func $emit (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name"
    (func $load_by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name_with_config"
    (func $with_config (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output_single"
    (func $single (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute_single" (func $step (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "fini_single" (func $fini (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "unload" (func $unload (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "finalize_execution_context" (func $close (param i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 32) "default")
  (data (i32.const 48) "prompt")
  ;; A tensor over "prompt" at 96; a builder at 200 and a tensor at 208 that point outside.
  (data (i32.const 96) "\00\00\00\00\00\00\00\00\01\00\00\00\30\00\00\00\06\00\00\00")
  (data (i32.const 200) "\ff\ff\01\00\02\00\00\00")
  (data (i32.const 208) "\00\00\00\00\00\00\00\00\01\00\00\00\ff\ff\01\00\02\00\00\00")
  (func $say (param $number i32)
    (i32.store (i32.const 512) (local.get $number))
    (drop (call $emit (i32.const 512) (i32.const 4))))
  ;; The graph goes to 64, the context to 68.
  (func $open
    (call $say (call $load_by_name (i32.const 32) (i32.const 7) (i32.const 64)))
    (call $say (call $init (i32.load (i32.const 64)) (i32.const 68)))
    (call $say (call $set (i32.load (i32.const 68)) (i32.const 0) (i32.const 96))))
"#;

fn guest(start: &str) -> Vec<u8> {
    let text = format!("(module {IMPORTS} (func (export \"_start\") {start}))");
    wat::parse_str(&text).expect("the test's guest is well-formed")
}

/// Opens a context, sets a prompt and computes until the end, saying every error number.
pub(super) fn generating() -> Vec<u8> {
    guest(
        "(drop (call $next (i32.const 1024) (i32.const 4096) (i32.const 0)))
         (call $open)
         (call $say (call $compute (i32.load (i32.const 68))))",
    )
}

fn numbers(wasm: &[u8]) -> Vec<i32> {
    let node = Node::try_with(wasm, |_| {}).expect("starts");
    let (events, outcome) = node.ask(b"x");
    assert_eq!(outcome, gaia_protocol::Outcome::Done);
    events.iter().map(|event| number(event)).collect()
}

#[test]
fn every_wild_pointer_is_missing_memory() {
    let calls: String =
        BAD.iter().map(|call| format!("(call $say {})", call.replace('B', "131071"))).collect();
    let start = format!(
        "(drop (call $next (i32.const 1024) (i32.const 4096) (i32.const 0))) (call $open) {calls}"
    );
    let numbers = numbers(&guest(&start));
    assert_eq!(numbers[..3], [0, 0, 0]);
    for (call, number) in BAD.iter().zip(&numbers[3..]) {
        assert_eq!(*number, Errno::MissingMemory.number(), "{call}");
    }
    assert_eq!(numbers.len(), 3 + BAD.len());
}

#[test]
fn a_guest_without_a_memory_gets_nothing() {
    let text = r#"(module
        (import "gaia_app" "next_request" (func $next (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start")
          (call $exit (call $next (i32.const 0) (i32.const 0) (i32.const 0)))))"#;
    let error = Node::try_with(&wat::parse_str(text).expect("well-formed"), |_| {}).err();
    assert!(error.expect("refused").to_string().contains("code 3"));
}

#[test]
fn wrong_handles_kinds_and_encodings_have_the_plugins_numbers() {
    let start = "(drop (call $next (i32.const 1024) (i32.const 4096) (i32.const 0)))
        (call $say (call $init (i32.const 99) (i32.const 68)))
        (call $say (call $set (i32.const 99) (i32.const 0) (i32.const 96)))
        (call $say (call $compute (i32.const 99)))
        (call $say (call $step (i32.const 99)))
        (call $say (call $fini (i32.const 99)))
        (call $say (call $unload (i32.const 99)))
        (call $say (call $close (i32.const 99)))
        (call $say (call $load_by_name (i32.const 33) (i32.const 6) (i32.const 64)))
        (call $say (call $with_config
          (i32.const 32) (i32.const 7) (i32.const 48) (i32.const 6) (i32.const 64)))
        (i32.store (i32.const 80) (i32.const 48)) (i32.store (i32.const 84) (i32.const 6))
        (call $say (call $load
          (i32.const 80) (i32.const 1) (i32.const 6) (i32.const 1) (i32.const 64)))
        (call $say (call $load
          (i32.const 80) (i32.const 1) (i32.const 6) (i32.const 3) (i32.const 64)))
        (call $say (call $load
          (i32.const 80) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 64)))
        (call $say (call $load
          (i32.const 80) (i32.const 1) (i32.const 77) (i32.const 1) (i32.const 64)))
        (call $open)
        (call $say (call $get (i32.load (i32.const 68)) (i32.const 1)
          (i32.const 2048) (i32.const 10) (i32.const 512)))
        (call $say (i32.load (i32.const 2048)))";
    // After a buffer that is too small, nothing is written to it.
    assert_eq!(numbers(&guest(start)), [1, 1, 1, 1, 1, 1, 1, 8, 2, 6, 1, 1, 2, 0, 0, 0, 7, 0]);
}

#[test]
fn a_whole_answer_and_a_streamed_one() {
    let start = "(drop (call $next (i32.const 1024) (i32.const 4096) (i32.const 0)))
        (call $open)
        (call $say (call $compute (i32.load (i32.const 68))))
        (call $say (call $get (i32.load (i32.const 68)) (i32.const 0)
          (i32.const 2048) (i32.const 64) (i32.const 256)))
        (drop (call $emit (i32.const 2048) (i32.load (i32.const 256))))
        (block $end (loop $again
          (br_if $end (call $step (i32.load (i32.const 68))))
          (drop (call $single (i32.load (i32.const 68)) (i32.const 0)
            (i32.const 2048) (i32.const 64) (i32.const 256)))
          (drop (call $emit (i32.const 2048) (i32.load (i32.const 256))))
          (br $again)))
        (call $say (call $fini (i32.load (i32.const 68))))
        (call $say (call $close (i32.load (i32.const 68))))
        (call $say (call $unload (i32.load (i32.const 64))))";
    let node = Node::try_with(&guest(start), |_| {}).expect("starts");
    let (events, _) = node.ask(b"x");
    let zero = vec![0; 4];
    let expected: [&[u8]; 11] =
        [&zero, &zero, &zero, &zero, &zero, b"hi<end>", b"h", b"i", &zero, &zero, &zero];
    assert_eq!(events, expected);
}
