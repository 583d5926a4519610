//! The fonts of a file, as many as are kept at a time.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::{Dictionary, Document};

use super::budget::Budget;
use super::font::Font;
use crate::error::ReadError;
use crate::formats::Source;

/// Fonts that were read, within one budget for all that are kept.
pub struct Fonts<'a> {
    file: &'a Document,
    /// What stands for a font of which nothing more is said.
    plain: &'a Dictionary,
    source: &'a Source,
    /// By where they lie in memory: most pages share them.
    known: HashMap<usize, Rc<Font<'a>>>,
    budget: Budget,
}

impl<'a> Fonts<'a> {
    pub fn new(file: &'a Document, plain: &'a Dictionary, source: &'a Source) -> Self {
        let budget = Budget::new(source.limits.unpacked_bytes_max);
        Self { file, plain, source, known: HashMap::new(), budget }
    }

    /// Forgets fonts if it's time to, between pages: there, nothing else holds them.
    pub fn start_page(&mut self) {
        if self.budget.left() < self.source.limits.unpacked_bytes_max / 2 {
            *self = Self::new(self.file, self.plain, self.source);
        }
    }

    /// A font; it is read if it is not known.
    pub fn get(&mut self, font: &'a Dictionary) -> Result<Rc<Font<'a>>, ReadError> {
        let key = std::ptr::from_ref(font).addr();
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let limits = &self.source.limits;
        self.source.deadline.check(limits)?;
        let new = Font::new(self.file, font, self.plain, &mut self.budget);
        let new = Rc::new(new.map_err(|failure| failure.refusal(limits))?);
        self.known.insert(key, new.clone());
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::source;
    use crate::reader::Deadline;

    #[test]
    fn the_deadline_is_looked_at_before_a_font_is_read() {
        let (file, plain, font) = (Document::new(), Dictionary::new(), Dictionary::new());
        let mut late = source("a.pdf", b"%PDF-1.7\n");
        late.deadline = Deadline::passed();
        let mut fonts = Fonts::new(&file, &plain, &late);
        assert!(matches!(fonts.get(&font), Err(ReadError::Deadline { .. })));
    }
}
