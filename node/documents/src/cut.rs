//! From a document to passages that fit an embedding model.
//!
//! `groups` says which sections a chunk may hold, `breaks` where a text is best cut, and this file
//! fills chunks from left to right.

mod breaks;
mod groups;

use std::ops::Range;

use self::breaks::Body;
use self::groups::Group;
use crate::document::{Document, Position};
use crate::measure::Count;

/// What stands between headings in the text that is embedded.
const JOINT: &str = " › ";
/// Tokens that a joint may cost at most: one for each of its bytes.
const JOINT_TOKENS: usize = JOINT.len();
/// Tokens beyond those of the parts: the line's end behind the headings, begin and end of the text,
/// and a token at each edge that was cut in two.
const EDGE_TOKENS: usize = 5;

/// How long chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunker {
    /// Tokens of the text that is embedded, at most: no more than the model's context.
    pub tokens_max: usize,
    /// Tokens that a chunk repeats of the one before it, at most. More than half of the chunk's own
    /// are never repeated.
    pub overlap_tokens: usize,
}

impl Default for Chunker {
    /// What small embedding models can hold (512 tokens), and a sentence or two of overlap.
    fn default() -> Self {
        Self { tokens_max: 512, overlap_tokens: 48 }
    }
}

/// A passage of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its text as it stands in the document; headings of sections within it are lines of it.
    pub text: String,
    /// Headings above the text, the outermost first. Outer ones are left out where they would take
    /// more than half of the tokens.
    pub headings: Vec<String>,
    /// Where it stands in the source.
    pub position: Position,
    /// Its number among the document's chunks, from 0.
    pub ordinal: usize,
}

impl Chunk {
    /// The text that is to be embedded: headings joined by ` › `, a line's end, the text.
    #[must_use]
    pub fn embedded_text(&self) -> String {
        match self.headings.is_empty() {
            true => self.text.clone(),
            false => format!("{}\n{}", self.headings.join(JOINT), self.text),
        }
    }
}

/// Cuts a document into chunks of at most `chunker.tokens_max` tokens, counted by `count` for the
/// whole text that is embedded; only a single character that alone has more is a longer chunk.
///
/// A chunk never reaches from one section into another, unless both are small and stand side by side
/// under the same heading. Code blocks stay whole where they fit. Overlaps start with a sentence or a
/// line, else with a word. The same input gives the same chunks.
pub fn cut(document: &Document, chunker: &Chunker, count: &impl Count) -> Vec<Chunk> {
    let cutter = Cutter { document, chunker, count };
    let mut chunks = vec![];
    for group in
        groups::of(document, chunker.tokens_max, |headings, body| cutter.whole(headings, body))
    {
        cutter.cut(&group, &mut chunks);
    }
    chunks
}

struct Cutter<'a, C> {
    document: &'a Document,
    chunker: &'a Chunker,
    count: &'a C,
}

impl<C: Count> Cutter<'_, C> {
    fn tokens(&self, part: &Range<usize>) -> usize {
        self.count.count(&self.document.text[part.clone()])
    }

    /// Tokens of a part with headings above it.
    fn whole(&self, headings: &[Range<usize>], body: &Range<usize>) -> usize {
        self.above(headings) + self.tokens(body)
    }

    fn above(&self, headings: &[Range<usize>]) -> usize {
        let own: usize = headings.iter().map(|heading| self.tokens(heading)).sum();
        own + headings.len().saturating_sub(1) * JOINT_TOKENS + EDGE_TOKENS
    }

    fn cut(&self, group: &Group, chunks: &mut Vec<Chunk>) {
        let headings = self.short_headings(&group.headings);
        let budget = self.chunker.tokens_max.saturating_sub(self.above(headings)).max(1);
        let body = Body::new(&self.document.text, group.body.clone(), group.form);
        let (mut start, mut done) = (group.body.start, group.body.start);
        while done < group.body.end {
            let mut end = self.end(&body, start..done, budget);
            if end <= done {
                // The overlap left no room.
                start = done;
                end = self.end(&body, start..done, budget);
            }
            self.add(headings, start..end, chunks);
            done = body.skip_white(end);
            start = self.overlap(&body, start..end, budget).unwrap_or(done);
        }
    }

    /// Headings without the outermost, until they leave half of a chunk to its text.
    fn short_headings<'h>(&self, mut headings: &'h [Range<usize>]) -> &'h [Range<usize>] {
        while !headings.is_empty() && self.above(headings) > self.chunker.tokens_max / 2 {
            headings = &headings[1..];
        }
        headings
    }

    /// The best end of a chunk that repeats `repeated` and starts with it.
    fn end(&self, body: &Body<'_>, repeated: Range<usize>, budget: usize) -> usize {
        let start = repeated.start;
        let fits = |end: usize| self.tokens(&(start..end)) <= budget;
        let furthest = body.furthest(start, budget, fits);
        let best = body.best_end(start, repeated.end, furthest);
        if fits(best) || best <= repeated.end { best } else { furthest }
    }

    /// Where the chunk behind `chunk` starts, if it repeats anything of it.
    fn overlap(&self, body: &Body<'_>, chunk: Range<usize>, budget: usize) -> Option<usize> {
        let overlap = self.chunker.overlap_tokens.min(budget / 2);
        if overlap == 0 || chunk.end >= body.place.end {
            return None;
        }
        let earliest = body.earliest(&chunk, |start| self.tokens(&(start..chunk.end)) <= overlap);
        body.best_start(earliest..chunk.end)
    }

    fn add(&self, headings: &[Range<usize>], part: Range<usize>, chunks: &mut Vec<Chunk>) {
        let text = self.document.text[part.clone()].trim_end();
        if text.trim().is_empty() {
            return;
        }
        let text_of = |heading: &Range<usize>| self.document.text[heading.clone()].to_owned();
        chunks.push(Chunk {
            text: text.to_owned(),
            headings: headings.iter().map(text_of).collect(),
            position: self.document.position(&(part.start..part.start + text.len())),
            ordinal: chunks.len(),
        });
    }
}

#[cfg(test)]
mod tests;
