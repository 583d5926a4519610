use super::super::tests::{shown, source};
use super::*;

fn sections(text: &str) -> Vec<String> {
    shown(&read(&source("src/shape.rs", text.as_bytes())).expect("Rust"))
}

#[test]
fn what_does_not_parse_is_text() {
    for text in ["fn f() {", "fn f() }", "let x = \"open", "/* open", "#!/bin/ä\nfn f() {}", "'"] {
        let sections = sections(text);
        assert_eq!(sections.len(), 1, "{sections:?}");
        assert!(sections[0].starts_with(" | 1-"), "{sections:?}");
    }
    let long = format!("fn f() {{}} //{}", "x".repeat(SOURCE_BYTES_MAX));
    assert!(sections(&long)[0].starts_with(" | 1-1"));
}

#[test]
fn nothing_is_refused() {
    assert_eq!(read(&source("a.rs", b"\n \n")), Err(ReadError::Empty));
}

#[test]
fn each_item_is_a_section_with_its_documentation() {
    let text = "//! Shapes.\n\nuse std::fmt;\n\n/// A circle.\n#[derive(Debug)]\npub struct Circle<T>(T);\n\n\
                impl<T> Circle<T> {\n    /// Its area.\n    pub const fn area(&self) -> u32 { 1 }\n}\n";
    assert_eq!(
        sections(text),
        [
            "shape | 1-3 | //! Shapes.\n\nuse std::fmt;",
            "shape::Circle | 5-7 | /// A circle.\n#[derive(Debug)]\npub struct Circle<T>(T);",
            "shape::Circle::area | 10-11 |     /// Its area.\n    pub const fn area(&self) -> u32 { 1 }",
        ]
    );
}

#[test]
fn paths_follow_modules_traits_and_implementations() {
    let text = "pub(crate) mod inner {\n    pub trait Area: Sized where Self: Copy {\n        fn area(&self);\n    }\n}\n\
                impl<'a> inner::Area for &'a mut Vec<Box<dyn Fn() -> u8>> where u8: Copy {\n    fn area(&self) {}\n}\n\
                impl From<u8> for [u8] { fn from() {} }\n";
    let paths: Vec<_> =
        sections(text).iter().map(|s| s.split(" | ").next().map(str::to_owned)).collect();
    let paths: Vec<_> = paths.iter().flatten().collect();
    assert_eq!(
        paths,
        [
            "shape::inner::Area",
            "shape::inner::Area::area",
            "<shape::Vec as Area>::area",
            "<shape::_ as From>::from",
        ]
    );
}

#[test]
fn items_end_where_rust_ends_them() {
    let text = "const A: Foo = Foo { a: 1 };\nstatic mut B: [u8; { 2 }] = [1; { 2 }];\nfn c() -> X<{ N }> { 1 }\n\
                fn d<T>() where T: Copy, { }\nmacro_rules! e { () => {} }\nthread_local! { static F: u8 = 1; }\n\
                type G = u8;\nunion H { a: u8 }\nextern \"C\" { fn i(); }\nextern \"C\" fn j() {}\nenum K { L }\n";
    let paths: Vec<_> = sections(text).iter().map(|s| s.replacen("shape::", "", 1)).collect();
    let paths: Vec<_> = paths.iter().filter_map(|s| s.split(" | ").next()).collect();
    assert_eq!(paths, ["A", "B", "c", "d", "e", "shape", "G", "H", "shape", "j", "K"]);
}

#[test]
fn all_of_the_source_is_kept() {
    let text = "#!/usr/bin/env cargo\n// licence\nmod a;\n\n// about b\nfn b() {} // behind b\n\nmod c {\n    // lonely\n}\n// end\n";
    let all = sections(text).join("\n");
    for part in ["licence", "mod a;", "about b", "behind b", "lonely", "// end", "env cargo"] {
        assert!(all.contains(part), "{part} is lost in {all}");
    }
}
