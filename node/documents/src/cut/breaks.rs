//! Where a text is best cut.

use std::ops::Range;

use crate::document::Form;

/// Bytes that are looked at first for each token of a chunk.
const TOKEN_BYTES: usize = 4;

/// Finds the places behind marks of one kind.
type Ends = fn(&str) -> Box<dyn Iterator<Item = usize> + '_>;

/// The text of a group, and what in it must not be cut.
pub struct Body<'a> {
    text: &'a str,
    pub place: Range<usize>,
    form: Form,
    /// Code between fences, with them.
    code: Vec<Range<usize>>,
}

impl<'a> Body<'a> {
    pub fn new(text: &'a str, place: Range<usize>, form: Form) -> Self {
        let code = if form == Form::Markdown { fenced(text, &place) } else { vec![] };
        Self { text, place, form, code }
    }

    /// The furthest end that `fits`, one character at least. What fits in is found by looking twice
    /// as far each time, and then by halves: no more is counted than a chunk or two.
    pub fn furthest(&self, start: usize, budget: usize, fits: impl Fn(usize) -> bool) -> usize {
        let one = self.next_char(start);
        let (mut good, mut step) = (one, budget.saturating_mul(TOKEN_BYTES).max(1));
        let mut bad = loop {
            let end = self.floor(good.saturating_add(step)).max(good);
            match (fits(end), end == self.place.end) {
                (true, true) => return end,
                (true, false) => good = self.next_char(end).max(one),
                (false, _) => break end,
            }
            step = step.saturating_mul(2);
        };
        // `good` was one character too far, where it was moved on to make way.
        if !fits(good) {
            good = self.floor(good - 1).max(one);
        }
        while let Some(middle) = self.between(good, bad) {
            if fits(middle) { good = middle } else { bad = middle }
        }
        good
    }

    /// The best place to end a chunk that starts at `start` and must reach beyond `done`: at most at
    /// `furthest`.
    pub fn best_end(&self, start: usize, done: usize, furthest: usize) -> usize {
        if furthest >= self.place.end {
            return furthest;
        }
        // Code that would be cut in two stands whole in the next chunk, if there is anything before it.
        let least = done.max(self.next_char(start));
        if let Some(code) = self.code_around(furthest)
            && code.start >= least
            && !self.text[start..code.start].trim().is_empty()
        {
            return code.start;
        }
        let half = least.max(self.floor(start + (furthest - start) / 2));
        let window = &self.text[half..furthest];
        let ends = self.marks(furthest).iter().find_map(|mark| mark(window).last());
        // Of words the last, however far back it is.
        let words = || after_white(&self.text[least..furthest]).last().map(|end| least + end);
        ends.map(|end| half + end).or_else(words).unwrap_or(furthest)
    }

    /// The earliest start within `chunk`, behind its own, that `fits`.
    pub fn earliest(&self, chunk: &Range<usize>, fits: impl Fn(usize) -> bool) -> usize {
        let (mut bad, mut good) = (chunk.start, chunk.end);
        while let Some(middle) = self.between(bad, good) {
            if fits(middle) { good = middle } else { bad = middle }
        }
        good
    }

    /// The first sentence or line that starts in the place, or else the first word.
    pub fn best_start(&self, place: Range<usize>) -> Option<usize> {
        // Not with the rest of code that ends here.
        let code = self.code_around(place.start).filter(|code| code.end <= place.end);
        let place = code.map_or(place.start, |code| code.end)..place.end;
        let window = &self.text[place.clone()];
        let prose = self.form != Form::Code && self.code_around(place.start).is_none();
        let sentence = if prose { after_sentences(window).next() } else { None };
        let start = [sentence, after_lines(window).next()].into_iter().flatten().min();
        let start = place.start + start.or_else(|| after_white(window).next())?;
        let start = self.skip_white(start);
        Some(start).filter(|start| place.contains(start))
    }

