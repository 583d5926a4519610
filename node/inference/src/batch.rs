//! What one step computes.

use crate::Token;

/// Outputs of a step beyond one per sequence: guesses to check and prompt tokens to score. Each takes
/// a row of logits, 200 kB with a vocabulary of 50,000.
pub(crate) const OUTPUTS_EXTRA: u32 = 64;

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
