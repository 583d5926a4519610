//! Which lines are shown, and what answers do to them.

use super::*;
use crate::build::{BuildReport, Child, Level, TestResult, TestStatus, Verdict};
use crate::coder::Stage;
use crate::coder::repair::state::{Measure, State};
use crate::fakes::{error_at, report_of};

const SHAPES: &str = "//! Shapes.\nuse std::fmt;\n\npub trait Shape {\n    fn area(&self) -> f64;\n}\n\n\
    #[derive(Debug)]\npub struct Circle {\n    radius: f64,\n}\n\nimpl Shape for Circle {\n    \
    fn area(&self) -> f64 {\n        wrong()\n    }\n}\n\n#[cfg(test)]\nmod tests {\n    \
    use super::*;\n\n    #[test]\n    fn round() {\n        \
    assert_eq!(Circle { radius: 1.0 }.area(), 3.0);\n    }\n}\n";

fn files(text: &str) -> Files {
    Files::from([("src/lib.rs".to_owned(), text.to_owned())])
}

fn state(text: &str, report: BuildReport) -> State {
    State {
        files: files(text),
        measure: Measure::of(&report),
        report,
        stage: Stage::Given,
        parent: None,
        reason: String::new(),
        looked_at: false,
        sideways: 0,
    }
}

fn line(text: &str, wanted: &str) -> u32 {
    let place = text.lines().position(|line| line.contains(wanted)).expect("it stands there");
    u32::try_from(place + 1).expect("small")
}

fn at(text: &str, wanted: &str) -> Vec<Region> {
    let error = error_at("E0308", "wrong", ("src/lib.rs", line(text, wanted)));
    regions(&state(text, report_of(vec![error])), false)
}

fn area() -> Vec<Region> {
    at(SHAPES, "wrong()")
}

fn answered(regions: &[Region], code: &str) -> Result<String, String> {
    replaced(&files(SHAPES), regions, code).map(|files| files["src/lib.rs"].clone())
}

#[test]
fn the_smallest_item_around_an_error_is_shown() {
    let [region] = &area()[..] else { panic!("one") };
    assert_eq!(region.text(&files(SHAPES)), "fn area(&self) -> f64 {\n    wrong()\n}\n");
    let [whole] = &at(SHAPES, "impl Shape for")[..] else { panic!("one") };
    assert_eq!(whole.item, Some((What::Implementation, "Circle".to_owned())));
    let [declared] = &at(SHAPES, "fn area(&self) -> f64;")[..] else { panic!("one") };
    assert_eq!(declared.text(&files(SHAPES)).lines().next(), Some("pub trait Shape {"));
    let [empty] = &at("pub trait T {\n    fn f(&self) -> u8 {}\n}\n", "fn f")[..] else {
        panic!("one")
    };
    assert_eq!(empty.item, Some((What::Function, "f".to_owned())));
    let [import] = &at(SHAPES, "use std::fmt")[..] else { panic!("one") };
    assert_eq!((import.item.as_ref(), import.count()), (None, 3));
}

#[test]
fn what_the_error_speaks_of_is_shown_beside_it() {
    let mut error = error_at("E0308", "wrong", ("src/lib.rs", line(SHAPES, "wrong()")));
    let mut spans = error.spans.clone();
    spans[0].line_start = line(SHAPES, "radius: f64");
    spans[0].line_end = spans[0].line_start;
    error.children.push(Child { level: Level::Note, message: "defined here".into(), spans });
    let found = regions(&state(SHAPES, report_of(vec![error])), false);
    let items: Vec<_> = found.iter().filter_map(|region| region.item.clone()).collect();
    assert_eq!(items, [(What::Function, "area".into()), (What::Type, "Circle".into())]);
}

#[test]
fn where_brackets_are_missing_there_are_only_lines() {
    let broken = SHAPES.replace("wrong()", "wrong(");
    let [region] = &at(&broken, "wrong(")[..] else { panic!("one") };
    assert_eq!(region.item, None);
    let far = error_at("E0308", "wrong", ("src/lib.rs", 900));
    assert!(regions(&state(SHAPES, report_of(vec![far])), false).is_empty());
}

