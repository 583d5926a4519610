//! The port to the memory of fixes.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::ServeError;
use crate::build::Diagnostic;

/// What a fix is looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symptom {
    /// The error's number or the lint's name.
    pub code: Option<String>,
    /// The message without what is particular to one project: names, paths, numbers.
    pub message: String,
    /// The lines it is about.
    pub snippet: String,
}

/// A change that made an error go away, as the compiler agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fix {
    /// Follows from code, message, before and after: the same fix twice is one.
    pub id: String,
    /// The error's number or the lint's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The message without what is particular to one project.
    pub message: String,
    /// The lines as they were.
    pub before: String,
    /// The lines as they are.
    pub after: String,
    /// Why, in a sentence or two.
    pub explanation: String,
    /// Where it comes from: the name of a key, `seed`, or a file that was imported.
    pub origin: String,
    /// Whether the origin is trusted. One that is not helps nobody but its origin until it has helped
    /// twice.
    pub trusted: bool,
    /// How often it was tried.
    pub used: u32,
    /// How often an error went away by it.
    pub helped: u32,
}

/// An answer that is being waited for.
pub type MemoryReply<'a, T> = Pin<Box<dyn Future<Output = Result<T, ServeError>> + Send + 'a>>;

/// Remembers fixes, for one who asks. Implemented over a knowledge base, and by a strict fake in
/// tests.
pub trait Memory: Send + Sync {
    /// The fixes that may help, the best first.
    fn similar(&self, symptom: Symptom, limit: usize) -> MemoryReply<'_, Vec<Fix>>;

    /// Keeps a fix that the compiler agreed to; its id, origin, trust and numbers are the memory's.
    fn remember(&self, fix: Fix) -> MemoryReply<'_, ()>;

    /// Tells whether a fix that was tried has helped.
    fn judge(&self, id: &str, helped: bool) -> MemoryReply<'_, ()>;
}

impl Symptom {
    /// Of a message about a file's text, if that is known.
    #[must_use]
    pub fn of(diagnostic: &Diagnostic, text: Option<&str>) -> Self {
        Self {
            code: diagnostic.code.clone(),
            message: normalized(&diagnostic.message),
            snippet: snippet(diagnostic, text),
        }
    }
}

/// Lines before and behind the place that belong to a snippet.
const MARGIN_LINES: usize = 2;

fn snippet(diagnostic: &Diagnostic, text: Option<&str>) -> String {
    let Some((span, text)) = diagnostic.primary().zip(text) else { return String::new() };
    let first = (span.line_start as usize).saturating_sub(1 + MARGIN_LINES);
    let last = (span.line_end as usize).saturating_add(MARGIN_LINES);
    let lines: Vec<_> = text.lines().skip(first).take(last.saturating_sub(first)).collect();
    lines.join("\n")
}

/// Names in backticks become `_`, and so does every number: what is left is the kind of error.
fn normalized(message: &str) -> String {
    let mut parts = message.split('`');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    while let Some(name) = parts.next() {
        plain.push_str(if name.is_empty() { "``" } else { "`_`" });
        plain.push_str(parts.next().unwrap_or_default());
    }
    let mut text = String::with_capacity(plain.len());
    for character in plain.chars() {
        match character.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_particular_to_a_project_is_taken_out_of_a_message() {
        let message = "cannot find value `counter2` in this scope, 12 others";
        assert_eq!(normalized(message), "cannot find value `_` in this scope, # others");
        assert_eq!(normalized("an odd ` mark"), "an odd `_`");
        assert_eq!(normalized(""), "");
    }
}
