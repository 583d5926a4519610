//! What is private and used elsewhere in the project becomes visible to it.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::byte_at;
use crate::build::{Diagnostic, Files, Origin, Span};
use crate::coder::items::scan;

/// Proposes `pub(crate)` for a private function, type, method or field of the project.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let edit = match error.code.as_deref() {
        Some("E0603" | "E0624") => defined(error).and_then(|span| of_item(files, span)),
        Some("E0616" | "E0451") => of_field(files, &error.message),
        _ => None,
    };
    edit.into_iter().map(|edit| proposal(error, edit)).collect()
}

fn proposal(error: &Diagnostic, edit: Edit) -> Proposal {
    let reason = format!("{}: it is made visible", error.message);
    Proposal { edits: vec![edit], sure: Sure::Rule, reason }
}

/// Where the compiler says that the private thing is defined.
fn defined(error: &Diagnostic) -> Option<&Span> {
    let notes = error.children.iter().filter(|child| child.message.ends_with(" is defined here"));
    let labelled = error
        .spans
        .iter()
        .filter(|span| span.label.as_deref().is_some_and(|label| label.ends_with("defined here")));
    let mut all = notes.flat_map(|note| &note.spans).chain(labelled);
    all.find(|span| span.origin == Origin::Project && span.macro_name.is_none())
}

fn of_item(files: &Files, span: &Span) -> Option<Edit> {
    let text = files.get(&span.file)?;
    let place = byte_at(text, span.line_start, span.column_start)?;
    // A re-export or an enum's variant has no keyword here.
    let keywords = [
        "fn ", "struct ", "enum ", "mod ", "const ", "static ", "trait ", "type ", "async ",
        "unsafe ",
    ];
    let rest = text.get(place..)?;
    keywords.iter().any(|keyword| rest.starts_with(keyword)).then(|| visible(&span.file, place))
}

/// From "field `a` of struct `B` is private".
fn of_field(files: &Files, message: &str) -> Option<Edit> {
    let mut names = message.split('`').skip(1).step_by(2);
    let (field, owner) = (names.next()?, names.next()?);
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let scan = scan(text);
        for item in scan.items.iter().filter(|item| item.name == owner) {
            let mut pairs = scan.body(item).windows(2);
            let found = pairs.find(|pair| pair[0].is(field) && pair[1].is(":"));
            if let Some(pair) = found {
                return Some(visible(path, pair[0].start));
            }
        }
    }
    None
}

fn visible(file: &str, place: usize) -> Edit {
    Edit::insert(file, place, "pub(crate) ")
}