#[test]
fn of_a_failing_test_the_functions_are_shown_and_the_test_where_it_may_be_wrong() {
    let name = "tests::round".to_owned();
    let status = TestStatus::Failed;
    let test = TestResult { suite: 0, name, status, reason: None, output: None };
    let report =
        BuildReport { verdict: Verdict::TestFailure, tests: vec![test], ..report_of(vec![]) };
    let names = |tests_too: bool| -> Vec<_> {
        let found = regions(&state(SHAPES, report.clone()), tests_too).into_iter();
        found.filter_map(|region| region.item).map(|(_, name)| name).collect()
    };
    assert_eq!(names(false), ["area"]);
    assert_eq!(names(true), ["area", "round"]);
}

#[test]
fn a_function_with_an_empty_body_is_shown_for_its_test_and_a_declaration_is_not() {
    let text = "pub trait Count {\n    fn count(&self) -> u8;\n}\npub fn count(to: &mut u8) {}\n\
                #[test]\nfn counts() {\n    let mut to = 1;\n    count(&mut to);\n    assert_eq!(to, 2);\n}\n";
    let status = TestStatus::Failed;
    let test = TestResult { suite: 0, name: "counts".into(), status, reason: None, output: None };
    let report =
        BuildReport { verdict: Verdict::TestFailure, tests: vec![test], ..report_of(vec![]) };
    let [empty] = &regions(&state(text, report), false)[..] else { panic!("one") };
    assert_eq!(empty.text(&files(text)), "pub fn count(to: &mut u8) {}\n");
}

#[test]
fn an_item_inside_another_is_taken_with_it_and_not_once_more() {
    let text = "fn a() {\n    1\n}\nfn b() {\n    2\n}\nstruct S;\nimpl S {\n    fn c() {\n        3\n    }\n}\n";
    let region = |what, name: &str, lines| Region {
        path: "src/lib.rs".into(),
        lines,
        item: Some((what, name.to_owned())),
    };
    let (a, b) = (region(What::Function, "a", (0, 3)), region(What::Function, "b", (3, 6)));
    let s = region(What::Implementation, "S", (7, 11));
    let changed = |regions: &[Region], code: &str| {
        replaced(&files(text), regions, code).expect("it fits")["src/lib.rs"].clone()
    };
    let inner = "fn a() {\n    fn b() {\n        5\n    }\n    b()\n}\n";
    let wanted = text.replace("fn a() {\n    1\n}\n", inner);
    assert_eq!(changed(&[a.clone(), b.clone()], inner), wanted, "b stays as it was");
    let both = format!("{inner}fn b() {{\n    6\n}}\n");
    assert_eq!(changed(&[a.clone(), b.clone()], &both), wanted.replace('2', "6"));
    let member = "fn c() {\n    fn d() {\n        7\n    }\n    d()\n}\n";
    let of_s = changed(std::slice::from_ref(&s), member);
    assert_eq!(of_s.matches("fn d").count(), 1, "{of_s}");
    let whole = "impl S {\n    fn a() {\n        8\n    }\n}\n";
    let of_both = changed(&[s, a], whole);
    assert!(of_both.starts_with("fn a() {\n    1\n}\n"), "{of_both}");
    let with_around = "fn x() {\n    fn b() {\n        9\n    }\n}\n";
    assert_eq!(changed(&[b], with_around), text.replace('2', "9"), "as it always was");
}

#[test]
fn an_answer_takes_exactly_the_places_of_its_items() {
    let wanted = SHAPES.replace("wrong()", "self.radius");
    for code in [
        "fn area(&self) -> f64 {\n    self.radius\n}\n",
        "        fn area(&self) -> f64 {\n            self.radius\n        }",
        "impl Shape for Circle {\n    fn area(&self) -> f64 {\n        self.radius\n    }\n}\n",
        "use std::fmt;\nfn area(&self) -> f64 {\n    self.radius\n}\n\nfn main() {}\n",
    ] {
        assert_eq!(answered(&area(), code).as_ref(), Ok(&wanted), "{code}");
    }
    let whole = at(SHAPES, "impl Shape for");
    let member = "fn area(&self) -> f64 {\n    self.radius\n}";
    assert_eq!(answered(&whole, member).as_ref(), Ok(&wanted));
    let more = answered(&whole, "fn name(&self) -> u8 {\n    7\n}").expect("a member");
    assert!(more.contains("    fn name(&self) -> u8 {\n        7\n    }\n}\n"), "{more}");
}

