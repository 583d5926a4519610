//! What comes of a step: sampled tokens, confirmed guesses, ends and failures.

use super::{Choose, Sampled, Scheduler};
use crate::ComputeError;
use crate::answer::{Delivery, Step, TokenScores};
use crate::plan::{CacheChange, Plan};

impl<S: Choose> Scheduler<S> {
    /// Takes the token sampled from an output of the step. True: the next output of this sequence
    /// counts too, for the token was the guess.
    pub(crate) fn sampled(&mut self, id: u32, sampled: Sampled) -> bool {
        let Sampled { token, is_end, guess, delivery } = sampled;
        let is_confirmed = guess == Some(token);
        let slot = &mut self.slots[id as usize];
        let run = slot.run.as_mut().expect("a sampled sequence is in use");
        run.generated += 1;
        slot.tokens.push(token);
        if is_confirmed {
            slot.computed += 1;
            slot.loose -= 1;
        }
        let end = if is_end {
            // What came along with the token goes along with the end.
            Some(Delivery { step: Step::EndOfGeneration(token), scores: None, ..delivery })
        } else {
            run.job.outlet.push(delivery);
            self.end_after(id).map(Delivery::from)
        };
        let Some(end) = end else { return is_confirmed };
        self.run(id).job.outlet.push(end);
        self.release(id);
        false
    }

    /// Drops what was guessed wrong in a step, once all its outputs were looked at.
    pub(crate) fn settle(&mut self, plan: &Plan) {
        for sequence in plan.sequences() {
            let slot = &mut self.slots[sequence as usize];
            let guessed = slot.run.as_mut().map_or(0, |run| std::mem::take(&mut run.guess).len());
            if guessed > 0
                && let Some(run) = &mut slot.run
            {
                run.luck.note(guessed, guessed - slot.loose);
            }
            if std::mem::take(&mut slot.loose) > 0 {
                self.changes.push(slot.kept(sequence));
            }
        }
    }

    /// Ends a sequence whose prompt was all that was asked for.
    pub(crate) fn end_at_prompt(&mut self, id: u32, prompt_scores: Vec<TokenScores>) {
        let end = Delivery { prompt_scores, ..Step::LimitReached.into() };
        self.run(id).job.outlet.push(end);
        self.release(id);
    }

    /// Whether a sequence's request wants no token at all.
    pub(crate) fn wants_no_token(&self, id: u32) -> bool {
        self.run(id).job.tokens_max == 0
    }

    /// Ends the sequences of a step that could not be computed; what they hold is lost.
    pub(crate) fn fail(&mut self, plan: &Plan, error: &ComputeError) {
        plan.sequences().for_each(|id| self.fail_one(id, error.clone()));
    }

    /// Ends one sequence with an error; what it holds is lost.
    pub(crate) fn fail_one(&mut self, id: u32, error: ComputeError) {
        self.run(id).job.outlet.fail(error);
        self.release(id);
        self.lose(id);
    }

    /// A sequence's cache is gone: it is computed anew.
    pub(crate) fn lose(&mut self, sequence: u32) {
        let slot = &mut self.slots[sequence as usize];
        (slot.computed, slot.loose, slot.pure) = (0, 0, usize::MAX);
        if slot.run.is_none() {
            slot.truncate();
        }
        self.changes.push(CacheChange::Keep { sequence, tokens: 0 });
    }

    pub(super) fn release(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        slot.run = None;
        if slot.truncate() {
            self.changes.push(slot.kept(id));
        }
        self.clock += 1;
        slot.used = self.clock;
        self.order.retain(|other| *other != id);
        if !self.bounds.abilities.cuts {
            self.lose(id);
        }
    }

    /// Why nothing may follow the token just generated, if so. Makes room where the config lets it.
    fn end_after(&mut self, id: u32) -> Option<Step> {
        let slot = &mut self.slots[id as usize];
        let run = slot.run.as_ref().expect("a sampled sequence is in use");
        if run.generated >= run.job.tokens_max {
            return Some(Step::LimitReached);
        }
        if slot.tokens.len() < self.bounds.context_tokens as usize {
            return None;
        }
        // Guesses behind this token would be left at their old places.
        if !self.bounds.abilities.shifts || slot.loose > 0 || !slot.spots.is_empty() {
            return Some(Step::ContextFull);
        }
        let (kept, dropped) = slot.shift();
        self.changes.push(CacheChange::Shift { sequence: id, kept, dropped });
        None
    }
}
