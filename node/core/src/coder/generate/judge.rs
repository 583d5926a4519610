//! Whether a project is what was asked for. That it compiles is not enough: a compiler is content with
//! functions that panic when they are called, and with no tests at all.

use super::plan::Plan;
use super::spec::{Generate, Kind};
use crate::build::{Files, TestStatus};
use crate::coder::Repaired;
use crate::coder::items::{Item, Scan, What, scan};
use crate::coder::tokens::Kind as Token;

/// Things that are named of one project.
const LACKS_MAX: usize = 8;

/// Words of a `panic!` that stands for code which was not written.
const UNWRITTEN: [&str; 4] =
    ["not implemented", "not yet implemented", "unimplemented", "implement me"];

/// Words of a comment that stand for such code, in capitals as people write them, and sentences.
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const LEFT_OPEN: [&str; 4] =
    ["your code here", "implementation here", "implementation goes here", "add your "];

/// The outcome with what it lacks: it is no success then, whatever the compiler says.
pub(super) fn judged(outcome: Repaired, (request, plan): (&Generate, &Plan)) -> Repaired {
    if outcome.files.is_empty() {
        return outcome;
    }
    let mut lacks = unfinished(plan, &outcome.files);
    if request.tests && outcome.success && !has_tests(&outcome) {
        lacks.insert(0, "tests that run".to_owned());
    }
    if lacks.is_empty() {
        return outcome;
    }
    let mut judged = outcome;
    judged.success = false;
    judged.by = None;
    judged.message =
        format!("{} What was asked for and is missing: {}.", judged.message, lacks.join("; "));
    judged.report.notes.extend(lacks.iter().map(|lack| format!("missing: {lack}")));
    judged
}

/// Whether a test was run and passed; one in a file that nothing includes is none.
pub(super) fn has_tests(outcome: &Repaired) -> bool {
    outcome.report.tests.iter().any(|test| test.status == TestStatus::Passed)
}

/// What of a project is not written, in words for its model and its reader.
pub(super) fn unfinished(plan: &Plan, files: &Files) -> Vec<String> {
    let sources = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut lacks: Vec<_> = sources.flat_map(|(path, text)| open_ends(path, text)).collect();
    lacks.extend(plan.needed().iter().filter_map(|path| purpose(plan, path, files)));
    lacks.truncate(LACKS_MAX);
    lacks
}

/// Functions of a file that do not do what their names say.
fn open_ends(path: &str, text: &str) -> Vec<String> {
    let found = scan(text);
    let functions = found.items.iter().filter(|item| item.what == What::Function);
    let written = functions.filter(|item| item.is_written(text));
    let open = written.filter(|item| is_placeholder(&found, item) || returns_nothing(text, item));
    let mut lacks: Vec<_> =
        open.map(|item| format!("the body of `{}` in {path}", item.name)).collect();
    let comment = |line: &&str| {
        let Some((_, comment)) = line.split_once("//") else { return false };
        let lower = comment.to_ascii_lowercase();
        MARKS.iter().any(|mark| comment.contains(mark))
            || LEFT_OPEN.iter().any(|open| lower.contains(open))
    };
    if let Some(line) = text.lines().find(comment) {
        lacks.push(format!("what {path} leaves open in `{}`", line.trim()));
    }
    lacks
}

fn is_placeholder(found: &Scan<'_>, item: &Item) -> bool {
    let macros = [concat!("to", "do"), "unimplemented"];
    found.body(item).windows(2).enumerate().any(|(place, pair)| {
        let stands = |name: &str| pair[0].is(name) && pair[1].is("!");
        let text = found.body(item).get(place + 3);
        let words = text.filter(|token| token.kind == Token::Literal);
        let says = words.map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
        macros.iter().any(|name| stands(name))
            || (stands("panic") && UNWRITTEN.iter().any(|words| says.contains(words)))
    })
}

/// An empty body where a value is to come back.
fn returns_nothing(text: &str, item: &Item) -> bool {
    let whole = text.get(item.bytes.0..item.bytes.1).unwrap_or_default();
    let Some((head, body)) = whole.split_once('{') else { return false };
    let is_empty = body.trim_end_matches('}').trim().is_empty();
    // What stands behind the parameters.
    is_empty && head.rsplit(')').next().is_some_and(|result| result.contains("->"))
}

