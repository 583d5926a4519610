//! Types that differ, values that were moved, fields that are missing.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{byte_at, quoted};
use crate::build::{Diagnostic, Files, Span};
use crate::coder::tokens::{is_word, tokens};

/// Numbers, the narrower before the wider of a kind.
const UNSIGNED: &[&str] = &["u8", "u16", "u32", "u64", "u128", "usize"];
const SIGNED: &[&str] = &["i8", "i16", "i32", "i64", "i128", "isize"];
const FLOATS: &[&str] = &["f32", "f64"];

/// Proposes what makes types fit.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let code = error.code.as_deref().unwrap_or_default();
    let mut all = vec![];
    for span in &error.spans {
        let label = span.label.as_deref().unwrap_or_default();
        let Some((start, end, text)) = place(files, span) else { continue };
        let edit = |new: String| Edit { end, ..Edit::insert(&span.file, start, &new) };
        if code == "E0308" && span.primary {
            all.extend(
                cast(label, text)
                    .map(|(new, sure)| proposal(edit(new), sure, "a number is converted")),
            );
        }
        if code == "E0277" && label.contains("indices are of type `usize`") {
            let new = format!("{} as usize", in_parentheses(text));
            all.push(proposal(edit(new), Sure::Rule, "an index is a usize"));
        }
        if code == "E0382" && label.contains("value moved here") && is_place(text) {
            all.push(proposal(edit(format!("{text}.clone()")), Sure::Rule, "a copy is moved"));
        }
        if code == "E0728" && label.contains("this is not `async`") {
            all.push(proposal(edit(format!("async {text}")), Sure::Rule, "it is async"));
        }
        if code == "E0308" && label.contains("because of return type") {
            let found = found_type(error)
                .map(|new| proposal(edit(new), Sure::Guess, "it returns what it gives"));
            all.extend(found);
        }
    }
    all.extend(fields(files, error));
    all
}

fn proposal(edit: Edit, sure: Sure, reason: &str) -> Proposal {
    Proposal { edits: vec![edit], sure, reason: reason.to_owned() }
}

/// The bytes of a span and their text.
fn place<'a>(files: &'a Files, span: &Span) -> Option<(usize, usize, &'a str)> {
    let text = files.get(&span.file)?;
    let start = byte_at(text, span.line_start, span.column_start)?;
    let end = byte_at(text, span.line_end, span.column_end)?;
    Some((start, end, text.get(start..end)?))
}

/// A variable or a field.
fn is_place(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| is_word(character) || character == '.')
}

fn in_parentheses(text: &str) -> String {
    let simple = text.chars().all(|character| is_word(character) || ".()".contains(character));
    if simple { text.to_owned() } else { format!("({text})") }
}

/// A conversion between two kinds of numbers; one that may lose something is a guess.
fn cast(label: &str, text: &str) -> Option<(String, Sure)> {
    let names = quoted(label);
    let [wanted, found] = names[..] else { return None };
    let (value, found) = match found.strip_prefix('&') {
        Some(inner) => (format!("*{text}"), inner),
        None => (text.to_owned(), found),
    };
    let all = [UNSIGNED, SIGNED, FLOATS];
    let is_number = |name: &str| all.iter().any(|own| own.contains(&name));
    if !is_number(wanted) || !is_number(found) || !label.starts_with("expected ") {
        return None;
    }
    let widens = all.iter().any(|own| {
        let at = |name: &str| own.iter().position(|other| *other == name);
        at(found).zip(at(wanted)).is_some_and(|(narrow, wide)| narrow < wide)
    });
    let sized = wanted.ends_with("size") || found.ends_with("size");
    Some(match widens && !sized {
        true => (format!("{wanted}::from({value})"), Sure::Rule),
        false if widens => (format!("{} as {wanted}", in_parentheses(&value)), Sure::Rule),
        false => (format!("{} as {wanted}", in_parentheses(&value)), Sure::Guess),
    })
}

/// The type of what a function gives, if it can be written down.
fn found_type(error: &Diagnostic) -> Option<String> {
    let label = error.primary()?.label.as_deref()?;
    let (_, found) = label.split_once(", found ")?;
    let name = *quoted(found).first()?;
    let is_whole = !name.contains(['_', '{', '…', '?']) && !name.contains("...");
    (is_whole && !found.starts_with("closure") && !found.starts_with("opaque"))
        .then(|| name.to_owned())
}

/// Fields that are missing get the default of their type.
fn fields(files: &Files, error: &Diagnostic) -> Option<Proposal> {
    if error.code.as_deref() != Some("E0063") {
        return None;
    }
    let span = error.primary()?;
    let (_, end, _) = place(files, span)?;
    let text = &files[&span.file];
    let names = quoted(error.message.split(" in initializer").next()?);
    let open = tokens(&text[end..]).into_iter().next().filter(|token| token.is("{"))?;
    let new: String = names.iter().map(|name| format!(" {name}: Default::default(),")).collect();
    let edit = Edit::insert(&span.file, end + open.end(), &new);
    Some(proposal(edit, Sure::Guess, "a missing field has its default"))
}
