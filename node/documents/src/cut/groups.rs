//! Which sections a chunk may hold: one, or small neighbours under the same heading.

use std::ops::Range;

use crate::document::{Document, Form, Part};

/// A section is small if it takes at most this share of a chunk.
const SMALL: usize = 4;

/// Text that chunks are cut from; none holds text of two groups.
pub struct Group {
    /// Headings above all of it.
    pub headings: Vec<Range<usize>>,
    pub body: Range<usize>,
    pub form: Form,
}

/// The groups of a document. `tokens` counts a part with headings above it.
pub fn of(
    document: &Document,
    tokens_max: usize,
    tokens: impl Fn(&[Range<usize>], &Range<usize>) -> usize,
) -> Vec<Group> {
    let mut groups = vec![];
    let mut sections = &document.sections[..];
    while let Some((first, rest)) = sections.split_first() {
        let parent = parent(first);
        let small = |part: &Part| tokens(&part.headings, &part.body) <= tokens_max / SMALL;
        let fits = |part: &Part| tokens(parent, &(first.start..part.body.end)) <= tokens_max;
        let joins = |part: &&Part| is_sibling(first, part) && small(part) && fits(part);
        let more = if small(first) { rest.iter().take_while(joins).count() } else { 0 };
        groups.push(match more.checked_sub(1) {
            Some(last) => Group {
                headings: parent.to_vec(),
                body: first.start..rest[last].body.end,
                form: first.form,
            },
            None => alone(first),
        });
        sections = &rest[more..];
    }
    groups
}

fn alone(part: &Part) -> Group {
    Group { headings: part.headings.clone(), body: part.body.clone(), form: part.form }
}

fn parent(part: &Part) -> &[Range<usize>] {
    part.headings.split_last().map_or(&[], |(_, parent)| parent)
}

/// Whether both have a heading of their own under the same one.
fn is_sibling(one: &Part, other: &Part) -> bool {
    one.headings.len() == other.headings.len()
        && !one.headings.is_empty()
        && parent(one) == parent(other)
}
