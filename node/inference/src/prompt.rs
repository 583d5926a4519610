//! What a model reads: tokens and pictures.

use std::sync::Arc;

use crate::Token;
use crate::ffi::Chunk;
use crate::picture::{CELL, Key, Spot};

/// A prompt: tokens and, between them, pictures.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// [`CELL`] for each row of a picture.
    pub(crate) tokens: Vec<Token>,
    pub(crate) spots: Vec<Spot>,
    /// What is to be encoded, for each of `spots`.
    pub(crate) chunks: Vec<Arc<Chunk>>,
}

impl Prompt {
    /// Adds tokens.
    pub fn push(&mut self, tokens: &[Token]) {
        self.tokens.extend_from_slice(tokens);
    }

    /// Adds a picture.
    pub fn push_picture(&mut self, picture: &Sight) {
        for part in &picture.0 {
            match part {
                Part::Text(tokens) => self.push(tokens),
                Part::Rows { key, rows, places, chunk } => {
                    let (start, cells) = (self.tokens.len(), *rows);
                    self.spots.push(Spot { start, cells, places: *places, key: *key });
                    self.chunks.push(Arc::clone(chunk));
                    self.tokens.resize(start + cells, CELL);
                }
            }
        }
    }

    /// How much of the context it takes: its tokens, and a row of a picture counts as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Its tokens alone.
    pub(crate) fn text(&self) -> Vec<Token> {
        let starts = std::iter::once(0).chain(self.spots.iter().map(Spot::end));
        let ends = self.spots.iter().map(|spot| spot.start).chain([self.tokens.len()]);
        starts.zip(ends).flat_map(|(start, end)| &self.tokens[start..end]).copied().collect()
    }
}

impl From<Vec<Token>> for Prompt {
    fn from(tokens: Vec<Token>) -> Self {
        Self { tokens, ..Self::default() }
    }
}

/// A picture as a model is going to read it.
#[derive(Clone, Debug)]
pub struct Sight(pub(crate) Vec<Part>);

/// A part of a picture as a model reads it.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Tokens around it, such as a mark of its beginning.
    Text(Vec<Token>),
    /// Rows that the projector will make.
    Rows {
        /// Which picture it is.
        key: Key,
        /// How many.
        rows: usize,
        /// Positions that they take.
        places: usize,
        /// What is to be encoded.
        chunk: Arc<Chunk>,
    },
}
