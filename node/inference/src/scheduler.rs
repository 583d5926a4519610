//! Which tokens the next step computes. Pure: it knows no model.
//!
//! Running sequences come first, one token each, so that no prompt stalls a stream; what is left of
//! the batch goes to prompts in the order of arrival. A sequence whose reader lags is left out until
//! its queue has room. Behind a running sequence's token the step may carry guesses of what follows:
//! they are confirmed or dropped when the step is sampled. The rows of a picture are a step of their
//! own, after that of the tokens.
//!
//! A sequence keeps its tokens when its request ends; see the module `prefix` for how the next
//! request finds them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::answer::{Delivery, Step, TokenScores};
use crate::batch::OUTPUTS_EXTRA;
use crate::draft::Reader;
use crate::ffi::Chunk;
use crate::guess::{self, Luck};
use crate::picture::{CELL, Reading};
use crate::plan::{CacheChange, Glance, Plan};
use crate::prefix;
pub(crate) use crate::slot::Job;
use crate::slot::{Run, Slot};
use crate::{ComputeError, Token};

/// With more streams a step has no time to spare for guesses: computing, not reading the weights, is
/// what it waits for.
const GUESSING_STREAMS_MAX: usize = 4;

/// What the scheduler asks of whatever chooses a request's tokens.
pub(crate) trait Choose {
    /// Tokens that will follow for certain, or nearly so.
    fn foreseen(&mut self) -> Vec<Token>;
}

/// The sizes that bound a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Sequences at once.
    pub(crate) sequences_max: u32,
    /// Tokens one sequence may hold.
    pub(crate) context_tokens: u32,
    /// Tokens of one step.
    pub(crate) batch_tokens: u32,
    /// Prompt tokens of a step that also carries streams.
    pub(crate) prompt_tokens_beside_streams: u32,
    /// What may be done with the cache.
    pub(crate) abilities: Abilities,
}

/// What model and config allow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Abilities {
    /// A sequence can be cut back, so that prompts share beginnings and guesses can be dropped.
    pub(crate) cuts: bool,
    /// Guess from the text so far.
    pub(crate) guesses: bool,
    /// A full context forgets its middle.
    pub(crate) shifts: bool,
    /// The rows of a picture see each other and must be computed in one step.
    pub(crate) whole_pictures: bool,
}

/// All requests of one engine.
pub(crate) struct Scheduler<S> {
    slots: Vec<Slot<S>>,
    /// Sequences in the order in which their requests came.
    order: Vec<u32>,
    waiting: VecDeque<Job<S>>,
    changes: Vec<CacheChange>,
    /// Tokens found in the cache, for each request that found some since the last look.
    found: Vec<usize>,
    clock: u64,
    bounds: Bounds,
}