/// What keeps a file without which there is no project from being one.
fn purpose(plan: &Plan, path: &str, files: &Files) -> Option<String> {
    let Some(text) = files.get(path) else { return Some(format!("the file {path}")) };
    let found = scan(text);
    if path.ends_with("main.rs") {
        let main =
            found.items.iter().find(|item| item.what == What::Function && item.name == "main");
        if main.is_none_or(|main| found.body(main).is_empty()) {
            return Some(format!("a `main` in {path} that does something"));
        }
        let library = plan.library();
        let uses = found.tokens.iter().any(|token| token.is(&library));
        return (plan.kind == Kind::Workspace && !uses)
            .then(|| format!("the use of the library `{library}` in {path}"));
    }
    let is_public = found.tokens.iter().any(|token| token.is("pub"));
    (!is_public).then(|| format!("anything public in {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(kind: Kind, files: &[(&str, &str)]) -> Vec<String> {
        let request = Generate { name: Some("duo".into()), kind, ..Generate::default() };
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        unfinished(&Plan::of(&request), &files.collect())
    }

    fn of_library(text: &str) -> Vec<String> {
        lacks(Kind::Lib, &[("src/lib.rs", text)])
    }

    #[test]
    fn what_is_written_lacks_nothing() {
        for text in [
            "pub fn a() -> u8 { 1 }",
            "pub trait T { fn a(&self) -> u8; fn b(&self) {} }",
            "pub fn a() -> u8 { panic!(\"the list is empty\") }",
            "/// Adds what is to be done.\npub fn a() { b(\"unimplemented!()\"); }\nfn b(_: &str) {}",
            "pub fn a() -> () {}\npub fn run(_: impl Fn() -> u8) {}",
            "/// A todo item.\npub struct Item; // of the todo list",
        ] {
            assert_eq!(of_library(text), Vec::<String>::new(), "{text}");
        }
        assert!(lacks(Kind::Bin, &[("src/main.rs", "fn main() { println!(); }")]).is_empty());
    }

    #[test]
    fn placeholders_and_empty_bodies_are_named() {
        for body in [
            concat!("to", "do!()"),
            "unimplemented!(\"later\")",
            "panic!(\"Not implemented\")",
            "let x = 1; if x > 2 { panic!(\"not yet implemented\") } x",
            "",
        ] {
            let text = format!("pub fn half(x: u8) -> u8 {{ {body} }}");
            assert_eq!(of_library(&text), ["the body of `half` in src/lib.rs"], "{body}");
        }
        let open = format!("pub fn a() {{}} // {}: the rest", concat!("TO", "DO"));
        assert!(of_library(&open)[0].contains("leaves open"), "{:?}", of_library(&open));
    }

    #[test]
    fn a_project_has_what_its_kind_needs() {
        assert_eq!(of_library("fn hidden() {}"), ["anything public in src/lib.rs"]);
        assert_eq!(lacks(Kind::Lib, &[]), ["the file src/lib.rs"]);
        for main in ["fn main() {}", "fn start() { go(); }"] {
            let found = lacks(Kind::Bin, &[("src/main.rs", main)]);
            assert_eq!(found, ["a `main` in src/main.rs that does something"]);
        }
        let library = ("library/src/lib.rs", "pub fn a() {}");
        let apart = lacks(Kind::Workspace, &[("app/src/main.rs", "fn main() { b(); }"), library]);
        assert_eq!(apart, ["the use of the library `duo_library` in app/src/main.rs"]);
        let main = ("app/src/main.rs", "fn main() { duo_library::a(); }");
        assert!(lacks(Kind::Workspace, &[main, library]).is_empty());
    }

    #[test]
    fn any_text_at_all_is_judged() {
        for text in ["", "}{", "fn", "fn main( -> {", "\"", "fn é() -> u8 {", "// ", "{{{{"] {
            assert!(of_library(text).len() <= LACKS_MAX, "{text}");
        }
    }
}
