//! The thread that turns texts into vectors, or pairs into scores, many in one step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::batch::Entry;
use crate::counters::Counters;
use crate::ffi::Context;
use crate::inbox::{Inbox, Seat};
use crate::queue::Outlet;
use crate::{ComputeError, Token};

/// A text to embed.
pub(crate) struct Text {
    /// Its tokens, never none and never more than a step holds.
    pub(crate) tokens: Vec<Token>,
    /// Where its vector goes.
    pub(crate) outlet: Outlet<Vec<f32>>,
    pub(crate) _seat: Seat,
}

/// What the thread owns.
pub(crate) struct Embedder {
    pub(crate) context: Context,
    pub(crate) inbox: Arc<Inbox<Text>>,
    pub(crate) counters: Arc<Counters>,
    /// Tokens of one step, at least the longest text.
    pub(crate) batch_tokens: usize,
    /// Texts of one step.
    pub(crate) texts_max: usize,
    /// What comes out is a vector, to be made one long, and no score.
    pub(crate) normalizes: bool,
}

impl Embedder {
    /// Computes until the inbox is closed.
    pub(crate) fn run(mut self) {
        let mut waiting = VecDeque::new();
        while let Some(texts) = self.inbox.take() {
            waiting.extend(texts);
            self.drop_abandoned(&mut waiting);
            let lengths = waiting.iter().map(|text: &Text| text.tokens.len());
            let count = fitting(lengths, self.batch_tokens, self.texts_max);
            let batch: Vec<Text> = waiting.drain(..count).collect();
            self.counters.active.store(u32::try_from(count).unwrap_or(u32::MAX), Relaxed);
            if batch.is_empty() {
                self.inbox.wait();
            } else {
                self.step(batch);
            }
        }
    }

    fn drop_abandoned(&mut self, waiting: &mut VecDeque<Text>) {
        let before = waiting.len();
        waiting.retain(|text| !text.outlet.is_abandoned());
        Counters::add(&self.counters.cancelled, before - waiting.len());
    }

    fn step(&mut self, batch: Vec<Text>) {
        let entries: Vec<Entry> =
            (0..).zip(&batch).flat_map(|(id, text)| entries(id, text)).collect();
        Counters::add(&self.counters.decode_steps, 1);
        if let Err(code) = self.context.embed(&entries) {
            tracing::error!(code, tokens = entries.len(), "an embedding step failed");
            batch.iter().for_each(|text| text.outlet.fail(ComputeError::Decode(code)));
        } else {
            Counters::add(&self.counters.prompt_tokens, entries.len());
            (0..).zip(&batch).for_each(|(id, text)| self.hand_out(id, text));
        }
        (0..).zip(&batch).for_each(|(id, _)| self.context.forget(id));
    }

    fn hand_out(&self, sequence: u32, text: &Text) {
        let finished = if self.normalizes { normalized } else { finite };
        match self.context.embedding(sequence).and_then(finished) {
            Some(vector) => {
                Counters::add(&self.counters.embeddings, 1);
                text.outlet.push(vector);
            }
            None => text.outlet.fail(ComputeError::NotFinite),
        }
    }
}

/// How many texts of these lengths, from the first on, fit one step.
fn fitting(lengths: impl Iterator<Item = usize>, batch_tokens: usize, texts_max: usize) -> usize {
    let mut room = batch_tokens;
    lengths
        .take(texts_max)
        .take_while(|tokens| {
            let fits = *tokens <= room;
            room = room.saturating_sub(*tokens);
            fits
        })
        .count()
}

fn entries(sequence: u32, text: &Text) -> impl Iterator<Item = Entry> {
    (0..).zip(&text.tokens).map(move |(position, token)| Entry {
        token: *token,
        position,
        sequence,
        output: true,
    })
}

/// The vector at length one; `None` if it has no direction.
fn normalized(vector: &[f32]) -> Option<Vec<f32>> {
    let square: f64 = vector.iter().map(|number| f64::from(*number) * f64::from(*number)).sum();
    let length = square.sqrt();
    let has_direction = length.is_finite() && length > 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "a vector of floats stays one")]
    has_direction
        .then(|| vector.iter().map(|number| (f64::from(*number) / length) as f32).collect())
}

/// The numbers as they are; `None` if one is no number.
fn finite(numbers: &[f32]) -> Option<Vec<f32>> {
    numbers.iter().all(|number| number.is_finite()).then(|| numbers.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fill_a_step_in_order() {
        assert_eq!(fitting([].into_iter(), 10, 4), 0);
        assert_eq!(fitting([10, 1].into_iter(), 10, 4), 1);
        assert_eq!(fitting([4, 6, 1].into_iter(), 10, 4), 2);
        assert_eq!(fitting([1; 9].into_iter(), 10, 4), 4);
    }

    #[test]
    fn a_text_that_does_not_fit_holds_back_those_behind_it() {
        assert_eq!(fitting([6, 8, 1].into_iter(), 10, 4), 1);
    }

    #[test]
    fn a_vector_gets_length_one() {
        assert_eq!(normalized(&[3.0, -4.0]), Some(vec![0.6, -0.8]));
    }

    #[test]
    fn a_vector_without_direction_is_refused() {
        assert_eq!(normalized(&[0.0, 0.0]), None);
        assert_eq!(normalized(&[f32::NAN, 1.0]), None);
        assert_eq!(normalized(&[f32::INFINITY, 1.0]), None);
    }

    #[test]
    fn a_score_stays_what_it_is_but_for_one_that_is_no_number() {
        assert_eq!(finite(&[-3.5]), Some(vec![-3.5]));
        assert_eq!(finite(&[f32::NAN]), None);
    }
}
