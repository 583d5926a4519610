//! What a model is told: the files, what the compiler said of them, fixes that helped before, and why
//! its last answers were not taken. All of it fits into so many bytes.

mod outline;
mod region;

use std::collections::BTreeSet;
use std::fmt::Write;

use gaia_protocol::{Message, Role};

pub(super) use self::region::{STOP, messages as region_messages};
use super::state::State;
use crate::build::{Diagnostic, Files, Origin, TestStatus};
use crate::coder::Fix;
use crate::coder::items::{What, scan};

/// Messages of the compiler that are shown; the others are often gone with these.
const ERRORS_MAX: usize = 4;
const RENDERED_BYTES_MAX: usize = 1500;
const EXPLANATION_BYTES_MAX: usize = 700;
const FIXES_MAX: usize = 3;
const TESTS_MAX: usize = 3;
const TEST_OUTPUT_BYTES_MAX: usize = 800;
const OBJECTIONS_MAX: usize = 4;
const DESCRIPTION_BYTES_MAX: usize = 1000;
/// Lines around a place, where a file is too large to be shown whole.
const WINDOW_LINES: usize = 25;
/// A file of fewer bytes is better written anew than searched in: small models copy lines badly.
const SMALL_FILE_BYTES: usize = 3000;

const RULES: &str = "You repair Rust code. You get the files of a project and what the compiler or \
the tests said. Find the cause and change as little as possible. Keep every function, type and test. \
Tests are right: never change them. Never hide an error: remove no code, add no placeholder, no \
attribute that silences, no `unsafe`.";

const BLOCKS: &str =
    "Answer with one sentence that says what was wrong. Then give each change like \
this, with the path of the file above it:

src/main.rs
<<<<<<< SEARCH
    let x = 5;
=======
    let mut x = 5;
>>>>>>> REPLACE

SEARCH holds lines of the file exactly as they are, enough of them to be found once.";

const WHOLE: &str =
    "Answer with one sentence that says what was wrong. Then give each file that has \
to change, whole and corrected, with its path above it:

src/main.rs
```rust
fn main() {}
```";

/// What there is to say.
pub(super) struct Told<'a> {
    pub(super) state: &'a State,
    pub(super) description: Option<&'a str>,
    pub(super) fixes: &'a [Fix],
    /// Why the last answers were not taken.
    pub(super) objections: &'a [String],
    /// Whether the tests are as new as the code, and may be what is wrong.
    pub(super) drafted: bool,
    /// Bytes of the whole prompt at most.
    pub(super) bytes_max: usize,
}

/// The messages, and how many bytes an answer may well have.
pub(super) fn messages(told: &Told<'_>) -> (Vec<Message>, usize) {
    let concerned = concerned(told.state);
    let texts = concerned.iter().filter_map(|path| told.state.files.get(*path));
    let bytes: usize = texts.map(String::len).sum();
    let is_small = bytes <= SMALL_FILE_BYTES && bytes * 3 < told.bytes_max;
    let form = if is_small { WHOLE } else { BLOCKS };
    let mut rest = String::new();
    errors(&mut rest, told);
    tests(&mut rest, told.state);
    shown_fixes(&mut rest, told.fixes.iter().take(FIXES_MAX));
    objections(&mut rest, told.objections);
    cut(&mut rest, told.bytes_max / 2);
    let mut text = String::new();
    if let Some(description) = told.description {
        let mut description = description.to_owned();
        cut(&mut description, DESCRIPTION_BYTES_MAX);
        let _ = writeln!(text, "The project is meant to be: {description}\n");
    }
    let taken = RULES.len() + form.len() + text.len() + rest.len();
    files(&mut text, told.state, (&concerned, told.bytes_max.saturating_sub(taken)));
    text.push_str(&rest);
    let answer = if is_small { bytes + 800 } else { 3000 };
    (conversation(format!("{RULES}\n\n{form}"), text), answer)
}

fn conversation(rules: String, text: String) -> Vec<Message> {
    let message = |role, content| Message { role, content, ..Message::default() };
    vec![message(Role::System, rules), message(Role::User, text)]
}

/// The files that the errors are in, or the program itself where only tests fail.
fn concerned(state: &State) -> Vec<&str> {
    let mut paths: Vec<&str> = vec![];
    for error in state.report.errors() {
        let notes = error.children.iter().flat_map(|child| &child.spans);
        for span in error.spans.iter().chain(notes) {
            if span.origin == Origin::Project && !paths.contains(&span.file.as_str()) {
                paths.push(&span.file);
            }
        }
        if said_of_manifest(error) {
            paths.push("Cargo.toml");
        }
    }
    if paths.is_empty() {
        let is_source = |path: &&str| path.ends_with(".rs") && !path.starts_with("tests/");
        paths.extend(state.files.keys().map(String::as_str).filter(is_source));
        if !state.measure.compiles() {
            paths.insert(0, "Cargo.toml");
        }
    }
    let mut seen = BTreeSet::new();
    paths.retain(|path| state.files.contains_key(*path) && seen.insert(*path));
    paths
}

fn said_of_manifest(error: &Diagnostic) -> bool {
    let words = ["Cargo.toml", "cargo add", "edition"];
    let notes = error.children.iter().map(|child| child.message.as_str());
    notes.chain([error.message.as_str()]).any(|said| words.iter().any(|word| said.contains(word)))
}

