//! What the compiler says about code.

use serde::Serialize;

use super::place::{Origin, Places};
use super::text::{plain, shortened};
use super::wire;

const MESSAGE_BYTES_MAX: usize = 4 << 10;
const RENDERED_BYTES_MAX: usize = 32 << 10;
const REPLACEMENT_BYTES_MAX: usize = 16 << 10;
const NAME_BYTES_MAX: usize = 100;
const SPANS_MAX: usize = 32;
const CHILDREN_MAX: usize = 32;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The compiler itself failed.
    InternalError,
    /// Does not compile.
    Error,
    /// Compiles.
    Warning,
    /// A remark.
    Note,
    /// A piece of advice.
    Help,
}

impl Level {
    fn of(text: &str) -> Self {
        match text {
            "error" => Self::Error,
            "warning" => Self::Warning,
            "help" => Self::Help,
            _ if text.contains("internal compiler error") => Self::InternalError,
            _ => Self::Note,
        }
    }

    /// As in the compiler's own text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternalError => "internal compiler error",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Help => "help",
        }
    }
}

/// One message of the compiler, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// An error's number, or a lint's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In one line, mostly.
    pub message: String,
    /// Whether the project's author can do something about it.
    pub origin: Origin,
    /// The package that was being compiled.
    pub package: String,
    /// Its part that was being compiled: a library, a program, a test.
    pub target: String,
    /// Places in files, the primary ones first.
    pub spans: Vec<Span>,
    /// Notes and advice.
    pub children: Vec<Child>,
    /// Changes that would make it go away, perhaps.
    pub suggestions: Vec<Suggestion>,
    /// As the compiler prints it.
    pub rendered: String,
}

/// A note or advice of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Child {
    /// `note` or `help`, mostly.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Its places.
    pub spans: Vec<Span>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// From the project's top, or from the crate's folder.
    pub file: String,
    /// Whose file it is.
    pub origin: Origin,
    /// The first line, counted from 1.
    pub line_start: u32,
    /// The last line.
    pub line_end: u32,
    /// The first column in characters, counted from 1.
    pub column_start: u32,
    /// The column behind the last.
    pub column_end: u32,
    /// Whether the message is about this place.
    pub primary: bool,
    /// What is said of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The macro that the code comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_name: Option<String>,
}

/// Replacements that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What they do.
    pub message: String,
    /// Whether they can be made without looking.
    pub applicability: Applicability,
    /// All of them or none should be made.
    pub replacements: Vec<Replacement>,
}

/// How sure the compiler is of a suggestion; the least sure of its replacements counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applicability {
    /// Can be made by a machine.
    MachineApplicable,
    /// May be wrong.
    MaybeIncorrect,
    /// Has parts for a person to fill in.
    HasPlaceholders,
    /// Nothing is said.
    Unspecified,
}

impl Applicability {
    fn of(text: Option<&str>) -> Self {
        match text {
            Some("MachineApplicable") => Self::MachineApplicable,
            Some("MaybeIncorrect") => Self::MaybeIncorrect,
            Some("HasPlaceholders") => Self::HasPlaceholders,
            _ => Self::Unspecified,
        }
    }
}

/// New text for a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replacement {
    /// From the project's top.
    pub file: String,
    /// The first byte that is replaced, counted from 0.
    pub byte_start: u32,
    /// The byte behind the last.
    pub byte_end: u32,
    /// The line of the first byte, counted from 1.
    pub line_start: u32,
    /// The column of the first byte in characters, counted from 1.
    pub column_start: u32,
    /// What to put there.
    pub replacement: String,
}

impl Diagnostic {
    pub(super) fn of(message: wire::CompilerMessage, places: &Places) -> Self {
        let wire::CompilerMessage { package_id, target, message } = message;
        let spans = spans(&message.spans, places);
        let children: Vec<_> = message.children.into_iter().take(CHILDREN_MAX).collect();
        Self {
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

    /// The place that the message is about, in the project if one is there.
    pub fn primary(&self) -> Option<&Span> {
        let of = |origin: Option<Origin>| {
            self.spans
                .iter()
                .find(|span| span.primary && origin.is_none_or(|own| own == span.origin))
        };
        of(Some(Origin::Project)).or_else(|| of(None)).or(self.spans.first())
    }

    /// Whether it only counts or closes what was said before.
    pub fn is_trailer(&self) -> bool {
        let counts = self.message.ends_with(" emitted") || self.message.ends_with(" emitted)");
        self.spans.is_empty()
            && (self.message.starts_with("aborting due to ")
                || self.message.starts_with("For more information about ")
                || self.message.starts_with("Some errors have detailed explanations")
                || (self.level == Level::Warning && counts))
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
    Span {
        file,
        origin,
        line_start: span.line_start,
        line_end: span.line_end,
        column_start: span.column_start,
        column_end: span.column_end,
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
    fn a_suggestion_is_as_sure_as_its_least_sure_part() {
        assert!(Applicability::MachineApplicable < Applicability::MaybeIncorrect);
        assert_eq!(Applicability::of(None), Applicability::Unspecified);
    }
}
