//! Each rule on the compiler's own words.

use super::super::edit::apply;
use super::*;
use crate::build::{Child, Level};
use crate::fakes::{crates_of, error_at};

/// An error whose primary place is the first time that a text stands in the file.
fn error(text: &str, code: &str, words: (&str, &str, &str)) -> Diagnostic {
    let (message, at, label) = words;
    let place = text.find(at).expect("it stands there");
    let line = text[..place].matches('\n').count();
    let column = place - text[..place].rfind('\n').map_or(0, |end| end + 1);
    let number = |value: usize| u32::try_from(value).expect("small");
    let mut error = error_at(code, message, ("src/lib.rs", number(line + 1)));
    error.spans[0].column_start = number(column + 1);
    error.spans[0].column_end = number(column + 1 + at.len());
    error.spans[0].label = Some(label.to_owned());
    error
}

fn noted(mut error: Diagnostic, note: &str) -> Diagnostic {
    error.children.push(Child { level: Level::Note, message: note.to_owned(), spans: vec![] });
    error
}

fn files(text: &str) -> Files {
    let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n";
    Files::from([
        ("src/lib.rs".to_owned(), text.to_owned()),
        ("src/circle.rs".to_owned(), String::new()),
        ("Cargo.toml".to_owned(), manifest.to_owned()),
    ])
}

fn crates() -> Crates {
    crates_of(&[("serde", &["1"]), ("serde-json", &["1"]), ("rand", &["0.8", "0.9"])])
}

/// All that the rules make of a file.
fn made(text: &str, error: &Diagnostic) -> Vec<Files> {
    let files = files(text);
    let proposals = for_error((&files, &crates()), error);
    proposals.iter().map(|own| apply(&files, &own.edits).expect("it fits")).collect()
}

#[track_caller]
fn assert_made(text: &str, error: &Diagnostic, wanted: &str) {
    let made = made(text, error);
    let found = made.iter().any(|files| files.values().any(|file| file == wanted));
    assert!(found, "{wanted:?} is not among {made:#?}");
}

#[test]
fn traits_are_derived() {
    let text = "#[derive(Debug)]\npub enum E { A }\n";
    let lacks = noted(error(text, "E0369", ("m", "E", "")), "`E` does not implement `PartialEq`");
    assert_made(text, &lacks, "#[derive(Debug, PartialEq)]\npub enum E { A }\n");
    let moved = "move occurs because `e` has type `E`, which does not implement the `Copy` trait";
    let copied = noted(error(text, "E0382", ("m", "E", "")), moved);
    assert_made(text, &copied, "#[derive(Debug, Clone, Copy)]\npub enum E { A }\n");
    let bound = "the trait bound `S: serde::Serialize` is not satisfied";
    let plain = "struct S;\n";
    let wanted = "#[derive(serde::Serialize)]\nstruct S;\n";
    assert_made(plain, &error(plain, "E0277", (bound, "S", "")), wanted);
    let default = "the following trait defines an item `default`, perhaps you need to implement it:\ncandidate #1: `Default`";
    let missing =
        error(plain, "E0599", ("no function named `default` found for struct `S`", "S", ""));
    assert_made(plain, &noted(missing, default), "#[derive(Default)]\nstruct S;\n");
    let of_enum = error(text, "E0599", ("no function named `default` found for enum `E`", "E", ""));
    assert_eq!(made(text, &noted(of_enum, default)).len(), 0, "which variant it were is not known");
}

