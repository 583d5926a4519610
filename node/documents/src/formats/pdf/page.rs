//! Follows what a page draws, as far as it is text.

use std::rc::Rc;

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId, Stream};

use super::budget::{Budget, Failure};
use super::font::Font;
use super::fonts::Fonts;
use super::matrix::Matrix;
use super::operands;
use super::sheet::{Piece, Sheet};
use super::state::State;
use crate::error::ReadError;
use crate::formats::Source;

/// Operations of all pages. A book of a thousand pages has a few millions.
const OPERATIONS_MAX: usize = 50_000_000;
const OPERATIONS_PER_LOOK: usize = 4096;
/// Bytes of a string that are decoded at once. Codes have one to four bytes: none is cut, if they are of
/// one length.
const CODES_PER_LOOK: usize = 1020;
/// Forms in forms; a deeper one is left out.
const DEPTH_MAX: usize = 8;

/// Reads the pages of one file, within one budget.
pub struct Pages<'a> {
    file: &'a Document,
    source: &'a Source,
    fonts: Fonts<'a>,
    unpacked: Budget,
    operations_left: usize,
    found_text: bool,
}

/// What names in a page's operations mean; the nearest one first.
type Resources<'a> = Vec<&'a Dictionary>;

impl<'a> Pages<'a> {
    /// `plain` stands for fonts of which nothing is said.
    pub fn new(file: &'a Document, plain: &'a Dictionary, source: &'a Source) -> Self {
        Self {
            file,
            source,
            fonts: Fonts::new(file, plain, source),
            unpacked: Budget::new(source.limits.unpacked_bytes_max),
            operations_left: OPERATIONS_MAX,
            found_text: false,
        }
    }

    /// Whether any page had a letter or digit.
    pub fn found_text(&self) -> bool {
        self.found_text
    }

    /// The text of a page; empty if the page is damaged.
    pub fn text(&mut self, id: ObjectId) -> Result<String, ReadError> {
        self.source.deadline.check(&self.source.limits)?;
        self.fonts.start_page();
        let content = self.content(id)?;
        let mut sheet = Sheet::default();
        let (resources, depth) = (self.resources(id), 0);
        self.draw(
            &content,
            &mut Drawing { sheet: &mut sheet, resources, depth },
            Matrix::IDENTITY,
        )?;
        let text = sheet.finish();
        self.found_text |= text.contains(char::is_alphanumeric);
        Ok(text)
    }

    /// All that a page draws, stream by stream: one may be named a hundred thousand times.
    fn content(&mut self, id: ObjectId) -> Result<Vec<u8>, ReadError> {
        let mut content = vec![];
        for id in self.file.get_page_contents(id) {
            self.source.deadline.check(&self.source.limits)?;
            let Ok(stream) = self.file.get_object(id).and_then(Object::as_stream) else { continue };
            match self.unpack(stream)? {
                Some(unpacked) => content.extend(unpacked),
                // It may not be packed at all.
                None => content.extend(&stream.content),
            }
            content.push(b'\n');
        }
        Ok(content)
    }

    /// A stream's content; None if it is damaged. One that grows beyond all measure ends the file.
    fn unpack(&mut self, stream: &Stream) -> Result<Option<Vec<u8>>, ReadError> {
        match self.unpacked.unpack(stream) {
            Ok(content) => Ok(Some(content)),
            Err(Failure::Damaged) => Ok(None),
            Err(failure) => Err(failure.refusal(&self.source.limits)),
        }
    }

