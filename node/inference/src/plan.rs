//! What one step computes, and how the cache changes before it.

use crate::Token;
use crate::batch::Entry;
use crate::picture::Spot;

/// What to sample or score after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Index of the entry in the step.
    pub(crate) entry: usize,
    /// Its sequence.
    pub(crate) sequence: u32,
    /// What is to be done with it.
    pub(crate) purpose: Purpose,
}

/// Why an entry's logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The next token; if it is the guess, the next output of this sequence counts too.
    Sample {
        /// What the step takes to follow.
        guess: Option<Token>,
    },
    /// How likely this token of the prompt was.
    Score(Token),
}

/// A change of the cache, to be made before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheChange {
    /// Only the first tokens of a sequence stay.
    Keep {
        /// The sequence.
        sequence: u32,
        /// How many; of pictures, their positions count.
        tokens: usize,
    },
    /// The first tokens of one sequence become the whole of another.
    Copy {
        /// From this sequence.
        from: u32,
        /// Into this one.
        to: u32,
        /// How many; of pictures, their positions count.
        tokens: usize,
    },
    /// Tokens in the middle of a sequence go; those behind move up.
    Shift {
        /// The sequence.
        sequence: u32,
        /// How many stay at the start.
        kept: usize,
        /// How many go.
        dropped: usize,
    },
}

/// One step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The tokens to compute, by sequence and position.
    pub(crate) entries: Vec<Entry>,
    /// What to sample or score, by entry.
    pub(crate) outputs: Vec<Output>,
    /// How many entries are prompt.
    pub(crate) prompt_tokens: usize,
    /// How many entries are guesses.
    pub(crate) guesses: usize,
}

impl Plan {
    /// The sequences of the step.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = u32> {
        self.entries
            .chunk_by(|left, right| left.sequence == right.sequence)
            .map(|run| run[0].sequence)
    }
}

/// Rows of one picture, a step of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    /// The sequence.
    pub(crate) sequence: u32,
    /// Which of the prompt's pictures.
    pub(crate) number: usize,
    /// The picture.
    pub(crate) spot: Spot,
    /// Its first row to compute.
    pub(crate) first: usize,
    /// How many rows.
    pub(crate) rows: usize,
    /// Position of the picture in the sequence.
    pub(crate) position: usize,
}