#[test]
fn brackets_are_put_in_order() {
    let text = "fn f() {\n    println!(\"{x}\";\n}\n";
    let message = "mismatched closing delimiter: `}`";
    let unclosed = error(text, "", (message, "(\"", "unclosed delimiter"));
    assert_made(text, &unclosed, "fn f() {\n    println!(\"{x}\");\n}\n");
    let text = "fn f() {\n    println!(\"{x}\" // it ends here\n}\n";
    let message = "mismatched closing delimiter: `}`";
    let commented = error(text, "", (message, "(\"", "unclosed delimiter"));
    assert_made(text, &commented, "fn f() {\n    println!(\"{x}\"); // it ends here\n}\n");
    let open = "fn f() {\n    if x {\n        y();\n}\n\nfn g() {}\n";
    let message = "this file contains an unclosed delimiter";
    let wanted = "fn f() {\n    if x {\n        y();\n    }\n}\n\nfn g() {}\n";
    assert_made(open, &error(open, "", (message, "g() {}", "")), wanted);
    let many = "fn f() {}}\n";
    let message = "unexpected closing delimiter: `}`";
    let mut second = error(many, "", (message, "}", ""));
    second.spans[0].column_start += 1;
    assert_made(many, &second, "fn f() {}\n");
}

#[test]
fn expected_signs_strings_and_names_are_written() {
    let text = "fn f(&self) u64 { 1 }";
    let message = "expected one of `->`, `where`, or `{`, found `u64`";
    assert_made(text, &error(text, "", (message, "u64", "")), "fn f(&self) -> u64 { 1 }");
    let text = "f(\"a);\ng();";
    let message = "unterminated double quote string";
    assert_made(text, &error(text, "E0765", (message, "\"a", "")), "f(\"a\");\ng();");
}

#[test]
fn modules_are_declared_and_spelt_right() {
    let text = "//! A crate.\nuse std::fmt;\n";
    let message = "unresolved import `a::circle`";
    let wanted = "//! A crate.\npub mod circle;\nuse std::fmt;\n";
    assert_made(text, &error(text, "E0432", (message, "fmt", "could not find `circle`")), wanted);
    let text = "mod error {}\nuse crate::errors::A;\n";
    let wrong = error(text, "E0432", ("unresolved import `crate::errors`", "errors", ""));
    assert_made(text, &wrong, "mod error {}\nuse crate::error::A;\n");
}

#[test]
fn a_module_of_tests_imports_what_it_tests() {
    let text = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        f();\n    }\n}\n";
    let missing = ("cannot find function `f` in this scope", "f();", "not found in this scope");
    let wanted = text.replace("tests {", "tests {\n    use super::*;\n");
    assert_made(text, &error(text, "E0425", missing), &wanted);
    let other = ("cannot find function `g` in this scope", "f();", "");
    assert!(made(text, &error(text, "E0425", other)).is_empty(), "it is not there either");
    assert!(made(&wanted, &error(&wanted, "E0425", missing)).is_empty(), "it sees all");
    let outside = error(text, "E0425", ("cannot find function `f` in this scope", "fn f", ""));
    assert!(made(text, &outside).is_empty());
}

#[test]
fn manifests_get_what_is_missing() {
    let text = "fn f() { serde_json::x() }";
    let label = "use of unresolved module or unlinked crate `serde_json`";
    let missing = error(text, "E0433", ("cannot find module or crate", "serde_json", label));
    let wanted = "[package]\nname = \"a\"\n\n[dependencies]\nserde-json = \"1\"\n";
    assert_made(text, &missing, wanted);
    let text = "async fn f() {}";
    let old = error(text, "E0670", ("`async fn` is not permitted in Rust 2015", "async", ""));
    let wanted = "[package]\nedition = \"2021\"\nname = \"a\"\n\n[dependencies]\n";
    assert_made(text, &old, wanted);
}

#[test]
fn crates_are_taken_as_they_can_be_had_the_newest_first() {
    let missing = |name: &str| {
        let text = format!("use {name}::x;");
        let label = format!("use of unresolved module or unlinked crate `{name}`");
        let error = error(&text, "E0432", ("unresolved import", name, &label));
        let made = made(&text, &error).into_iter();
        made.filter_map(|files| files["Cargo.toml"].lines().last().map(str::to_owned)).collect()
    };
    let lines: Vec<String> = missing("rand");
    assert_eq!(lines, ["rand = \"0.9\"", "rand = \"0.8\""]);
    let lines: Vec<String> = missing("serde");
    assert_eq!(lines, ["serde = { version = \"1\", features = [\"derive\"] }"]);
    let lines: Vec<String> = missing("evil");
    assert!(lines.is_empty(), "what can't be had is no proposal: {lines:?}");
}

