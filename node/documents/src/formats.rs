//! One file per kind of document.

mod html;
mod markdown;
mod pdf;
mod rust;
mod text;

use crate::document::Document;
use crate::error::ReadError;
use crate::kind::Kind;
use crate::reader::{Deadline, Limits};

/// What a reader is given.
pub struct Source {
    pub kind: Kind,
    pub name: String,
    pub bytes: Vec<u8>,
    pub limits: Limits,
    pub deadline: Deadline,
}

/// Reads a source by its kind.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    match source.kind {
        Kind::Text => text::read(source),
        Kind::Markdown => markdown::read(source),
        Kind::Html => html::read(source),
        Kind::Pdf => pdf::read(source),
        Kind::Rust => rust::read(source),
    }
}

impl Source {
    /// The bytes as text.
    fn text(&self) -> Result<String, ReadError> {
        text::decode(&self.bytes)
    }

    /// The name's last part.
    fn file_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A source as the reader's thread gets it, with time enough.
    pub fn source(name: &str, bytes: &[u8]) -> Source {
        let limits = Limits::default();
        let kind = Kind::of(name, bytes).expect("the test gives a known kind");
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        Source { kind, name, bytes, limits, deadline: Deadline::never() }
    }

    /// Sections as one string each: headings, a bar, lines or pages, a bar, the text.
    pub fn shown(document: &Document) -> Vec<String> {
        let show = |section: crate::Section<'_>| {
            let place = section.position;
            let headings = section.headings.join(" > ");
            format!("{headings} | {}-{} | {}", place.first, place.last, section.text)
        };
        document.sections().map(show).collect()
    }
}
