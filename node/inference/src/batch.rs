//! What one step computes.

use crate::Token;

/// One token of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The token.
    pub(crate) token: Token,
    /// Its place in its sequence, from 0.
    pub(crate) position: u32,
    /// Its sequence.
    pub(crate) sequence: u32,
    /// Its logits, or its vector, are wanted.
    pub(crate) output: bool,
}
