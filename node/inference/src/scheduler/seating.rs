//! Which requests hold sequences: a free one for each that waits, and what it finds computed there.

use std::sync::atomic::Ordering::Relaxed;

use super::{Choose, Job, Scheduler, count};
use crate::guess::Luck;
use crate::picture::Reading;
use crate::plan::CacheChange;
use crate::prefix;
use crate::slot::{Run, Slot};

impl<S: Choose> Scheduler<S> {
    /// Drops requests whose reader is gone. Returns how many.
    pub(crate) fn drop_abandoned(&mut self) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|job| !job.outlet.is_abandoned());
        let is_gone = |id: &u32| self.run(*id).job.outlet.is_abandoned();
        let gone: Vec<u32> = self.order.iter().copied().filter(is_gone).collect();
        gone.iter().for_each(|id| self.release(*id));
        before - self.waiting.len() + gone.len()
    }

    /// Gives free sequences to waiting requests.
    pub(crate) fn admit(&mut self) {
        // Before a sequence that became free gets another prompt, which may wait for the very ones that
        // wait for it: they would wait for each other.
        self.share_all();
        while let Some(job) = self.waiting.pop_front() {
            let shares = self.bounds.abilities.cuts && !job.scores_prompt;
            // One token is computed anew: its logits are needed.
            let reusable = if shares { job.prompt.len() - 1 } else { 0 };
            let candidates: Vec<_> = self.slots.iter().map(Slot::candidate).collect();
            let prompt = Reading { tokens: &job.prompt, spots: &job.spots };
            let Some(place) = prefix::place(&candidates, prompt, reusable, self.copy_tokens) else {
                self.waiting.push_front(job);
                break;
            };
            self.seat(place, job);
        }
        self.share_all();
    }

    fn share_all(&mut self) {
        for index in 0..self.order.len() {
            self.share(self.order[index]);
        }
    }

    fn seat(&mut self, place: prefix::Place, mut job: Job<S>) {
        let sequence = place.sequence;
        let slot = &mut self.slots[sequence as usize];
        let is_cut = slot.computed > place.kept;
        slot.tokens = std::mem::take(&mut job.prompt);
        slot.spots = std::mem::take(&mut job.spots);
        // What is kept of another text was all pure.
        (slot.computed, slot.pure) = (place.kept, usize::MAX);
        if is_cut {
            self.changes.push(slot.kept(sequence));
        }
        let (guess, luck) = (vec![], Luck::default());
        slot.run = Some(Run { job, generated: 0, guess, luck, awaits: place.source });
        self.order.push(sequence);
        if place.source.is_none() {
            self.note_found(sequence);
        }
    }

    fn note_found(&mut self, id: u32) {
        let cached = self.slots[id as usize].computed;
        self.run(id).job.cached_tokens.store(count(cached), Relaxed);
        if cached > 0 {
            self.found.push(cached);
        }
    }

    /// Copies the beginning that a prompt waits for, if it is computed by now. A source that stopped
    /// on its way, or went to another prompt, gives what it has in common.
    fn share(&mut self, id: u32) {
        let Some((from, wanted)) = self.run(id).awaits else { return };
        let source = &self.slots[from as usize];
        let own = self.slots[id as usize].reading();
        let common = source.offer().common(own);
        if source.is_prompting() && common >= wanted && source.computed < wanted {
            return;
        }
        let computed = own.cut(common.min(source.computed).min(wanted));
        let slot = &mut self.slots[id as usize];
        if computed > slot.computed {
            slot.computed = computed;
            let tokens = slot.reading().position(computed);
            self.changes.push(CacheChange::Copy { from, to: id, tokens });
        }
        self.run_mut(id).awaits = None;
        self.note_found(id);
    }
}