    fn resources(&self, id: ObjectId) -> Resources<'a> {
        let Ok((own, others)) = self.file.get_page_resources(id) else {
            // Its parents go round in a circle: what it has itself is left.
            let page = self.file.get_dictionary(id);
            let own = page.and_then(|page| page.get_deref(b"Resources", self.file));
            return own.and_then(Object::as_dict).into_iter().collect();
        };
        let others = others.iter().filter_map(|id| self.file.get_dictionary(*id).ok());
        own.into_iter().chain(others).collect()
    }

    /// Follows operations; `start` is where the page or form lies. One with operands without end is
    /// damaged, and left out.
    fn draw(
        &mut self,
        content: &[u8],
        drawing: &mut Drawing<'_, 'a>,
        start: Matrix,
    ) -> Result<(), ReadError> {
        if operands::are_too_many(content) {
            return Ok(());
        }
        let mut state = State::new(start);
        for operation in Content::decode_iter(content) {
            // What stands behind a mistake can't be read.
            let Ok(operation) = operation else { break };
            self.count()?;
            self.follow(&operation, &mut state, drawing)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), ReadError> {
        let text_bytes_max = self.source.limits.text_bytes_max;
        if self.operations_left == 0 {
            return Err(ReadError::TooMuchText { text_bytes_max });
        }
        self.operations_left -= 1;
        if self.operations_left.is_multiple_of(OPERATIONS_PER_LOOK) {
            self.source.deadline.check(&self.source.limits)?;
        }
        Ok(())
    }

    fn follow(
        &mut self,
        operation: &Operation,
        state: &mut State<Rc<Font<'a>>>,
        drawing: &mut Drawing<'_, 'a>,
    ) -> Result<(), ReadError> {
        let operands = &operation.operands;
        match operation.operator.as_str() {
            "Tf" => {
                let name = operands.first().and_then(|name| name.as_name().ok());
                let font =
                    name.and_then(|name| drawing.find(self.file, b"Font", name)?.as_dict().ok());
                let font = font.map(|font| self.fonts.get(font)).transpose()?;
                state.set_font(font, operands.get(1));
            }
            "Tj" => self.show(state, operands.last(), drawing.sheet)?,
            "'" | "\"" => {
                state.next_line();
                self.show(state, operands.last(), drawing.sheet)?;
            }
            "TJ" => {
                let parts = operands.first().and_then(|parts| parts.as_array().ok());
                for part in parts.into_iter().flatten() {
                    match part.as_float() {
                        Ok(back) => state.go_back(back),
                        Err(_) => self.show(state, Some(part), drawing.sheet)?,
                    }
                }
            }
            "Do" => return self.form(operands.first(), state, drawing),
            operator => state.set(operator, operands),
        }
        Ok(())
    }

    /// Draws a string, part by part: a short one may decode to a text without end.
    fn show(
        &self,
        state: &mut State<Rc<Font<'a>>>,
        string: Option<&Object>,
        sheet: &mut Sheet,
    ) -> Result<(), ReadError> {
        let codes = string.and_then(|string| string.as_str().ok());
        let (Some(codes), Some(font)) = (codes, state.font().cloned()) else { return Ok(()) };
        for codes in codes.chunks(CODES_PER_LOOK) {
            let shown = font.show(codes);
            let (start, height) = (state.place(), state.height());
            state.advance(&shown);
            let end = state.place();
            if !shown.text.is_empty() {
                sheet.add(&Piece { text: &shown.text, start, end, height });
            }
            self.look(sheet)?;
        }
        Ok(())
    }

    /// Whether there is still time, and the page's text still has a measure.
    fn look(&self, sheet: &Sheet) -> Result<(), ReadError> {
        let text_bytes_max = self.source.limits.text_bytes_max;
        if sheet.bytes() > text_bytes_max {
            return Err(ReadError::TooMuchText { text_bytes_max });
        }
        self.source.deadline.check(&self.source.limits)
    }

    /// Draws a form: operations that pages share.
    fn form(
        &mut self,
        name: Option<&Object>,
        state: &State<Rc<Font<'a>>>,
        drawing: &mut Drawing<'_, 'a>,
    ) -> Result<(), ReadError> {
        let form = name.and_then(|name| drawing.find(self.file, b"XObject", name.as_name().ok()?));
        let Some(form) = form.and_then(|form| form.as_stream().ok()) else { return Ok(()) };
        let is_form = form.dict.get(b"Subtype").and_then(Object::as_name).ok() == Some(b"Form");
        if !is_form || drawing.depth >= DEPTH_MAX {
            return Ok(());
        }
        self.source.deadline.check(&self.source.limits)?;
        let Some(content) = self.unpack(form)? else { return Ok(()) };
        let start = matrix(form.dict.get_deref(b"Matrix", self.file).ok());
        let own = form.dict.get_deref(b"Resources", self.file).and_then(Object::as_dict).ok();
        let resources = own.into_iter().chain(drawing.resources.iter().copied()).collect();
        let depth = drawing.depth + 1;
        let mut inside = Drawing { sheet: drawing.sheet, resources, depth };
        self.draw(&content, &mut inside, start.then(state.page()))
    }
}

/// Where text goes, and what names mean.
struct Drawing<'s, 'a> {
    sheet: &'s mut Sheet,
    resources: Resources<'a>,
    depth: usize,
}

impl<'a> Drawing<'_, 'a> {
    fn find(&self, file: &'a Document, kind: &[u8], name: &[u8]) -> Option<&'a Object> {
        self.resources.iter().find_map(|resources| {
            let named = resources.get_deref(kind, file).ok()?.as_dict().ok()?;
            named.get_deref(name, file).ok()
        })
    }
}

fn matrix(object: Option<&Object>) -> Matrix {
    let numbers = object.and_then(|object| object.as_array().ok());
    let numbers = numbers.map(|numbers| numbers.iter().map(|n| n.as_float().unwrap_or(0.0)));
    let numbers: Option<Vec<f32>> = numbers.map(Iterator::collect);
    numbers.and_then(|numbers| numbers.try_into().ok()).map_or(Matrix::IDENTITY, Matrix)
}
