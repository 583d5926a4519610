//! Follows the tags of a page.

use html5gum::StartTag;

use super::open::Open;
use super::prose::Prose;
use super::tags;
use crate::document::Document;
use crate::error::ReadError;
use crate::reader::Limits;

/// A title or heading is not read on behind so many bytes.
const CAPTURED_BYTES_MAX: usize = 4096;

/// Which part of a page is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What its `<main>` holds, if it has one.
    Main,
    All,
}

/// What has been read of a page.
pub struct Page {
    scope: Scope,
    has_main: bool,
    limits: Limits,
    prose: Prose,
    open: Open,
    capture: Capture,
    /// How many containers were open where the captured text starts.
    captured_at: usize,
    title: Option<String>,
    first_heading: Option<String>,
    row: Row,
}

/// Where the text goes that is not the page's prose.
enum Capture {
    Nothing,
    Title(String),
    Heading(u8, String),
    /// A `<pre>`, and the line where it starts.
    Code(String, u32),
}

/// Where in a table the text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    /// In none, or before its first cell.
    Outside,
    /// In a cell: the row is one line.
    Cell,
}

impl Page {
    pub fn new(limits: &Limits, scope: Scope) -> Self {
        Self {
            scope,
            has_main: false,
            limits: limits.clone(),
            prose: Prose::new(limits),
            open: Open::default(),
            capture: Capture::Nothing,
            captured_at: 0,
            title: None,
            first_heading: None,
            row: Row::Outside,
        }
    }

    /// What follows stands in this line of the source.
    pub fn at_line(&mut self, line: u32) {
        self.prose.line = line;
    }

    pub fn start(&mut self, tag: &StartTag<usize>) -> Result<(), ReadError> {
        let name = String::from_utf8_lossy(&tag.name);
        let name = name.as_ref();
        if name == "title" && self.title.is_none() && !self.open.has("svg") {
            self.end_capture()?;
            self.capture = Capture::Title(String::new());
            return Ok(());
        }
        let block = tags::breaks(name, self.open.in_list());
        // Only foreign elements can close themselves.
        if tags::is_container(name) && !(tag.self_closing && name == "svg") {
            self.open.push(name);
        }
        if name == "main" && !self.open.left_out() {
            self.start_main();
        }
        if self.is_left_out() {
            return Ok(());
        }
        match self.capture {
            Capture::Code(..) => self.start_in_code(name),
            _ => {
                self.start_block(name, block)?;
                self.start_inline(name, tag)
            }
        }
    }

    pub fn has_main(&self) -> bool {
        self.has_main
    }

    fn is_left_out(&self) -> bool {
        let outside = self.scope == Scope::Main && self.has_main && !self.open.has("main");
        self.open.left_out() || outside
    }

    /// What stands before the main part is forgotten.
    fn start_main(&mut self) {
        if !self.has_main && self.scope == Scope::Main {
            let line = std::mem::replace(&mut self.prose, Prose::new(&self.limits)).line;
            self.prose.line = line;
            (self.capture, self.first_heading) = (Capture::Nothing, None);
        }
        self.has_main = true;
    }

    fn start_in_code(&mut self, name: &str) -> Result<(), ReadError> {
        match name {
            "br" => self.text("\n"),
            // Nobody closed the code before.
            "pre" => self.start_capture(Capture::Code(String::new(), self.prose.line)),
            _ => Ok(()),
        }
    }

    fn start_block(&mut self, name: &str, breaks: usize) -> Result<(), ReadError> {
        if tags::ends_heading(name) {
            self.end_capture()?;
        }
        self.break_line(breaks);
        if let Some(level) = tags::heading_level(name) {
            return self.start_capture(Capture::Heading(level, String::new()));
        }
        match name {
            "pre" => self.start_capture(Capture::Code(String::new(), self.prose.line)),
            "li" => self.item(),
            "tr" => {
                self.end_row();
                Ok(())
            }
            "td" | "th" => self.cell(),
            _ => Ok(()),
        }
    }

