//! What a step guesses behind the streams' tokens, where checking the guesses pays.

use super::{Choose, Scheduler};
use crate::batch::OUTPUTS_EXTRA;
use crate::draft::Reader;
use crate::guess;
use crate::picture::CELL;
use crate::toll::Toll;

impl<S: Choose> Scheduler<S> {
    /// Whether it guesses where guesses may come true or not.
    pub(crate) fn guesses_cost(&self) -> bool {
        self.bounds.abilities.guesses
    }

    /// From now on guesses cost so much.
    pub(crate) fn charge(&mut self, toll: Toll) {
        self.toll = toll;
    }

    /// The running sequences for which another model may guess, in order.
    pub(crate) fn readers(&mut self) -> Vec<Reader> {
        if !self.bounds.abilities.cuts {
            return vec![];
        }
        let streams = self.streams();
        let pays = self.toll.pays_from(streams.len());
        let mut readers = vec![];
        for sequence in streams {
            let slot = &mut self.slots[sequence as usize];
            let limit = slot.guesses_max(&self.bounds);
            // A small model has no eyes.
            let reads = slot.spots.is_empty();
            let run = slot.run.as_mut().expect("a stream is in use");
            if reads && limit > 0 && run.luck.tries(pays) {
                let (tokens, guess) = (slot.tokens.clone(), vec![]);
                readers.push(Reader { sequence, tokens, limit, guess });
            }
        }
        readers
    }

    /// Guesses what follows in the running sequences, where another model has not.
    pub(super) fn guess(&mut self, streams: &[u32], readers: &mut [Reader]) {
        let pays = self.toll.pays_from(streams.len());
        let mut room = OUTPUTS_EXTRA as usize;
        for id in streams {
            let slot = &mut self.slots[*id as usize];
            let limit = slot.guesses_max(&self.bounds).min(room);
            let run = slot.run.as_mut().expect("a stream is in use");
            let mut guess = run.job.sampler.foreseen();
            let drafted = readers.iter_mut().find(|reader| reader.sequence == *id);
            if let Some(drafted) = drafted.filter(|_| guess.is_empty()) {
                guess = std::mem::take(&mut drafted.guess);
            } else if guess.is_empty() && self.bounds.abilities.guesses && run.luck.tries(pays) {
                guess = guess::lookup(&slot.tokens, limit).to_vec();
            }
            let words = guess.iter().take_while(|token| **token != CELL).count();
            guess.truncate(words.min(limit));
            room -= guess.len();
            run.guess = guess;
            run.luck.pass();
        }
    }
}
