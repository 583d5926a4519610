//! Asks for a few lines anew. Short, and in the order in which it changes least from round to round:
//! what is around, the code, what is wrong with it, what to do.

use std::fmt::Write;

use gaia_protocol::Message;

use super::outline::outline;
use super::{DESCRIPTION_BYTES_MAX, Told, conversation, cut, failing, objections, shown_fixes};
use crate::build::Diagnostic;
use crate::coder::items::What;
use crate::coder::repair::regions::{Region, names_in};

/// Messages of the compiler that are shown, and bytes of each.
const ERRORS_MAX: usize = 2;
const RENDERED_BYTES_MAX: usize = 900;
/// Bytes of the items around, and of an explanation of an error's number.
const OUTLINE_BYTES_MAX: usize = 1600;
const EXPLANATION_BYTES_MAX: usize = 400;
/// Bytes of a test that fails.
const TEST_BYTES_MAX: usize = 1200;
/// Bytes of a remembered fix that is shown.
const FIX_BYTES_MAX: usize = 500;
/// Bytes that an answer may have beside the lines that it replaces.
const ANSWER_BYTES_MORE: usize = 600;

/// What ends an answer: a fence and then a blank line. Behind the fence that begins it comes code.
pub(in crate::coder::repair) const STOP: &str = "\n```\n\n";

const RULES: &str = "You repair Rust code. You get code that does not work and what the compiler or \
    the tests said of it. Change as little as possible. Never remove what the code does, never add a \
    placeholder, an attribute or `unsafe`.";

/// The messages, and how many bytes an answer may well have.
pub(in crate::coder::repair) fn messages(
    told: &Told<'_>,
    regions: &[Region],
) -> (Vec<Message>, usize) {
    let files = &told.state.files;
    let shown: Vec<_> = regions.iter().map(|region| region.text(files)).collect();
    let errors = errors(told, regions);
    let mut text = String::new();
    if let Some(description) = told.description {
        let mut description = description.trim().to_owned();
        cut(&mut description, DESCRIPTION_BYTES_MAX / 2);
        let _ = writeln!(text, "The project is meant to be: {description}\n");
    }
    let words = shown.join("\n") + &errors;
    let outline_bytes = OUTLINE_BYTES_MAX.min(told.bytes_max / 6);
    let around = outline(files, regions, (&names_in(&words), outline_bytes));
    if !around.is_empty() {
        let _ = writeln!(text, "The project also has:\n```rust\n{}\n```\n", around.trim_end());
    }
    for (region, code) in regions.iter().zip(&shown) {
        let last = region.lines.1;
        let _ = writeln!(text, "{}, lines {} to {last}:", region.path, region.lines.0 + 1);
        let _ = writeln!(text, "```rust\n{}\n```\n", code.trim_end());
    }
    text.push_str(&errors);
    let has_test = regions.iter().any(|own| matches!(own.item, Some((What::Test, _))));
    failing(&mut text, told.state, if has_test { 0 } else { TEST_BYTES_MAX });
    let short = told.fixes.iter().filter(|fix| fix.before.len() + fix.after.len() < FIX_BYTES_MAX);
    shown_fixes(&mut text, short.take(1));
    objections(&mut text, told.objections);
    text.push_str(&asked(told, regions));
    let bytes: usize = shown.iter().map(String::len).max().unwrap_or_default();
    (conversation(RULES.to_owned(), text), bytes * 3 / 2 + ANSWER_BYTES_MORE)
}

/// What to do.
fn asked(told: &Told<'_>, regions: &[Region]) -> String {
    let named = regions.iter().filter_map(|region| Some(region.item.as_ref()?.1.as_str()));
    let names: Vec<_> = named.map(|name| format!("`{name}`")).collect();
    let code = match (names.as_slice(), regions) {
        ([], _) | (_, []) => "these lines, no more and no fewer".to_owned(),
        ([one], _) => format!("all of {one} and nothing else"),
        (all, _) => format!("the one that is wrong of {}, all of it", all.join(", ")),
    };
    let tests = if told.drafted { " A test may be what is wrong, if its numbers are." } else { "" };
    // A small model that is asked what is wrong says it, and writes the same code again.
    format!(
        "Say in one short sentence what has to change, and how. Then write {code}, with this change, in \
         one block ```rust … ```. It must not be the same as above.{tests}\n"
    )
}

/// What the compiler says of the regions; where it says nothing of them, what it says first.
fn errors(told: &Told<'_>, regions: &[Region]) -> String {
    let report = &told.state.report;
    let is_here = |error: &&Diagnostic| {
        let place = error.primary();
        let line = place.map_or(0, |span| (span.line_start as usize).saturating_sub(1));
        let path = place.map_or("", |span| span.file.as_str());
        regions.iter().any(|own| own.path == path && (own.lines.0..own.lines.1).contains(&line))
    };
    let mut here: Vec<_> = report.errors().filter(is_here).take(ERRORS_MAX).collect();
    if here.is_empty() {
        here.extend(report.errors().take(1));
    }
    let mut text = String::new();
    for error in &here {
        let mut rendered = error.rendered.trim().to_owned();
        cut(&mut rendered, RENDERED_BYTES_MAX);
        let _ = writeln!(text, "The compiler says:\n```\n{rendered}\n```\n");
    }
    // Once an answer has failed, the model is told more.
    let codes = here.iter().filter_map(|error| error.code.as_deref());
    let explained = codes.filter_map(|code| Some((code, report.explanations.get(code)?)));
    for (code, explanation) in explained.filter(|_| !told.objections.is_empty()).take(1) {
        let mut explanation = explanation.trim().to_owned();
        cut(&mut explanation, EXPLANATION_BYTES_MAX);
        let _ = writeln!(text, "{code} means: {explanation}\n");
    }
    text
}
