//! A small model that guesses what a larger one will say.
//!
//! It reads along: each sequence has its counterpart in the small model's cache. Guesses are its
//! likeliest tokens, as long as it is sure of them; the large model checks them in its next step.

use crate::batch::Entry;
use crate::ffi::Context;
use crate::prefix::common_tokens;
use crate::{ComputeError, Token};

/// Below this probability the small model's guess would come true too seldom to pay for checking.
const SURE: f64 = 0.5;

/// Tokens guessed at once at most.
pub(crate) const DRAFT_TOKENS_MAX: usize = 6;

/// The small model.
pub(crate) struct Draft {
    context: Context,
    /// What is computed, by sequence.
    computed: Vec<Vec<Token>>,
}

/// A sequence whose next tokens are to be guessed.
pub(crate) struct Reader {
    /// The sequence.
    pub(crate) sequence: u32,
    /// All its tokens.
    pub(crate) tokens: Vec<Token>,
    /// Tokens to guess at most.
    pub(crate) limit: usize,
    /// The guesses so far.
    pub(crate) guess: Vec<Token>,
}

impl Draft {
    /// A draft for so many sequences.
    pub(crate) fn new(context: Context, sequences_max: u32) -> Self {
        let computed = (0..sequences_max).map(|_| vec![]).collect();
        Self { context, computed }
    }

    /// Guesses for each reader.
    ///
    /// # Errors
    /// The small model failed; what it had computed is forgotten.
    pub(crate) fn guess(&mut self, readers: &mut [Reader]) -> Result<(), ComputeError> {
        let guessed = self.try_guess(readers);
        if guessed.is_err() {
            for sequence in 0..self.computed.len() {
                self.computed[sequence].clear();
                self.context.forget(u32::try_from(sequence).expect("at most 256 sequences"));
            }
        }
        guessed
    }

    fn try_guess(&mut self, readers: &mut [Reader]) -> Result<(), ComputeError> {
        for reader in readers.iter_mut() {
            self.catch_up(reader)?;
        }
        for _ in 0..DRAFT_TOKENS_MAX {
            let mut going: Vec<&mut Reader> =
                readers.iter_mut().filter(|reader| reader.guess.len() < reader.limit).collect();
            if going.is_empty() {
                break;
            }
            self.step(&mut going)?;
        }
        Ok(())
    }

    /// Computes what the sequence has got since the last time, but for its last token.
    fn catch_up(&mut self, reader: &Reader) -> Result<(), ComputeError> {
        let computed = &mut self.computed[reader.sequence as usize];
        let (_, known) = reader.tokens.split_last().expect("a stream has tokens");
        let common = common_tokens(computed, known);
        if computed.len() > common {
            computed.truncate(common);
            if !self.context.keep(reader.sequence, common) {
                self.context.forget(reader.sequence);
                computed.clear();
            }
        }
        while computed.len() < known.len() {
            let start = computed.len();
            let end = known.len().min(start + self.context.batch_tokens());
            let entries: Vec<Entry> = (start..end)
                .map(|index| entry(reader.sequence, index, known[index], false))
                .collect();
            self.context.decode(&entries).map_err(ComputeError::Decode)?;
            computed.extend_from_slice(&known[start..end]);
        }
        Ok(())
    }

    /// One more guess for each; one who is not sure gets no more.
    fn step(&mut self, readers: &mut [&mut Reader]) -> Result<(), ComputeError> {
        readers.sort_unstable_by_key(|reader| reader.sequence);
        let mut entries = vec![];
        for reader in readers.iter() {
            let last = reader.guess.last().or(reader.tokens.last()).expect("a stream has tokens");
            let computed = &mut self.computed[reader.sequence as usize];
            entries.push(entry(reader.sequence, computed.len(), *last, true));
            computed.push(*last);
        }
        self.context.decode(&entries).map_err(ComputeError::Decode)?;
        for (index, reader) in readers.iter_mut().enumerate() {
            let logits = self.context.logits(index).ok_or(ComputeError::NotFinite)?;
            match surest(logits) {
                Some(token) => reader.guess.push(token),
                None => reader.limit = reader.guess.len(),
            }
        }
        Ok(())
    }
}

fn entry(sequence: u32, index: usize, token: Token, output: bool) -> Entry {
    let position = u32::try_from(index).expect("a context is below 2^32 tokens");
    Entry { token, position, sequence, output }
}

/// The likeliest token, if the model is sure of it.
fn surest(logits: &[f32]) -> Option<Token> {
    let (id, best) = (0..).zip(logits).max_by(|(_, left), (_, right)| left.total_cmp(right))?;
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - best).exp()).sum();
    (sum.is_finite() && 1.0 / sum >= SURE).then_some(Token(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sure_token_is_a_guess() {
        assert_eq!(surest(&[]), None);
        assert_eq!(surest(&[f32::NAN, 1.0]), None);
        assert_eq!(surest(&[1.0, 1.0, 1.1]), None);
        assert_eq!(surest(&[0.0, 5.0, 1.0]), Some(Token(1)));
    }
}
