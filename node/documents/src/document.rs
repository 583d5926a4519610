//! What every reader makes: a title and sections of one text.

use std::ops::Range;

/// A document as text.
///
/// All of its text is one string, headings included, each where it stands. Sections, headings and
/// chunks are parts of that string: so its tokens are counted once, and every part has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) unit: Unit,
    pub(crate) sections: Vec<Part>,
    pub(crate) marks: Vec<Mark>,
}

/// What the numbers of a [`Position`] count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Lines of the source, from 1.
    Line,
    /// Pages of the source, from 1.
    Page,
}

/// Where a part of a document stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What is counted.
    pub unit: Unit,
    /// The first line or page, from 1.
    pub first: u32,
    /// The last one, which belongs to it.
    pub last: u32,
}

/// A section: text under a heading, without the sections below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Headings from the outermost to its own; none if the text stands before the first heading.
    pub headings: Vec<&'a str>,
    /// Its text, without its heading.
    pub text: &'a str,
    /// Where its text stands in the source.
    pub position: Position,
}

/// How a section's text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Sentences and paragraphs.
    Prose,
    /// Prose with code between fences.
    Markdown,
    /// A program's source: lines.
    Code,
}

/// A section as parts of the document's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub headings: Vec<Range<usize>>,
    /// Where its own heading starts, or else its body.
    pub start: usize,
    pub body: Range<usize>,
    pub form: Form,
}

/// From this byte of the text on, it is of this line or page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub offset: usize,
    pub number: u32,
}

impl Document {
    /// The document's own title, or else its name.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// All of its text, with headings: what the embedding model's tokenizer is to count for
    /// [`cut`](crate::cut), in pieces by [`pieces`](crate::pieces).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its sections, in order; at least one, none without text.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = Section<'_>> {
        self.sections.iter().map(|part| Section {
            headings: part.headings.iter().map(|range| &self.text[range.clone()]).collect(),
            text: &self.text[part.body.clone()],
            position: self.position(&part.body),
        })
    }

    /// Where a part of the text stands in the source.
    pub(crate) fn position(&self, part: &Range<usize>) -> Position {
        let last = part.end.saturating_sub(1).max(part.start);
        Position { unit: self.unit, first: self.number(part.start), last: self.number(last) }
    }

    fn number(&self, offset: usize) -> u32 {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        after.checked_sub(1).map_or(1, |index| self.marks[index].number)
    }
}
