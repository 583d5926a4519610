//! PDF: the text that its pages draw, page by page.
//!
//! `lopdf` reads the file (`load`): it bounds how deep objects nest and what each stream unpacks to. What
//! the pages draw is followed here (`page`), operation by operation, within a budget for the whole file
//! (`budget`). Its fonts (`fonts`) have another; their maps are weighed before `lopdf` reads them (`cmap`).

mod budget;
mod cmap;
mod font;
mod fonts;
mod load;
mod matrix;
mod operands;
mod outline;
mod page;
mod sheet;
mod state;
mod targets;

use std::collections::BTreeMap;

use self::page::Pages;
use super::Source;
use crate::document::{Document, Form, Unit};
use crate::error::ReadError;
use crate::writer::Writer;

/// Reads a PDF. Its title is the one it names, else the file's name; its headings are those entries
/// of its outline that name a page, each from the start of its page on.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    let limits = &source.limits;
    let file = load::load(source)?;
    source.deadline.check(limits)?;
    let pages: Vec<_> = file.page_iter().take(limits.pages_max.saturating_add(1)).collect();
    if pages.len() > limits.pages_max {
        return Err(ReadError::TooManyPages { pages_max: limits.pages_max });
    }
    if pages.is_empty() {
        return Err(ReadError::DamagedPdf { why: "it has no pages".into() });
    }
    let numbered: Vec<_> = (1_u32..).zip(pages).collect();
    let numbers: BTreeMap<_, _> = numbered.iter().map(|(number, id)| (*id, *number)).collect();
    let headings = outline::headings(&file, &numbers);
    let plain = font::plain();
    let mut reader = Pages::new(&file, &plain, source);
    let mut writer = Writer::new(Unit::Page, Form::Prose, limits);
    for (number, id) in numbered {
        let text = reader.text(id)?;
        if let Some((level, heading)) = headings.get(&number) {
            writer.heading(*level, heading, number)?;
        }
        writer.text(&text, number)?;
        writer.text("\n\n", number)?;
    }
    if !reader.found_text() {
        return Err(ReadError::NoTextInPdf);
    }
    writer.finish(&title(&file).unwrap_or_else(|| source.file_name().to_owned()))
}

fn title(file: &lopdf::Document) -> Option<String> {
    let info = file.trailer.get_deref(b"Info", file).ok()?.as_dict().ok()?;
    let title = lopdf::decode_text_string(info.get_deref(b"Title", file).ok()?).ok()?;
    Some(title).filter(|title| title.contains(char::is_alphanumeric))
}

#[cfg(test)]
mod tests;
