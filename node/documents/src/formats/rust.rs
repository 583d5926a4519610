//! Rust source: a section per item, with its documentation and its path.
//!
//! Only tokens are read, by the lexer that macros use: it keeps a stack of its own, so that brackets
//! nested beyond all measure are no danger. What it can't read is cut as text.

mod items;
mod path;

use std::ops::Range;

use proc_macro2::TokenStream;

use self::items::{Item, Kind};
use super::{Source, text};
use crate::document::{Document, Form, Unit};
use crate::error::ReadError;
use crate::writer::Writer;

/// Tokens take a hundred times the memory of the source. No one writes longer files; generated ones
/// are cut as text.
const SOURCE_BYTES_MAX: usize = 2 << 20;
/// Modules in modules; what lies deeper stays one section.
const DEPTH_MAX: usize = 32;

/// Reads Rust source. Its title is the source's name.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    let text = source.text()?;
    match tokens(&text) {
        Some(tokens) => {
            let writer = Writer::new(Unit::Line, Form::Code, &source.limits);
            let mut outline = Outline::new(&text, writer);
            let module = path::module(&source.name);
            outline.items(tokens, &module, 0)?;
            outline.rest(&module, text.len())?;
            outline.writer.finish(&source.name)
        }
        None => text::whole(source, &text, Form::Code),
    }
}

/// The tokens of a file that is short enough and has no mistake in its brackets and literals.
fn tokens(text: &str) -> Option<TokenStream> {
    if text.len() > SOURCE_BYTES_MAX {
        return None;
    }
    let script = text.starts_with("#!") && !text.starts_with("#![");
    let line = if script { text.lines().next()? } else { "" };
    // A script's first line is no Rust; the places of what follows must stay.
    let blank: String = line.chars().map(|_| '\u{20}').collect();
    if !line.is_ascii() {
        return None;
    }
    format!("{blank}{}", &text[line.len()..]).parse().ok()
}

/// Writes items as sections.
struct Outline<'a> {
    text: &'a str,
    writer: Writer,
    /// Up to here the text is written, and the number of its line.
    written: usize,
    line: u32,
    /// The module that the open section is about, if it is about no item.
    open: Option<String>,
}

impl<'a> Outline<'a> {
    fn new(text: &'a str, writer: Writer) -> Self {
        Self { text, writer, written: 0, line: 1, open: Some(String::new()) }
    }

    /// Writes the items of a module, trait or implementation whose path is `path`.
    fn items(&mut self, tokens: TokenStream, path: &str, depth: usize) -> Result<(), ReadError> {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        while let Some((item, after)) = items::next(rest) {
            self.item(&item, path, depth)?;
            rest = after;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, path: &str, depth: usize) -> Result<(), ReadError> {
        let Some(name) = &item.name else { return self.rest(path, item.place.end) };
        let own = path::of_item(path, name, item.kind);
        match &item.body {
            Some(body) if item.kind != Kind::Whole && depth < DEPTH_MAX => {
                let place = body.span().byte_range();
                self.head(item, &own, place.start + 1)?;
                self.items(body.stream(), &own, depth + 1)?;
                self.rest(&own, place.end - 1)?;
                self.skip(place.end);
                Ok(())
            }
            _ => self.section(&own, item.place.end),
        }
    }

    /// Writes the head of an item with items inside, if it says more than its sections' paths do.
    fn head(&mut self, item: &Item, own: &str, end: usize) -> Result<(), ReadError> {
        let says_more = !self.text[self.written..item.keyword].trim().is_empty();
        if says_more || item.kind == Kind::Trait {
            return self.section(own, end);
        }
        self.skip(end);
        Ok(())
    }

    /// Writes what belongs to no item: uses, comments, inner attributes.
    fn rest(&mut self, path: &str, end: usize) -> Result<(), ReadError> {
        if self.text[self.written..end].trim().is_empty() {
            return Ok(());
        }
        if self.open.as_deref() != Some(path) {
            self.writer.heading(1, path, self.line)?;
            self.open = Some(path.to_owned());
        }
        self.write(end)
    }

    fn section(&mut self, path: &str, end: usize) -> Result<(), ReadError> {
        self.open = None;
        self.writer.heading(1, path, self.line)?;
        self.write(end)
    }

    fn write(&mut self, end: usize) -> Result<(), ReadError> {
        let (part, line) = (self.written..end, self.line);
        self.skip(end);
        self.writer.lines(&self.text[part], line)
    }

    fn skip(&mut self, end: usize) {
        let passed: Range<usize> = self.written..end;
        let lines = self.text[passed].bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.written = end;
    }
}

#[cfg(test)]
mod tests;
