//! A module of tests that does not see what it tests.

use super::super::edit::Edit;
use super::super::proposals::{Proposal, Sure};
use super::{byte_at, quoted};
use crate::build::{Diagnostic, Files};
use crate::coder::items::{Item, Scan, What, scan};

/// Proposes `use super::*;` for a module of tests that names what stands around it.
pub(super) fn propose(files: &Files, error: &Diagnostic) -> Vec<Proposal> {
    let is_missing =
        matches!(error.code.as_deref(), Some("E0405" | "E0412" | "E0422" | "E0425" | "E0433"));
    edit(files, error).filter(|_| is_missing).map_or(vec![], |edit| {
        let reason = "the module of tests imports what it tests".to_owned();
        vec![Proposal { edits: vec![edit], sure: Sure::Rule, reason }]
    })
}

fn edit(files: &Files, error: &Diagnostic) -> Option<Edit> {
    let span = error.primary()?;
    let text = files.get(&span.file)?;
    let place = byte_at(text, span.line_start, span.column_start)?;
    let found = scan(text);
    let module = found.items.iter().find(|item| {
        let holds = (item.bytes.0..item.bytes.1).contains(&place);
        item.what == What::Module && item.for_tests && holds
    })?;
    let names = quoted(&error.message);
    let is_around = |item: &Item| !item.for_tests && names.contains(&item.name.as_str());
    if !found.items.iter().any(is_around) || sees_all(&found, module) {
        return None;
    }
    let brace = found.tokens.get(module.body.0.checked_sub(1)?).filter(|token| token.is("{"))?;
    Some(Edit::insert(&span.file, brace.end(), "\n    use super::*;\n"))
}

fn sees_all(found: &Scan<'_>, module: &Item) -> bool {
    found
        .body(module)
        .windows(5)
        .any(|part| part.iter().map(|token| token.text).eq(["use", "super", ":", ":", "*"]))
}