#[test]
fn crates_get_the_features_that_hide_what_is_missing() {
    let text = "use tokio::sync::mpsc;\nuse serde::Serialize;\n#[derive(Serialize)]\nstruct S;\n";
    let import = ("unresolved import `tokio::sync::mpsc`", "tokio::sync::mpsc", "");
    let derive = ("cannot find derive macro `Serialize` in this scope", "Serialize)", "");
    let with = |error: &Diagnostic, dependency: &str| {
        let mut files = files(text);
        files.get_mut("Cargo.toml").expect("it is there").push_str(dependency);
        let first = for_error((&files, &crates()), error).into_iter().next()?;
        assert!(first.reason.contains("features"), "{}", first.reason);
        let manifest = apply(&files, &first.edits).expect("it fits").remove("Cargo.toml");
        manifest?.lines().last().map(str::to_owned)
    };
    let mut hidden = error(text, "E0432", import);
    for (given, wanted) in [
        ("tokio = \"1\"", "tokio = { version = \"1\", features = [\"full\"] }"),
        ("tokio = { version = \"1\" }", "tokio = { version = \"1\", features = [\"full\"] }"),
        (
            "tokio = { features = [\"rt\"], version = \"1\" }",
            "tokio = { features = [\"full\", \"rt\"], version = \"1\" }",
        ),
    ] {
        assert_eq!(with(&hidden, given).as_deref(), Some(wanted));
    }
    for known in
        ["", "tokio = { version = \"1\", features = [\"full\"] }", "tokio.workspace = true"]
    {
        assert_eq!(with(&hidden, known), None, "{known}");
    }
    hidden.code = Some("E0308".into());
    assert_eq!(with(&hidden, "tokio = \"1\""), None, "nothing is missing");
    let lacks = error(text, "", derive);
    let wanted = "serde = { version = \"1\", features = [\"derive\"] }";
    assert_eq!(with(&lacks, "serde = \"1\"").as_deref(), Some(wanted));
}

#[test]
fn types_are_made_to_fit() {
    let text = "fn f() { a * item.quantity }";
    let label = "expected `u64`, found `u32`";
    let cast = error(text, "E0308", ("mismatched types", "item.quantity", label));
    assert_made(text, &cast, "fn f() { a * u64::from(item.quantity) }");
    let text = "let name = item.name;";
    let moved = error(text, "E0382", ("borrow of moved value", "item.name", "value moved here"));
    assert_made(text, &moved, "let name = item.name.clone();");
    let text = "S { a: 1 }";
    let message = "missing fields `b` and `c` in initializer of `S`";
    let wanted = "S { b: Default::default(), c: Default::default(), a: 1 }";
    assert_made(text, &error(text, "E0063", (message, "S", "missing")), wanted);
}

#[test]
fn private_things_become_visible() {
    let text = "mod m {\n    fn f() {}\n    pub struct S { a: u8 }\n}\n";
    let message = "function `f` is private";
    let private = error(text, "E0603", (message, "fn f()", "the function `f` is defined here"));
    assert_made(text, &private, &text.replace("fn f", "pub(crate) fn f"));
    let field = error(text, "E0616", ("field `a` of struct `S` is private", "S", ""));
    assert_made(text, &field, &text.replace("a: u8", "pub(crate) a: u8"));
}

#[test]
fn places_outside_of_a_text_are_no_places() {
    assert_eq!(byte_at("a\nbé\nc", 2, 3), Some(5));
    assert_eq!(byte_at("a\nb", 2, 99), Some(3));
    assert_eq!(byte_at("a", 2, 1), None);
}
