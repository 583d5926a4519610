//! What the compiler writes about code, read within limits.

use gaia_core::build::{
    Applicability, Child, Diagnostic, Level, Origin, Replacement, Span, Suggestion,
};

use super::place::Places;
use super::text::{plain, shortened};
use super::wire;

const MESSAGE_BYTES_MAX: usize = 4 << 10;
const RENDERED_BYTES_MAX: usize = 32 << 10;
const REPLACEMENT_BYTES_MAX: usize = 16 << 10;
const NAME_BYTES_MAX: usize = 100;
const SPANS_MAX: usize = 32;
const CHILDREN_MAX: usize = 32;

/// Reads one message.
pub(super) fn diagnostic(message: wire::CompilerMessage, places: &Places) -> Diagnostic {
    let wire::CompilerMessage { package_id, target, message } = message;
    let spans = spans(&message.spans, places);
    let children: Vec<_> = message.children.into_iter().take(CHILDREN_MAX).collect();
    Diagnostic {
        level: Level::of(&message.level),
        code: message.code.map(|code| name(&code.code)),
        message: text(message.message),
        origin: origin(&package_id, &spans),
        package: name(package_name(&package_id)),
        target: name(&target.name),
        spans,
        suggestions: children.iter().filter_map(|child| suggestion(child, places)).collect(),
        children: children.into_iter().map(|child| self::child(child, places)).collect(),
        rendered: shortened(plain(&message.rendered.unwrap_or_default()), RENDERED_BYTES_MAX),
    }
}

/// A message about no place is the project's if its package is.
fn origin(package_id: &str, spans: &[Span]) -> Origin {
    if package_id.starts_with("path+") {
        return Origin::Project;
    }
    spans.iter().map(|span| span.origin).min().unwrap_or(Origin::Dependency).max(Origin::Dependency)
}

/// The name in `registry+…#name@version`, `path+file:///a/name#version` or `path+…#name@version`.
pub(super) fn package_name(id: &str) -> &str {
    let (before, after) = id.rsplit_once('#').unwrap_or(("", id));
    match after.split_once('@') {
        Some((name, _)) => name,
        None if before.is_empty() => after,
        None => before.rsplit('/').next().unwrap_or(before),
    }
}

fn name(text: &str) -> String {
    shortened(plain(text), NAME_BYTES_MAX)
}

fn text(text: String) -> String {
    shortened(plain(&text), MESSAGE_BYTES_MAX)
}

fn spans(spans: &[wire::Span], places: &Places) -> Vec<Span> {
    let mut spans: Vec<_> =
        spans.iter().take(SPANS_MAX).map(|span| self::span(span, places)).collect();
    spans.sort_by_key(|span| !span.primary);
    spans
}

fn span(span: &wire::Span, places: &Places) -> Span {
    let (origin, file) = places.of(&span.file_name);
    // A program can print the same as the compiler, and what it likes.
    let line_end = span.line_end.max(span.line_start);
    let column_min = if line_end == span.line_start { span.column_start } else { 0 };
    Span {
        file,
        origin,
        line_start: span.line_start,
        line_end,
        column_start: span.column_start,
        column_end: span.column_end.max(column_min),
        primary: span.is_primary,
        label: span.label.clone().filter(|label| !label.is_empty()).map(text),
        macro_name: span.expansion.as_ref().map(|expansion| name(&expansion.macro_decl_name)),
    }
}

fn child(child: wire::Diagnostic, places: &Places) -> Child {
    Child {
        level: Level::of(&child.level),
        message: text(child.message),
        spans: spans(&child.spans, places),
    }
}

/// What a child wants replaced. Only whole suggestions within the project are given.
fn suggestion(child: &wire::Diagnostic, places: &Places) -> Option<Suggestion> {
    let wanted = child.spans.iter().filter(|span| span.suggested_replacement.is_some());
    let wanted: Vec<_> = wanted.take(SPANS_MAX + 1).collect();
    if wanted.is_empty() || wanted.len() > SPANS_MAX {
        return None;
    }
    let replacements = wanted.iter().map(|span| replacement(span, places));
    Some(Suggestion {
        message: text(child.message.clone()),
        applicability: wanted
            .iter()
            .map(|span| Applicability::of(span.suggestion_applicability.as_deref()))
            .max()?,
        replacements: replacements.collect::<Option<_>>()?,
    })
}

fn replacement(span: &wire::Span, places: &Places) -> Option<Replacement> {
    let (origin, file) = places.of(&span.file_name);
    let replacement = span.suggested_replacement.clone()?;
    let whole = origin == Origin::Project && replacement.len() <= REPLACEMENT_BYTES_MAX;
    whole.then_some(Replacement {
        file,
        byte_start: span.byte_start,
        byte_end: span.byte_end,
        line_start: span.line_start,
        column_start: span.column_start,
        replacement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_in_all_forms_of_ids() {
        for id in [
            "registry+https://x/index#a@1.0.0",
            "path+file:///job/a#0.1.0",
            "path+file:///job/project#a@0.1.0",
            "a",
        ] {
            assert_eq!(package_name(id), "a", "{id}");
        }
    }

    #[test]
    fn a_place_ends_where_it_begins_or_behind() {
        let read = |lines: (u32, u32), columns: (u32, u32)| {
            let span = serde_json::json!({
                "file_name": "src/lib.rs", "byte_start": 9, "byte_end": 1, "is_primary": true,
                "line_start": lines.0, "line_end": lines.1,
                "column_start": columns.0, "column_end": columns.1,
            });
            let span: wire::Span = serde_json::from_value(span).expect("a span");
            let span = super::span(&span, &Places::default());
            ((span.line_start, span.line_end), (span.column_start, span.column_end))
        };
        assert_eq!(read((100, 1), (9, 3)), ((100, 100), (9, 9)));
        assert_eq!(read((3, 3), (9, 3)), ((3, 3), (9, 9)));
        assert_eq!(read((3, 4), (9, 3)), ((3, 4), (9, 3)));
    }
}