fn files(text: &mut String, state: &State, shown: (&[&str], usize)) {
    let (paths, bytes_max) = shown;
    let mut left = bytes_max;
    for path in paths {
        let Some(own) = state.files.get(*path) else { continue };
        let part = match own.len() <= left {
            true => own.clone(),
            false => windows(own, &places(state, path), left),
        };
        if part.is_empty() {
            break;
        }
        left = left.saturating_sub(part.len() + path.len() + 20);
        let _ = write!(text, "{path}\n```\n{}\n```\n\n", part.trim_end());
    }
    outlines(text, &state.files, (paths, left));
}

/// The names of the other files: a model that does not know of them invents them.
fn outlines(text: &mut String, files: &Files, shown: (&[&str], usize)) {
    let (paths, left) = shown;
    let others: Vec<_> = files.keys().filter(|path| !paths.contains(&path.as_str())).collect();
    let mut line = others.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(", ");
    cut(&mut line, left.min(400));
    if !line.is_empty() {
        let _ = writeln!(text, "Other files: {line}\n");
    }
}

/// The lines, counted from 0, that the errors in a file are about.
fn places(state: &State, path: &str) -> Vec<usize> {
    let spans = state.report.errors().take(ERRORS_MAX).flat_map(|error| &error.spans);
    let own = spans.filter(|span| span.file == path);
    own.map(|span| (span.line_start as usize).saturating_sub(1)).collect()
}

/// The lines around some places, as many as fit.
fn windows(text: &str, places: &[usize], bytes_max: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut around = WINDOW_LINES;
    loop {
        let near = |line: usize| places.iter().any(|place| place.abs_diff(line) <= around);
        let mut part = String::new();
        let mut behind = 0;
        for (number, line) in lines.iter().enumerate().filter(|(number, _)| near(*number)) {
            if number > behind {
                part.push_str("// …\n");
            }
            let _ = writeln!(part, "{line}");
            behind = number + 1;
        }
        if part.len() <= bytes_max {
            return part;
        }
        if around == 0 {
            return String::new();
        }
        around /= 2;
    }
}

fn errors(text: &mut String, told: &Told<'_>) {
    let report = &told.state.report;
    let mut explained = BTreeSet::new();
    for error in report.errors().take(ERRORS_MAX) {
        let mut rendered = error.rendered.trim().to_owned();
        cut(&mut rendered, RENDERED_BYTES_MAX);
        let _ = writeln!(text, "The compiler says:\n```\n{rendered}\n```\n");
        explained.extend(error.code.as_deref());
    }
    for code in explained.into_iter().take(2) {
        let Some(explanation) = report.explanations.get(code) else { continue };
        let mut explanation = explanation.trim().to_owned();
        cut(&mut explanation, EXPLANATION_BYTES_MAX);
        let _ = writeln!(text, "{code} means: {explanation}\n");
    }
    if !told.state.measure.compiles() && report.errors().next().is_none() {
        let mut said = format!("{}\n{}", report.notes.join("\n"), report.stderr.trim());
        cut(&mut said, RENDERED_BYTES_MAX);
        let _ = writeln!(text, "cargo says:\n```\n{}\n```\n", said.trim());
    }
}

fn tests(text: &mut String, state: &State) {
    let bad = state
        .report
        .tests
        .iter()
        .filter(|test| matches!(test.status, TestStatus::Failed | TestStatus::Unfinished));
    for test in bad.take(TESTS_MAX) {
        let mut output = test.output.clone().unwrap_or_default();
        cut(&mut output, TEST_OUTPUT_BYTES_MAX);
        let _ = writeln!(text, "The test `{}` fails:\n```\n{}\n```\n", test.name, output.trim());
    }
}

fn shown_fixes<'a>(text: &mut String, fixes: impl Iterator<Item = &'a Fix>) {
    for fix in fixes {
        let (before, after) = (fix.before.trim_end(), fix.after.trim_end());
        let _ = writeln!(
            text,
            "A similar error was repaired like this ({}):\n```\n{before}\n```\nbecame\n```\n{after}\n```\n",
            fix.explanation.trim()
        );
    }
}

/// The first test that fails, with so much of its code.
fn failing(text: &mut String, state: &State, bytes_max: usize) {
    let is_bad = |status| matches!(status, TestStatus::Failed | TestStatus::Unfinished);
    let Some(bad) = state.report.tests.iter().find(|test| is_bad(test.status)) else { return };
    let name = bad.name.rsplit("::").next().unwrap_or(&bad.name);
    let code = state.files.iter().filter(|(path, _)| path.ends_with(".rs")).find_map(|(_, own)| {
        let items = scan(own).items.into_iter();
        let mut tests = items.filter(|item| item.what == What::Test && item.name == name);
        tests.next().and_then(|item| own.get(item.bytes.0..item.bytes.1).map(str::to_owned))
    });
    let mut code = code.unwrap_or_default();
    let mut output = bad.output.clone().unwrap_or_default().trim().to_owned();
    cut(&mut code, bytes_max);
    cut(&mut output, TEST_OUTPUT_BYTES_MAX / 2);
    let _ = match bytes_max {
        0 => writeln!(text, "The test `{name}` fails and prints:\n```\n{output}\n```\n"),
        _ => writeln!(
            text,
            "This test fails:\n```rust\n{code}\n```\nIt prints:\n```\n{output}\n```\n"
        ),
    };
}

fn objections(text: &mut String, objections: &[String]) {
    for objection in objections.iter().take(OBJECTIONS_MAX) {
        let _ = writeln!(text, "Your last answer was not taken: {objection}\n");
    }
}

fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
}
