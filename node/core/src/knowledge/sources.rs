//! What an answer rests on, as it is found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Citation, Passage};

/// A search that was made for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// What was looked for.
    pub query: String,
    /// What was found, best first, whether or not there was room for it.
    pub passages: Vec<Passage>,
}

/// The passages that a request's answers were given. Clones share them: an answer that searches for
/// itself adds to them until its end.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `None`: no knowledge base was asked.
    found: Arc<Mutex<Option<Vec<Citation>>>>,
    searches: Arc<Mutex<Vec<Searched>>>,
    grow: bool,
}

impl Sources {
    /// What was found before the answer began; empty where nothing was.
    #[must_use]
    pub fn of(citations: Vec<Citation>) -> Self {
        Self { found: Arc::new(Mutex::new(Some(citations))), ..Self::default() }
    }

    /// Those of answers that search for themselves.
    pub(super) fn growing() -> Self {
        Self { grow: true, ..Self::default() }
    }

    /// Whether more may come until the answers' end.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.grow
    }

    /// What was given so far; `None` if no knowledge base was asked.
    #[must_use]
    pub fn get(&self) -> Option<Vec<Citation>> {
        self.lock().clone()
    }

    /// The searches so far, without the first ones.
    #[must_use]
    pub fn searches(&self, without: usize) -> Vec<Searched> {
        let searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        searches.get(without..).unwrap_or_default().to_vec()
    }

    /// Notes that a knowledge base was asked, whatever it found.
    pub(super) fn note(&self, query: &str, passages: &[Passage]) {
        self.lock().get_or_insert_default();
        let search = Searched { query: query.to_owned(), passages: passages.to_vec() };
        self.searches.lock().unwrap_or_else(PoisonError::into_inner).push(search);
    }

    /// The passage as it would be cited.
    pub(super) fn cite(&self, passage: Passage) -> Citation {
        let number = number(self.lock().as_deref().unwrap_or_default(), &passage);
        Citation { number, passage }
    }

    /// Adds a passage, which keeps its number if it was given before.
    pub(super) fn add(&self, passage: Passage) -> Citation {
        let mut found = self.lock();
        let list = found.get_or_insert_default();
        let citation = Citation { number: number(list, &passage), passage };
        if citation.number > list.len() {
            list.push(citation.clone());
        }
        citation
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Citation>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(list: &[Citation], passage: &Passage) -> usize {
    let is_same = |one: &Passage| (one.id, &one.collection) == (passage.id, &passage.collection);
    let known = list.iter().find(|citation| is_same(&citation.passage));
    known.map_or(list.len() + 1, |citation| citation.number)
}