#[test]
fn imports_go_to_the_others_and_attributes_stay() {
    let code = "use std::f64::consts::PI;\nuse super::x;\nuse std::fmt;\n\n\
                fn area(&self) -> f64 {\n    PI\n}\n";
    let text = answered(&area(), code).expect("it fits");
    assert!(
        text.starts_with("//! Shapes.\nuse std::f64::consts::PI;\nuse std::fmt;\n\n"),
        "{text}"
    );
    assert!(!text.contains("use super::x"));
    let circle = at(SHAPES, "radius: f64");
    let text = answered(&circle, "pub struct Circle {\n    radius: f32,\n}").expect("it fits");
    assert!(
        text.contains("#[derive(Debug)]\npub struct Circle {\n    radius: f32,\n}\n"),
        "{text}"
    );
}

#[test]
fn what_is_no_such_item_is_refused_with_the_reason() {
    for (code, reason) in [
        ("self.radius", "has no function `area`"),
        ("fn other() {}", "has no function `area`"),
        ("fn area(&self) -> f64 {\n    wrong()\n}", "changes nothing"),
        ("fn area(&self) -> f64 {\n    if x {", "do not match"),
        ("fn area() {}\nfn area() {}", "more than one `area`"),
        ("", "has no function `area`"),
    ] {
        let refused = answered(&area(), code).expect_err(code);
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn of_namesakes_the_first_is_meant_and_of_implementations_the_one_that_begins_so() {
    let text = "fn a() {\n    1\n}\nmod m {\n    fn a() {\n        2\n    }\n}\n";
    let item = Some((What::Function, "a".to_owned()));
    let region = |lines| Region { path: "src/lib.rs".into(), lines, item: item.clone() };
    let both = [region((4, 7)), region((0, 3))];
    let changed = replaced(&files(text), &both, "fn a() {\n    3\n}").expect("it fits");
    assert_eq!(changed["src/lib.rs"], text.replace('2', "3"));
    let whole = at(SHAPES, "impl Shape for");
    let two = "impl Circle {\n    fn x() {}\n}\nimpl Shape for Circle {\n    fn area(&self) -> f64 {\n        \
               self.radius\n    }\n}\n";
    assert_eq!(answered(&whole, two), Ok(SHAPES.replace("wrong()", "self.radius")));
}

#[test]
fn lines_that_are_no_item_are_replaced_as_they_stand() {
    let broken = "fn main() {\n    go(1;\n}";
    let region = Region { path: "src/lib.rs".into(), lines: (1, 2), item: None };
    let changed = replaced(&files(broken), &[region], "go(1);\n\n").expect("it fits");
    assert_eq!(changed["src/lib.rs"], "fn main() {\n    go(1);\n}");
}

#[test]
fn code_is_what_stands_in_the_fence() {
    let of = |answer: &str| code(answer).map(|(_, code)| code);
    assert_eq!(of("It was `x`.\n```rust\nfn a() {}\n```\nDone.").as_deref(), Some("fn a() {}\n"));
    assert_eq!(of("```rust\nfn a() {}").as_deref(), Some("fn a() {}\n"), "it was stopped there");
    assert_eq!(of("```\na\n```\nand\n```\nb\n```").as_deref(), Some("a\nb\n"));
    for nothing in ["", "I don't know.", "```\n```"] {
        assert_eq!(of(nothing), None);
    }
    let (words, _) = code("The type was wrong.\n```\na\n```\nmore").expect("code");
    assert_eq!(words, "The type was wrong.\n");
}

#[test]
fn any_answer_at_all_is_taken_or_refused() {
    let pieces =
        ["fn area(", "impl Shape for Circle", "{", "}", "\n", "#[", "use a::b;\n", "é", "\"", ")"];
    let mut seed = 5usize;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) % pieces.len()]);
        }
        for regions in [area(), at(SHAPES, "impl Shape for"), at(SHAPES, "use std::fmt")] {
            if let Ok(text) = answered(&regions, &text) {
                assert!(text.contains("mod tests"), "{text:?}");
            }
        }
    }
}

#[test]
fn a_place_that_ends_before_it_begins_is_its_first_line() {
    let text = "fn a() {}\n".repeat(120);
    let mut error = error_at("E0308", "wrong", ("src/lib.rs", 100));
    error.spans[0].line_end = 1;
    let [region] = &regions(&state(&text, report_of(vec![error])), false)[..] else {
        panic!("one")
    };
    assert_eq!(region.lines, (99, 100));
}

#[test]
fn lines_that_are_not_there_are_not_written_anew() {
    let region = |lines| Region { path: "src/lib.rs".into(), lines, item: None };
    for lines in [(4, 1), (900, 901)] {
        let refused = answered(&[region(lines)], "fn a() {}\n").expect_err("no such lines");
        assert!(refused.contains("not there"), "{refused}");
    }
}
