//! HTML: its readable text, a section per heading.
//!
//! The page is read tag by tag and never becomes a tree: nothing recurses, however deep it is nested.

mod open;
mod page;
mod prose;
mod tags;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

use self::page::Page;
use super::Source;
use crate::document::Document;
use crate::error::ReadError;

/// Tokens between two looks at the clock.
const TOKENS_PER_LOOK: usize = 4096;

/// Reads a page. Its title is its `<title>`, else its first heading, else the file's name.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    let text = source.text()?;
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // Scripts and styles are no markup.
    emitter.naively_switch_states(true);
    let mut page = Page::new(&source.limits);
    let mut lines = Lines { bytes: text.as_bytes(), offset: 0, number: 1 };
    let tokens = Tokenizer::new_with_emitter(&text, emitter);
    for (count, Ok(token)) in tokens.enumerate() {
        if count.is_multiple_of(TOKENS_PER_LOOK) {
            source.deadline.check(&source.limits)?;
        }
        see(&mut page, &token, &mut lines)?;
    }
    page.finish(source.file_name())
}

fn see(page: &mut Page, token: &Token<usize>, lines: &mut Lines<'_>) -> Result<(), ReadError> {
    match token {
        Token::StartTag(tag) => {
            page.at_line(lines.of(tag.span.start));
            page.start(tag)
        }
        Token::EndTag(tag) => {
            page.at_line(lines.of(tag.span.start));
            page.end(&String::from_utf8_lossy(&tag.name))
        }
        Token::String(text) => {
            page.at_line(lines.of(text.span.start));
            page.text(&String::from_utf8_lossy(text))
        }
        _ => Ok(()),
    }
}

/// Finds the line of an offset; offsets come in rising order.
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: u32,
}

impl Lines<'_> {
    fn of(&mut self, offset: usize) -> u32 {
        let offset = offset.min(self.bytes.len());
        if offset > self.offset {
            let passed = &self.bytes[self.offset..offset];
            let lines = passed.iter().filter(|byte| **byte == b'\n').count();
            self.number = self.number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            self.offset = offset;
        }
        self.number
    }
}