    /// The next place that is not white space; the indentation of a line belongs to it.
    pub fn skip_white(&self, from: usize) -> usize {
        let rest = &self.text[from..self.place.end];
        let white = rest.len() - rest.trim_start().len();
        match rest[..white].rfind('\n') {
            _ if white == rest.len() => self.place.end,
            Some(end) => from + end + 1,
            None => from + white,
        }
    }

    /// What ends a chunk, best first, where `place` is about to be cut.
    fn marks(&self, place: usize) -> &'static [Ends] {
        match self.form {
            Form::Code => &[paragraphs, lines],
            _ if self.code_around(place).is_some() => &[paragraphs, lines],
            _ => &[paragraphs, sentences, lines],
        }
    }

    fn code_around(&self, place: usize) -> Option<&Range<usize>> {
        let after = self.code.partition_point(|code| code.end <= place);
        self.code.get(after).filter(|code| code.start < place)
    }

    fn next_char(&self, place: usize) -> usize {
        self.text.ceil_char_boundary(place.saturating_add(1)).min(self.place.end)
    }

    fn floor(&self, place: usize) -> usize {
        self.text.floor_char_boundary(place.min(self.place.end))
    }

    /// A character's start between two others.
    fn between(&self, from: usize, to: usize) -> Option<usize> {
        let middle = self.floor(from + (to - from) / 2);
        let middle = if middle > from { middle } else { self.next_char(from) };
        Some(middle).filter(|middle| *middle < to)
    }
}

fn paragraphs(text: &str) -> Box<dyn Iterator<Item = usize> + '_> {
    Box::new(text.match_indices("\n\n").map(|(at, _)| at + 2))
}

fn lines(text: &str) -> Box<dyn Iterator<Item = usize> + '_> {
    Box::new(after_lines(text))
}

fn sentences(text: &str) -> Box<dyn Iterator<Item = usize> + '_> {
    Box::new(after_sentences(text))
}

fn after_lines(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.match_indices('\n').map(|(at, _)| at + 1)
}

fn after_white(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.match_indices(char::is_whitespace).map(|(at, white)| at + white.len())
}

/// Behind the marks that end sentences: with white space behind them, or in scripts without it.
fn after_sentences(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.match_indices(['.', '!', '?', '…', '。', '！', '？']).filter_map(|(at, mark)| {
        let end = at + mark.len();
        if is_number(&text[..at]) {
            return None;
        }
        if matches!(mark, "。" | "！" | "？") {
            return Some(end);
        }
        let rest = text[end..].trim_start_matches([')', ']', '"', '\'', '”', '’', '*', '_', '`']);
        let white = rest.chars().next().filter(|char| char.is_whitespace())?;
        Some(text.len() - rest.len() + white.len_utf8())
    })
}

/// Whether a line starts with a number that ends here: that of a list's item.
fn is_number(text: &str) -> bool {
    let before = text.trim_end_matches(|char: char| char.is_ascii_digit());
    let line = before.trim_end_matches(' ');
    before.len() < text.len() && (line.is_empty() || line.ends_with('\n'))
}

/// Code between fences in a part of a text; what nobody closed goes on to the end.
fn fenced(text: &str, place: &Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut open, mut offset) = (vec![], None::<(usize, &str)>, place.start);
    for line in text[place.clone()].split_inclusive('\n') {
        let fence = fence(line);
        match (open, fence) {
            (None, Some(fence)) => open = Some((offset, fence)),
            (Some((start, first)), Some(fence)) if closes(line, fence, first) => {
                found.push(start..offset + line.len());
                open = None;
            }
            _ => {}
        }
        offset += line.len();
    }
    found.extend(open.map(|(start, _)| start..place.end));
    found
}

/// The fence that a line starts with.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    Some(&line[..length]).filter(|fence| fence.len() >= 3)
}

fn closes(line: &str, fence: &str, first: &str) -> bool {
    fence.starts_with(first) && line.trim() == fence
}
