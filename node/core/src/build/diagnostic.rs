//! What the compiler says about code.

use serde::{Deserialize, Serialize};

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The project's own.
    Project,
    /// Written by a build script, or by a macro.
    Generated,
    /// A crate's that the project depends on.
    Dependency,
    /// The standard library's.
    Toolchain,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Of the compiler's own word.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "error" => Self::Error,
            "warning" => Self::Warning,
            "help" => Self::Help,
            _ if text.contains("internal compiler error") => Self::InternalError,
            _ => Self::Note,
        }
    }

    /// As in the compiler's own text.
    #[must_use]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// An error's number, or a lint's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// `note` or `help`, mostly.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Its places.
    pub spans: Vec<Span>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The macro that the code comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_name: Option<String>,
}

/// Replacements that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What they do.
    pub message: String,
    /// Whether they can be made without looking.
    pub applicability: Applicability,
    /// All of them or none should be made.
    pub replacements: Vec<Replacement>,
}

/// How sure the compiler is of a suggestion; the least sure of its replacements counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Of the compiler's own word.
    #[must_use]
    pub fn of(text: Option<&str>) -> Self {
        match text {
            Some("MachineApplicable") => Self::MachineApplicable,
            Some("MaybeIncorrect") => Self::MaybeIncorrect,
            Some("HasPlaceholders") => Self::HasPlaceholders,
            _ => Self::Unspecified,
        }
    }
}

/// New text for a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The place that the message is about, in the project if one is there.
    #[must_use]
    pub fn primary(&self) -> Option<&Span> {
        let of = |origin: Option<Origin>| {
            self.spans
                .iter()
                .find(|span| span.primary && origin.is_none_or(|own| own == span.origin))
        };
        of(Some(Origin::Project)).or_else(|| of(None)).or(self.spans.first())
    }

    /// Whether it only counts or closes what was said before.
    #[must_use]
    pub fn is_trailer(&self) -> bool {
        let counts = self.message.ends_with(" emitted") || self.message.ends_with(" emitted)");
        self.spans.is_empty()
            && (self.message.starts_with("aborting due to ")
                || self.message.starts_with("For more information about ")
                || self.message.starts_with("Some errors have detailed explanations")
                || (self.level == Level::Warning && counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_as_sure_as_its_least_sure_part() {
        assert!(Applicability::MachineApplicable < Applicability::MaybeIncorrect);
        assert_eq!(Applicability::of(None), Applicability::Unspecified);
    }
}
