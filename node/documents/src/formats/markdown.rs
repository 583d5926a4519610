//! Markdown: a section per heading, its text as it was written.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::Source;
use crate::document::{Document, Form, Unit};
use crate::error::ReadError;
use crate::writer::Writer;

/// Events between two looks at the clock.
const EVENTS_PER_LOOK: usize = 4096;

/// A heading in the source.
struct Heading {
    level: u8,
    text: String,
    place: Range<usize>,
}

/// Reads Markdown. Its title is that of its front matter, else its first heading of the highest level
/// there is, else the file's name.
pub fn read(source: &Source) -> Result<Document, ReadError> {
    let text = source.text()?;
    let front = front_matter(&text);
    let headings = headings(source, &text)?;
    let mut writer = Writer::new(Unit::Line, Form::Markdown, &source.limits);
    let mut lines = Lines { text: &text, offset: 0, number: 1 };
    lines.skip_to(front.end);
    for heading in &headings {
        let first = lines.number;
        writer.lines(lines.skip_to(heading.place.start), first)?;
        writer.heading(heading.level, &heading.text, lines.number)?;
        lines.skip_to(heading.place.end);
    }
    let first = lines.number;
    writer.lines(lines.skip_to(text.len()), first)?;
    let title = title(&text[front], &headings).unwrap_or_else(|| source.file_name().to_owned());
    writer.finish(&title)
}

/// Counts lines while it goes through a text.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    /// The text up to `offset`, if that lies ahead.
    fn skip_to(&mut self, offset: usize) -> &'a str {
        let passed = &self.text[self.offset.min(offset)..offset];
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.number = self.number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.offset = self.offset.max(offset);
        passed
    }
}

/// The headings outside of lists and quotes, where they divide the document.
fn headings(source: &Source, text: &str) -> Result<Vec<Heading>, ReadError> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut finder = Finder::default();
    for (count, (event, place)) in Parser::new_ext(text, options).into_offset_iter().enumerate() {
        if count.is_multiple_of(EVENTS_PER_LOOK) {
            source.deadline.check(&source.limits)?;
        }
        finder.see(&event, place);
    }
    Ok(finder.found)
}

#[derive(Default)]
struct Finder {
    found: Vec<Heading>,
    /// The heading whose text is being read.
    open: Option<Heading>,
    /// Lists and quotes around.
    depth: usize,
}

impl Finder {
    fn see(&mut self, event: &Event<'_>, place: Range<usize>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if self.depth == 0 => {
                let (level, text) = (number(*level), String::new());
                self.open = Some(Heading { level, text, place });
            }
            Event::End(TagEnd::Heading(_)) => self.found.extend(self.open.take()),
            Event::Start(Tag::List(_) | Tag::BlockQuote(_)) => self.depth += 1,
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_)) => self.depth -= 1,
            Event::Text(part) | Event::Code(part) => self.add(part),
            Event::SoftBreak | Event::HardBreak => self.add(" "),
            _ => {}
        }
    }

    fn add(&mut self, part: &str) {
        if let Some(heading) = &mut self.open {
            heading.text.push_str(part);
        }
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// Where the YAML stands with which many programs begin a Markdown file; empty if there is none.
fn front_matter(text: &str) -> Range<usize> {
    let Some(rest) = text.strip_prefix("---\n") else { return 0..0 };
    let blank = rest.starts_with('\n');
    let end = ["\n---\n", "\n...\n"].iter().filter_map(|mark| rest.find(mark)).min();
    match end {
        Some(end) if !blank => 0..4 + end + 5,
        _ => 0..0,
    }
}

fn title(front: &str, headings: &[Heading]) -> Option<String> {
    let named = front.lines().find_map(|line| line.strip_prefix("title:"));
    let named = named.map(|title| title.trim().trim_matches(['"', '\'']).to_owned());
    let named = named.filter(|title| !title.is_empty());
    let first = || headings.iter().min_by_key(|heading| heading.level);
    named.or_else(|| first().map(|heading| heading.text.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{shown, source};
    use super::*;

    fn sections(text: &str) -> Vec<String> {
        shown(&read(&source("a.md", text.as_bytes())).expect("Markdown"))
    }

    #[test]
    fn headings_make_paths() {
        let text =
            "before\n\n# A `b` *c*\none\n## B\n\ntwo\n\nSetext\n---\nthree\n\n# D ##\nfour\n";
        assert_eq!(
            sections(text),
            [
                " | 1-1 | before",
                "A b c | 4-4 | one",
                "A b c > B | 7-7 | two",
                "A b c > Setext | 11-11 | three",
                "D | 14-14 | four",
            ]
        );
    }

    #[test]
    fn what_looks_like_a_heading_is_none() {
        let text =
            "# A\n```sh\n# comment\n```\n\n> # quoted\n\n- # listed\n\n    # indented\n#hash\n";
        let sections = sections(text);
        assert_eq!(sections.len(), 1, "{sections:?}");
        assert!(sections[0].ends_with("#hash"));
    }

    #[test]
    fn a_heading_without_text_is_kept() {
        assert_eq!(sections("# A\n## B\ntext\n"), ["A > B | 3-3 | text"]);
        assert_eq!(sections("# A\n## B\n# C\n"), ["A | 2-2 | B", " | 3-3 | C"]);
        assert_eq!(sections("# \ntext"), [" | 2-2 | text"]);
    }

    #[test]
    fn front_matter_gives_the_title() {
        let title = |text: &str| {
            let document = read(&source("x/y.md", text.as_bytes())).expect("Markdown");
            (document.title().to_owned(), shown(&document))
        };
        let (named, sections) = title("---\ntags: [a]\ntitle: \"T\"\n---\n# A\nb\n");
        assert_eq!((named.as_str(), &sections[..]), ("T", &["A | 6-6 | b".to_owned()][..]));
        assert_eq!(title("## Low\na\n# High\nb").0, "High");
        assert_eq!(title("text").0, "y.md");
        assert_eq!(title("---\n\ntext\n---\n").0, "text", "a rule and a setext heading");
    }
}
