//! Signs that the compiler expected and did not find; strings without an end; keywords as names.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{byte_at, quoted};
use crate::build::{Diagnostic, Files};
use crate::coder::tokens::{Kind, Token, tokens};

/// Signs that stand by themselves, and those that follow what is before them.
const APART: &[&str] = &["->", "=>", "=", "{", "in"];
const BEHIND: &[&str] = &[",", ";", ")", ":", "]", "}", ">", "|"];

/// Proposes the signs that were expected.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let Some(span) = error.primary() else { return vec![] };
    let Some(text) = files.get(&span.file) else { return vec![] };
    let Some(place) = byte_at(text, span.line_start, span.column_start) else { return vec![] };
    if error.code.as_deref() == Some("E0765") {
        return unterminated(&span.file, text, place);
    }
    if let Some(proposal) = escaped(&span.file, text, error) {
        return vec![proposal];
    }
    if error.code.is_some() || !error.message.starts_with("expected ") {
        return vec![];
    }
    let wanted = error.message.split(", found ").next().unwrap_or_default();
    let names = quoted(wanted);
    let before = text[..place].trim_end().len();
    let edit = |sign: &&str| match () {
        () if APART.contains(sign) => Some(Edit::insert(&span.file, place, &format!("{sign} "))),
        () if BEHIND.contains(sign) => Some(Edit::insert(&span.file, before, sign)),
        () => None,
    };
    let reason = |sign: &str| format!("`{sign}` was expected");
    let proposal = |sign: &str| {
        let edits = vec![edit(&sign)?];
        Some(Proposal { edits, sure: Sure::Rule, reason: reason(sign) })
    };
    names.into_iter().filter_map(proposal).collect()
}

/// The end of the line, or what ends a statement there, ends the string.
fn unterminated(path: &str, text: &str, start: usize) -> Vec<Proposal> {
    let rest = &text[start..];
    let line = rest.lines().next().unwrap_or_default();
    let mut places = vec![];
    for end in [");", ")", ",", ";"] {
        if let Some(body) = line.trim_end().strip_suffix(end) {
            places.push(start + body.len());
        }
    }
    places.push(start + line.trim_end().len());
    let edit = |place| vec![Edit::insert(path, place, "\"")];
    let reason = "the string is ended".to_owned();
    let all = places.into_iter();
    all.map(|place| Proposal { edits: edit(place), sure: Sure::Rule, reason: reason.clone() })
        .collect()
}

/// A keyword that was taken for a name is escaped wherever it is one.
fn escaped(path: &str, text: &str, error: &Diagnostic) -> Option<Proposal> {
    let says = |words: &&str| words.starts_with("escape `");
    let mut all = error.suggestions.iter().map(|suggestion| suggestion.message.as_str());
    let keyword = *quoted(all.find(says)?).first()?;
    let tokens = tokens(text);
    let is_name = |place: usize| {
        let behind = tokens.get(place + 1).map_or("", |token: &Token<'_>| token.text);
        let before = place.checked_sub(1).and_then(|place| tokens.get(place));
        let declared = before.is_some_and(|token| matches!(token.text, "let" | "mut" | "."));
        let used =
            matches!(behind, "." | "," | ")" | ";" | "=" | "+" | "-" | "?" | "]" | "in" | "");
        tokens[place].kind == Kind::Word && tokens[place].is(keyword) && (declared || used)
    };
    let places = (0..tokens.len()).filter(|place| is_name(*place));
    let edits = places.map(|place| Edit::insert(path, tokens[place].start, "r#"));
    let edits: Vec<_> = edits.collect();
    let reason = format!("`{keyword}` is escaped to be a name");
    (!edits.is_empty()).then_some(Proposal { edits, sure: Sure::Rule, reason })
}
