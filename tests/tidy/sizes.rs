//! Files stay below 600 lines and functions below 71.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::sources::{assert_none, rust_sources, sources};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// The share of functions over 40 lines that the cleanest servers stay below is a tenth.
const LONG_FUNCTION_LINES: usize = 40;

struct Functions<'a> {
    path: &'a str,
    found: Vec<(String, usize)>,
}

impl Functions<'_> {
    fn note(&mut self, name: &syn::Ident, span: Span) {
        let lines = span.end().line - span.start().line + 1;
        self.found.push((format!("{}:{} {name}", self.path, span.start().line), lines));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.sig.ident, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.sig.ident, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }
}

fn functions() -> Vec<(String, usize)> {
    let mut all = vec![];
    for source in rust_sources() {
        // `link.rs` is included by build scripts and starts with plain comments: still a file.
        let file = syn::parse_file(&source.text).expect("rustc accepts the file");
        let mut functions = Functions { path: &source.path, found: vec![] };
        functions.visit_file(&file);
        all.append(&mut functions.found);
    }
    all
}

#[test]
fn no_file_is_above_600_lines() {
    let code = |path: &str| {
        [".rs", ".sh", ".py", ".mjs", ".html"].iter().any(|ending| path.ends_with(ending))
            || path.starts_with("scripts/")
    };
    let findings: Vec<_> = sources(code)
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("files over 600 lines", &findings);
}

#[test]
fn no_function_is_above_70_lines() {
    let findings: Vec<_> = functions()
        .into_iter()
        .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
        .map(|(place, lines)| format!("{place}: {lines} lines"))
        .collect();
    assert_none("functions over 70 lines", &findings);
}

#[test]
fn long_functions_are_rare() {
    let all = functions();
    let long = all.iter().filter(|(_, lines)| *lines > LONG_FUNCTION_LINES).count();
    assert!(long * 10 <= all.len(), "{long} of {} functions are over 40 lines", all.len());
}
