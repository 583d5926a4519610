//! Text whose white space means nothing until it is written: words, breaks and code.

use crate::document::{Document, Form, Unit};
use crate::error::ReadError;
use crate::reader::Limits;
use crate::writer::Writer;

/// Spaces before a line in a list, at most.
const INDENT_MAX: usize = 16;

/// Writes words into a document, with single spaces and the breaks that were asked for.
pub struct Prose {
    writer: Writer,
    /// Ends of lines before the next word.
    breaks: usize,
    space: bool,
    /// Nothing was written since the last heading.
    fresh: bool,
    /// The mark of a list's item was written last: its text follows in the same line.
    marked: bool,
    /// Spaces before each line.
    pub indent: usize,
    /// The line of the source that is being read.
    pub line: u32,
}

impl Prose {
    pub fn new(limits: &Limits) -> Self {
        let writer = Writer::new(Unit::Line, Form::Markdown, limits);
        Self { writer, breaks: 0, space: false, fresh: true, marked: false, indent: 0, line: 1 }
    }

    /// The next word stands on a new line, or behind an empty one.
    pub fn end_line(&mut self, breaks: usize) {
        if self.marked {
            return;
        }
        self.breaks = self.breaks.max(breaks);
        self.space &= breaks == 0;
    }

    /// A space stands before the next word.
    pub fn space(&mut self) {
        self.space = true;
    }

    /// The mark of a list's item.
    pub fn mark(&mut self, mark: &str) -> Result<(), ReadError> {
        self.marked = false;
        self.end_line(1);
        self.glued(mark)?;
        (self.marked, self.space) = (true, true);
        Ok(())
    }

    /// Words, apart where white space parts them.
    pub fn words(&mut self, text: &str) -> Result<(), ReadError> {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.line = self.line.saturating_add(1);
                self.space = true;
            }
            self.words_of_line(line)?;
        }
        Ok(())
    }

    fn words_of_line(&mut self, line: &str) -> Result<(), ReadError> {
        self.space |= line.starts_with(char::is_whitespace);
        for word in line.split_whitespace() {
            self.glued(word)?;
            self.space = true;
        }
        if !line.trim().is_empty() {
            self.space = line.ends_with(char::is_whitespace);
        }
        Ok(())
    }

    /// Text directly behind what was written, unless a space or a break was asked for.
    pub fn glued(&mut self, text: &str) -> Result<(), ReadError> {
        self.open()?;
        self.writer.text(text, self.line)
    }

    /// The white space that was asked for.
    fn open(&mut self) -> Result<(), ReadError> {
        let space = std::mem::take(&mut self.space);
        let breaks = std::mem::take(&mut self.breaks);
        self.marked = false;
        if std::mem::take(&mut self.fresh) {
            return Ok(());
        }
        if breaks > 0 {
            let indent = self.indent.min(INDENT_MAX);
            let white = format!("{}{}", "\n".repeat(breaks.min(2)), " ".repeat(indent));
            return self.writer.text(&white, self.line);
        }
        if space { self.writer.text(" ", self.line) } else { Ok(()) }
    }

    /// Lines of code between fences that are longer than any in the code. `first` is the line of the
    /// source where the code starts.
    pub fn code(&mut self, code: &str, first: u32) -> Result<(), ReadError> {
        let code = code.trim_matches('\n').trim_end();
        if code.trim().is_empty() {
            return Ok(());
        }
        let (fence, line) = (fence(code), std::mem::replace(&mut self.line, first));
        let indent = std::mem::take(&mut self.indent);
        self.marked = false;
        self.end_line(2);
        self.open()?;
        self.writer.text(&format!("{fence}\n"), first)?;
        self.writer.lines(code, first)?;
        (self.line, self.indent) = (line, indent);
        self.writer.text(&format!("\n{fence}"), line)?;
        self.end_line(2);
        Ok(())
    }

    /// Starts a section.
    pub fn heading(&mut self, level: u8, heading: &str) -> Result<(), ReadError> {
        self.writer.heading(level, heading, self.line)?;
        (self.fresh, self.marked, self.breaks, self.space) = (true, false, 0, false);
        Ok(())
    }

    pub fn finish(self, title: &str) -> Result<Document, ReadError> {
        self.writer.finish(title)
    }
}

fn fence(code: &str) -> String {
    let ticks = |line: &str| line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
    "`".repeat(code.lines().map(ticks).max().unwrap_or(0).max(2) + 1)
}
