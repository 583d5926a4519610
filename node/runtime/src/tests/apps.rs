//! Apps that are refused before they serve anything.

use super::guest::{Node, module};
use crate::AppError;

fn refused(wasm: &[u8]) -> AppError {
    match Node::try_with(wasm, |_| {}) {
        Ok(_) => panic!("the app must be refused"),
        Err(error) => error,
    }
}

fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's guest is well-formed")
}

#[test]
fn what_is_no_wasm_is_invalid() {
    for bytes in [&b""[..], b"not wasm", b"\0asm\x01\0\0", b"\0asm\x01\0\0\0\x01"] {
        let error = refused(bytes);
        assert!(matches!(error, AppError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains("guest.wasm"), "{error}");
    }
    let ill_typed = [
        &b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0"[..],
        b"\x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b",
    ]
    .concat();
    assert!(matches!(refused(&ill_typed), AppError::Invalid { .. }));
}

#[test]
fn a_missing_file_is_named() {
    let error = Node::try_with(b"", |config| config.path = "/nowhere/app.wasm".into())
        .err()
        .expect("refused");
    assert!(error.to_string().contains("/nowhere/app.wasm"), "{error}");
}

#[test]
fn a_foreign_import_is_named() {
    let error =
        refused(&parse(r#"(module (import "env" "steal" (func)) (func (export "_start")))"#));
    assert!(error.to_string().contains("env.steal"), "{error}");
    let error = refused(&parse(
        r#"(module
            (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
            (func (export "_start")))"#,
    ));
    assert!(error.to_string().contains("sock_open"), "{error}");
    let error =
        refused(&parse(r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#));
    assert!(error.to_string().contains("env.memory"), "{error}");
}

#[test]
fn a_known_import_of_a_wrong_type_is_refused() {
    let error = refused(&parse(
        r#"(module (import "gaia_app" "emit" (func (param i64) (result i32)))
            (func (export "_start")))"#,
    ));
    assert!(matches!(error, AppError::NotReady { .. }), "{error}");
}

#[test]
fn a_library_without_a_start_is_refused() {
    let error = refused(&parse(r#"(module (func (export "main")))"#));
    assert!(matches!(error, AppError::NoStart { .. }), "{error}");
}

#[test]
fn an_app_that_starts_with_too_much_memory_is_refused() {
    let error =
        refused(&parse(r#"(module (memory (export "memory") 65) (func (export "_start")))"#));
    assert!(matches!(error, AppError::Memory { .. }), "{error}");
    let hidden = refused(&parse(r#"(module (memory 65) (func (export "_start")))"#));
    assert!(matches!(hidden, AppError::NotReady { .. }), "{hidden}");
}

#[test]
fn limits_of_nothing_are_refused_by_name() {
    type Change = fn(&mut gaia_protocol::AppConfig);
    let changes: [(&str, Change); 5] = [
        ("instances_max", |config| config.instances_max = 0),
        ("time_ms_max", |config| config.time_ms_max = 0),
        ("event_bytes_max", |config| config.event_bytes_max = 0),
        ("instructions_max", |config| config.instructions_max = Some(0)),
        ("memory_bytes_max", |config| config.memory_bytes_max = 65_535),
    ];
    for (name, change) in changes {
        let error = Node::try_with(&module("(drop (call $take))"), change).err().expect("refused");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn an_app_that_ends_before_it_asks_for_a_request_says_how() {
    for (start, words) in [
        ("(unreachable)", "unreachable"),
        ("(call $exit (i32.const 3))", "code 3"),
        ("", "code 0"),
        ("(drop (i32.load (i32.const -1)))", "memory"),
    ] {
        let error = refused(&module(start));
        assert!(matches!(error, AppError::NotReady { .. }), "{error}");
        assert!(error.to_string().contains(words), "{start}: {error}");
    }
}

#[test]
fn an_app_that_never_asks_for_a_request_is_stopped() {
    let error = Node::try_with(&module("(loop $again (br $again))"), |config| {
        config.time_ms_max = 50;
    })
    .err()
    .expect("refused");
    assert!(error.to_string().contains("time_ms_max"), "{error}");
}
