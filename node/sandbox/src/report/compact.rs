//! Diagnostics as lines, for readers who pay by the word.

use gaia_core::build::Diagnostic;

use super::text::shortened;

/// Lines at most, without the one that says how many were left out.
pub const LINES_MAX: usize = 50;
const LINE_BYTES_MAX: usize = 500;

/// One line a message, `file:line: level: message`, errors and the project's own first; then, if
/// there are more than fifty, how many were left out.
pub fn compact_lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    let sorted = by_weight(diagnostics);
    let mut lines: Vec<_> =
        sorted.iter().take(LINES_MAX).map(|diagnostic| line(diagnostic)).collect();
    if sorted.len() > LINES_MAX {
        lines.push(format!("… {} more messages were left out", sorted.len() - LINES_MAX));
    }
    lines
}

/// What is worth reading, the most important first; among equals as the compiler had them.
pub(super) fn by_weight(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<_> =
        diagnostics.iter().filter(|diagnostic| !diagnostic.is_trailer()).collect();
    sorted.sort_by_key(|diagnostic| (diagnostic.level, diagnostic.origin));
    sorted
}

fn line(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.primary().map_or_else(
        || diagnostic.package.clone(),
        |span| format!("{}:{}", span.file, span.line_start),
    );
    let level = diagnostic.level.as_str();
    let code = diagnostic.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let message = diagnostic.message.replace('\n', " ");
    shortened(format!("{place}: {level}{code}: {message}"), LINE_BYTES_MAX)
}
