//! Writes a document: what all readers share, limits among it.

use std::ops::Range;

use crate::document::{Document, Form, Mark, Part, Unit};
use crate::error::ReadError;
use crate::reader::Limits;

/// Levels of headings; a deeper one counts as the deepest.
const LEVEL_MAX: u8 = 16;
/// A longer heading is text that somebody called a heading; it is cut.
const HEADING_BYTES_MAX: usize = 300;
const TITLE_BYTES_MAX: usize = 300;

/// Puts a document together, heading by heading and line by line.
pub struct Writer {
    text: String,
    unit: Unit,
    sections: Vec<Part>,
    marks: Vec<Mark>,
    /// The headings that the next text stands under: level, place in the text.
    path: Vec<(u8, Range<usize>)>,
    open: Open,
    text_bytes_max: usize,
    sections_max: usize,
}

/// The section that is being written.
struct Open {
    start: usize,
    body: usize,
    form: Form,
}

impl Writer {
    pub fn new(unit: Unit, form: Form, limits: &Limits) -> Self {
        Self {
            text: String::new(),
            unit,
            sections: vec![],
            marks: vec![],
            path: vec![],
            open: Open { start: 0, body: 0, form },
            text_bytes_max: limits.text_bytes_max,
            sections_max: limits.sections_max,
        }
    }

    /// Ends the section and starts one under a heading of `level`, 1 the outermost. A heading without
    /// letters starts a section that has the headings above it alone.
    pub fn heading(&mut self, level: u8, heading: &str, number: u32) -> Result<(), ReadError> {
        self.close()?;
        let level = level.clamp(1, LEVEL_MAX);
        self.path.retain(|(above, _)| *above < level);
        let start = self.text.len();
        self.open = Open { start, body: start, form: self.open.form };
        let heading = one_line(heading, HEADING_BYTES_MAX);
        if !heading.is_empty() {
            self.text(&heading, number)?;
            self.path.push((level, start..self.text.len()));
            self.text("\n", number)?;
            self.open.body = self.text.len();
        }
        Ok(())
    }

    /// Adds text that stands in one line or page of the source.
    pub fn text(&mut self, text: &str, number: u32) -> Result<(), ReadError> {
        if self.text.len() + text.len() > self.text_bytes_max {
            return Err(ReadError::TooMuchText { text_bytes_max: self.text_bytes_max });
        }
        if self.marks.last().is_none_or(|mark| mark.number != number) {
            self.marks.push(Mark { offset: self.text.len(), number });
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Adds lines as they stand in the source, where the first one has the number `first`.
    pub fn lines(&mut self, lines: &str, first: u32) -> Result<(), ReadError> {
        for (number, line) in (first..=u32::MAX).zip(lines.split_inclusive('\n')) {
            self.text(line, number)?;
        }
        Ok(())
    }

    /// The document, if it has any text. `title` is cut to one line.
    pub fn finish(mut self, title: &str) -> Result<Document, ReadError> {
        self.close()?;
        self.keep_bare_headings();
        if self.sections.is_empty() {
            return Err(ReadError::Empty);
        }
        let title = one_line(title, TITLE_BYTES_MAX);
        let Self { text, unit, sections, marks, .. } = self;
        Ok(Document { title, text, unit, sections, marks })
    }

    /// Ends the open section: white space around it is nobody's.
    fn close(&mut self) -> Result<(), ReadError> {
        let body = self.text[self.open.body..].trim_end();
        let lines = body.len() - trim_lines(body).len();
        let body = self.open.body + lines..self.open.body + body.len();
        if body.is_empty() && self.open.start == self.open.body {
            return Ok(());
        }
        if self.sections.len() >= self.sections_max {
            return Err(ReadError::TooManySections { sections_max: self.sections_max });
        }
        let headings: Vec<_> = self.path.iter().map(|(_, range)| range.clone()).collect();
        self.text.truncate(body.end.max(self.open.start));
        self.forget_marks();
        let start = self.open.start.min(body.start);
        self.sections.push(Part { headings, start, body, form: self.open.form });
        let number = self.marks.last().map_or(1, |mark| mark.number);
        self.text("\n\n", number)
    }

    /// Marks of white space that was cut off.
    fn forget_marks(&mut self) {
        let end = self.text.len();
        while self.marks.last().is_some_and(|mark| mark.offset >= end && mark.offset > 0) {
            self.marks.pop();
        }
    }

    /// A heading without text stays in the paths of the sections below it. One that has none below
    /// is the text itself: it must not be lost.
    fn keep_bare_headings(&mut self) {
        let mut sections = std::mem::take(&mut self.sections).into_iter().peekable();
        while let Some(mut section) = sections.next() {
            if !section.body.is_empty() {
                self.sections.push(section);
                continue;
            }
            let has_children = |next: &Part| next.headings.starts_with(&section.headings);
            if !sections.peek().is_some_and(has_children)
                && let Some(own) = section.headings.pop()
            {
                section.body = own;
                self.sections.push(section);
            }
        }
    }
}

/// Text without the empty lines before it; the first line keeps its indentation.
fn trim_lines(text: &str) -> &str {
    let white = text.len() - text.trim_start().len();
    let line = text[..white].rfind('\n').map_or(0, |end| end + 1);
    &text[line..]
}

/// Words with single spaces between them, cut at a character.
pub fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word[..word.floor_char_boundary(bytes_max)]);
        if line.len() >= bytes_max {
            line.truncate(line.floor_char_boundary(bytes_max));
            break;
        }
    }
    line.trim_end().to_owned()
}