impl<S: Choose> Scheduler<S> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let slots = (0..bounds.sequences_max).map(|_| Slot::default()).collect();
        let (order, waiting, changes) = (vec![], VecDeque::new(), vec![]);
        Self { slots, order, waiting, changes, found: vec![], clock: 0, bounds }
    }

    /// Takes a request; it waits until a sequence is free.
    pub(crate) fn add(&mut self, job: Job<S>) {
        self.waiting.push_back(job);
    }

    /// Sequences in use.
    pub(crate) fn active(&self) -> usize {
        self.order.len()
    }

    /// The changes of the cache that came up since the last call, in their order.
    pub(crate) fn take_changes(&mut self) -> Vec<CacheChange> {
        std::mem::take(&mut self.changes)
    }

    /// Tokens found in the cache by each request that found some since the last call.
    pub(crate) fn take_found(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.found)
    }

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
        while let Some(job) = self.waiting.pop_front() {
            let shares = self.bounds.abilities.cuts && !job.scores_prompt;
            // One token is computed anew: its logits are needed.
            let reusable = if shares { job.prompt.len() - 1 } else { 0 };
            let candidates: Vec<_> = self.slots.iter().map(Slot::candidate).collect();
            let prompt = Reading { tokens: &job.prompt, spots: &job.spots };
            let Some(place) = prefix::place(&candidates, prompt, reusable) else {
                self.waiting.push_front(job);
                break;
            };
            self.seat(place, job);
        }
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
        slot.computed = place.kept;
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
        let common = source.reading().common(own);
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

    /// The running sequences for which another model may guess, in order.
    pub(crate) fn readers(&mut self) -> Vec<Reader> {
        let streams = self.streams();
        if !self.bounds.abilities.cuts || streams.len() > GUESSING_STREAMS_MAX {
            return vec![];
        }
        let mut readers = vec![];
        for sequence in streams {
            let slot = &mut self.slots[sequence as usize];
            let limit = slot.guesses_max(&self.bounds);
            // A small model has no eyes.
            let reads = slot.spots.is_empty();
            let run = slot.run.as_mut().expect("a stream is in use");
            if reads && limit > 0 && run.luck.tries() {
                let (tokens, guess) = (slot.tokens.clone(), vec![]);
                readers.push(Reader { sequence, tokens, limit, guess });
            }
        }
        readers
    }

    /// Sequences that compute their next token.
    fn streams(&self) -> Vec<u32> {
        let can_stream = |id: &u32| self.slots[*id as usize].can_stream();
        self.order.iter().copied().filter(can_stream).collect()
    }

    /// Guesses what follows in the running sequences, where another model has not.
    fn guess(&mut self, streams: &[u32], readers: &mut [Reader]) {
        let mut room = OUTPUTS_EXTRA as usize;
        let looks_up = self.bounds.abilities.guesses && streams.len() <= GUESSING_STREAMS_MAX;
        for id in streams {
            let slot = &mut self.slots[*id as usize];
            let limit = slot.guesses_max(&self.bounds).min(room);
            let run = slot.run.as_mut().expect("a stream is in use");
            let mut guess = run.job.sampler.foreseen();
            let drafted = readers.iter_mut().find(|reader| reader.sequence == *id);
            if let Some(drafted) = drafted.filter(|_| guess.is_empty()) {
                guess = std::mem::take(&mut drafted.guess);
            } else if guess.is_empty() && looks_up && run.luck.tries() {
                guess = guess::lookup(&slot.tokens, limit).to_vec();
            }
            let words = guess.iter().take_while(|token| **token != CELL).count();
            guess.truncate(words.min(limit));
            room -= guess.len();
            run.guess = guess;
        }
    }

    /// The next step, with what another model guessed; empty if nothing can be computed now.
    pub(crate) fn plan(&mut self, mut readers: Vec<Reader>) -> Plan {
        let streams = self.streams();
        if self.bounds.abilities.cuts {
            self.guess(&streams, &mut readers);
        }
        let mut chunks = vec![0; self.slots.len()];
        let mut room = self.bounds.batch_tokens as usize;
        for id in &streams {
            room -= 1;
            chunks[*id as usize] = 1;
        }
        for id in &streams {
            let guesses = self.run(*id).guess.len().min(room);
            self.run_mut(*id).guess.truncate(guesses);
            room -= guesses;
            chunks[*id as usize] += guesses;
        }
        if !streams.is_empty() {
            room = room.min(self.bounds.prompt_tokens_beside_streams as usize);
        }
        let mut scores = OUTPUTS_EXTRA as usize - self.guesses();
        for id in &self.order {
            let slot = &self.slots[*id as usize];
            let mut chunk = slot.prompt_left().min(room);
            if slot.run.as_ref().is_some_and(|run| run.job.scores_prompt) {
                chunk = chunk.min(scores);
                scores -= chunk;
            }
            if chunk > 0 {
                chunks[*id as usize] = chunk;
                room -= chunk;
            }
        }
        self.step(&chunks)
    }

    fn guesses(&self) -> usize {
        self.order.iter().map(|id| self.run(*id).guess.len()).sum()
    }

    fn step(&self, chunks: &[usize]) -> Plan {
        let mut plan = Plan::default();
        for (id, chunk) in (0..).zip(chunks) {
            if *chunk > 0 {
                self.slots[id as usize].append(&mut plan, id, *chunk);
            }
        }
        plan
    }

    /// The rows of a picture to compute next, of the request that came first.
    pub(crate) fn glance(&self) -> Option<Glance> {
        let streams = self.order.iter().any(|id| self.slots[*id as usize].can_stream());
        let mut room = self.bounds.batch_tokens as usize;
        if streams && !self.bounds.abilities.whole_pictures {
            room = room.min(self.bounds.prompt_tokens_beside_streams as usize);
        }
        self.order.iter().find_map(|id| {
            let slot = &self.slots[*id as usize];
            let (number, spot) = slot.picture_left()?;
            let first = slot.computed - spot.start;
            let rows = (spot.cells - first).min(room);
            let position = slot.reading().position(spot.start);
            Some(Glance { sequence: *id, number, spot, first, rows, position })
        })
    }

    /// What is to be encoded for a picture.
    pub(crate) fn chunk(&self, glance: &Glance) -> Arc<Chunk> {
        Arc::clone(&self.run(glance.sequence).job.chunks[glance.number])
    }

    /// Notes that rows of a picture were computed.
    pub(crate) fn looked(&mut self, glance: &Glance) {
        self.slots[glance.sequence as usize].computed += glance.rows;
    }

    /// The sampler of a sequence.
    pub(crate) fn sampler(&mut self, id: u32) -> &mut S {
        &mut self.run_mut(id).job.sampler
    }

    /// Notes that a step was computed.
    pub(crate) fn computed(&mut self, plan: &Plan) {
        for entry in &plan.entries {
            let slot = &mut self.slots[entry.sequence as usize];
            if slot.computed < slot.tokens.len() {
                slot.computed += 1;
            } else {
                slot.loose += 1;
            }
        }
    }

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
        let run = slot.run.as_ref().expect("as above");
        let end = if is_end { Some(Step::EndOfGeneration(token)) } else { None };
        if end.is_none() {
            run.job.outlet.push(delivery);
        }
        let Some(end) = end.or_else(|| self.end_after(id)) else { return is_confirmed };
        self.run(id).job.outlet.push(end.into());
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
        (slot.computed, slot.loose) = (0, 0);
        if slot.run.is_none() {
            slot.truncate();
        }
        self.changes.push(CacheChange::Keep { sequence, tokens: 0 });
    }

    fn release(&mut self, id: u32) {
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

    fn run(&self, id: u32) -> &Run<S> {
        self.slots[id as usize].run.as_ref().expect("a sequence in `order` is in use")
    }

    fn run_mut(&mut self, id: u32) -> &mut Run<S> {
        self.slots[id as usize].run.as_mut().expect("a sequence in a plan is in use")
    }
}

/// A token chosen from an output.
pub(crate) struct Sampled {
    /// The token.
    pub(crate) token: Token,
    /// It ends the answer.
    pub(crate) is_end: bool,
    /// What the step took to follow.
    pub(crate) guess: Option<Token>,
    /// What the reader gets.
    pub(crate) delivery: Delivery,
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "scheduler_cache_tests.rs"]
mod cache_tests;

#[cfg(test)]
#[path = "scheduler_picture_tests.rs"]
mod picture_tests;
