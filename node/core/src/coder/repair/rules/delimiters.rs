//! Parentheses, brackets and braces that are missing, too many, or of the wrong kind.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::byte_at;
use crate::build::{Diagnostic, Files, Span};
use crate::coder::tokens::{Kind, Token, tokens};

/// Proposes places for what is missing, the likeliest first.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    if error.code.is_some() || !error.message.contains("delimiter") {
        return vec![];
    }
    let mut edits = vec![];
    for span in &error.spans {
        let Some(text) = files.get(&span.file) else { continue };
        let Some(place) = byte_at(text, span.line_start, span.column_start) else { continue };
        let label = span.label.as_deref().unwrap_or_default();
        if label.contains("unclosed delimiter") {
            edits.extend(closed((&span.file, text), place));
        }
    }
    if let Some(span) = error.primary().filter(|span| files.contains_key(&span.file)) {
        edits.extend(wrong(files, span, &error.message));
        edits.extend(by_indentation(&span.file, &files[&span.file]));
    }
    let reason = "a bracket is put in order".to_owned();
    let proposal = |edit| Proposal { edits: vec![edit], sure: Sure::Rule, reason: reason.clone() };
    edits.into_iter().map(proposal).collect()
}

fn partner(open: &str) -> Option<&'static str> {
    Some(match open {
        "(" => ")",
        "[" => "]",
        "{" => "}",
        _ => return None,
    })
}

/// Places on the line of an opening parenthesis where it may end.
fn closed(file: (&str, &str), place: usize) -> Vec<Edit> {
    let (path, text) = file;
    let Some(close) = text.get(place..=place).and_then(partner).filter(|close| *close != "}")
    else {
        return vec![];
    };
    let end = text[place..].find('\n').map_or(text.len(), |length| place + length);
    // What is missing is missing before a comment.
    let code = tokens(&text[place..end]).last().map_or(end - place, Token::end);
    let line = &text[place..place + code];
    let end = place + code;
    let mut places = vec![];
    let body = line.trim_end_matches([';', ',', '{', ' ', '?']);
    if body.len() < line.len() {
        places.push((place + body.len(), close.to_owned()));
    } else {
        places.push((end, format!("{close};")));
        places.push((end, close.to_owned()));
    }
    // A call in the middle of a chain: before each point and closing sign behind it.
    let inner = tokens(&line[1..]);
    let mut open = 0i32;
    for token in &inner {
        match token.kind {
            Kind::Open => open += 1,
            Kind::Close if open == 0 => break,
            Kind::Close => open -= 1,
            _ => {}
        }
        if open == 0 && matches!(token.text, "." | "," | "=" | "+" | "{") && places.len() < 6 {
            let before = line[..=token.start].trim_end().len();
            places.push((place + before, close.to_owned()));
        }
    }
    places.into_iter().map(|(place, text)| Edit::insert(path, place, &text)).collect()
}

/// A closing sign that should not be there, or should be another one.
fn wrong(files: &Files, span: &Span, message: &str) -> Vec<Edit> {
    let text = &files[&span.file];
    let Some(place) = byte_at(text, span.line_start, span.column_start) else { return vec![] };
    let Some(own) = text.get(place..=place).filter(|own| matches!(*own, ")" | "]" | "}")) else {
        return vec![];
    };
    let with = |new: &str| Edit { end: place + 1, ..Edit::insert(&span.file, place, new) };
    if message.contains("unexpected closing") {
        return vec![with("")];
    }
    [")", "]", "}"].iter().filter(|new| **new != own).map(|new| with(new)).collect()
}

/// A brace whose block ends, by its indentation, before it is closed.
fn by_indentation(path: &str, text: &str) -> Option<Edit> {
    let starts: Vec<_> =
        [0].into_iter().chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
    let line_of = |byte: usize| starts.partition_point(|start| *start <= byte) - 1;
    let indent_of = |line: usize| {
        let rest = &text[starts[line]..];
        rest.len() - rest.trim_start_matches([' ', '\t']).len()
    };
    let mut open: Vec<usize> = vec![];
    for token in tokens(text) {
        let line = line_of(token.start);
        if token.is("{") {
            open.push(line);
        } else if token.is("}") {
            let opener = open.pop()?;
            let first = token.start == starts[line] + indent_of(line);
            if first && opener != line && indent_of(line) < indent_of(opener) {
                return Some(closing_line(path, starts[line], indent_of(opener)));
            }
        }
    }
    let opener = *open.last()?;
    let indent = indent_of(opener);
    let later = (opener + 1..starts.len()).find(|line| {
        let rest = text[starts[*line]..].lines().next().unwrap_or_default();
        !rest.trim().is_empty() && indent_of(*line) <= indent && !rest.trim().starts_with('}')
    });
    let place = later.map_or(text.len(), |line| starts[line]);
    Some(closing_line(path, place, indent))
}

fn closing_line(path: &str, place: usize, indent: usize) -> Edit {
    Edit::insert(path, place, &format!("{}}}\n", " ".repeat(indent)))
}