    fn start_inline(&mut self, name: &str, tag: &StartTag<usize>) -> Result<(), ReadError> {
        match name {
            "code" | "kbd" | "samp" => self.tick(),
            "img" => match tag.attributes.get(&b"alt"[..]) {
                Some(alt) => self.text(&String::from_utf8_lossy(alt)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub fn end(&mut self, name: &str) -> Result<(), ReadError> {
        if matches!(self.capture, Capture::Title(_)) {
            return if name == "title" { self.end_capture() } else { Ok(()) };
        }
        let left_out = self.is_left_out();
        let closes = self.open.close(name) || !tags::is_container(name);
        if left_out || !closes {
            return Ok(());
        }
        self.prose.indent = self.open.indent();
        let is_over = self.open.depth() < self.captured_at || name == "pre";
        if is_over || tags::heading_level(name).is_some() {
            self.end_capture()?;
        }
        match name {
            "code" | "kbd" | "samp" => self.tick(),
            "table" | "tr" => {
                self.end_row();
                self.prose.end_line(tags::breaks(name, false));
                Ok(())
            }
            _ => {
                self.break_line(tags::breaks(name, self.open.in_list()));
                Ok(())
            }
        }
    }

    /// Text between tags.
    pub fn text(&mut self, text: &str) -> Result<(), ReadError> {
        if let Capture::Title(title) = &mut self.capture {
            push(title, text);
            return Ok(());
        }
        if self.is_left_out() {
            return Ok(());
        }
        match &mut self.capture {
            Capture::Heading(_, heading) => push(heading, text),
            Capture::Code(code, _) => code.push_str(text),
            _ => self.prose.words(text)?,
        }
        Ok(())
    }

    pub fn finish(mut self, file_name: &str) -> Result<Document, ReadError> {
        self.end_capture()?;
        let title = self.title.filter(|title| !title.trim().is_empty());
        let title = title.or(self.first_heading);
        self.prose.finish(title.as_deref().unwrap_or(file_name))
    }

    /// Ends a line, or parts words where a line can't end: in a cell or a heading.
    fn break_line(&mut self, breaks: usize) {
        match (&mut self.capture, self.row) {
            (_, _) if breaks == 0 => {}
            (Capture::Heading(_, heading), _) => push(heading, " "),
            (Capture::Code(..), _) => {}
            (_, Row::Cell) => self.prose.space(),
            _ => self.prose.end_line(breaks),
        }
    }

    fn item(&mut self) -> Result<(), ReadError> {
        self.prose.indent = self.open.indent();
        let mark = self.open.item();
        self.prose.mark(&mark)
    }

    fn end_row(&mut self) {
        self.row = Row::Outside;
        self.prose.end_line(1);
    }

    fn cell(&mut self) -> Result<(), ReadError> {
        if self.row == Row::Cell {
            self.prose.space();
            self.prose.glued("|")?;
            self.prose.space();
        }
        self.row = Row::Cell;
        Ok(())
    }

    /// The mark around code in a line.
    fn tick(&mut self) -> Result<(), ReadError> {
        match self.capture {
            Capture::Nothing => self.prose.glued("`"),
            _ => Ok(()),
        }
    }

    fn start_capture(&mut self, capture: Capture) -> Result<(), ReadError> {
        self.end_capture()?;
        (self.capture, self.captured_at) = (capture, self.open.depth());
        Ok(())
    }

    /// The title, heading or code is complete.
    fn end_capture(&mut self) -> Result<(), ReadError> {
        self.captured_at = 0;
        match std::mem::replace(&mut self.capture, Capture::Nothing) {
            Capture::Nothing => Ok(()),
            Capture::Title(title) => {
                self.title = Some(title);
                Ok(())
            }
            Capture::Code(code, first) => self.prose.code(&code, first),
            Capture::Heading(level, heading) => self.heading(level, &heading),
        }
    }

    fn heading(&mut self, level: u8, heading: &str) -> Result<(), ReadError> {
        // Signs of links to the heading itself.
        let heading = heading.trim().trim_matches(['§', '¶', '#', '🔗']).trim();
        if heading.is_empty() {
            return Ok(());
        }
        self.first_heading.get_or_insert_with(|| heading.to_owned());
        self.prose.heading(level, heading)
    }
}

fn push(text: &mut String, more: &str) {
    let room = CAPTURED_BYTES_MAX.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}
