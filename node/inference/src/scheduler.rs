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

use crate::Token;
use crate::answer::Delivery;
use crate::batch::OUTPUTS_EXTRA;
use crate::draft::Reader;
use crate::ffi::Chunk;
use crate::plan::{CacheChange, Glance, Plan};
use crate::prefix;
pub(crate) use crate::slot::Job;
use crate::slot::{Run, Slot};
use crate::toll::Toll;

mod guessing;
mod outcome;
mod seating;

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
    /// What guesses cost.
    toll: Toll,
    /// What a copy of a sequence costs, in prompt tokens.
    copy_tokens: usize,
    bounds: Bounds,
}

impl<S: Choose> Scheduler<S> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let slots = (0..bounds.sequences_max).map(|_| Slot::default()).collect();
        let (order, waiting, changes) = (vec![], VecDeque::new(), vec![]);
        let (found, toll) = (vec![], Toll::default());
        let copy_tokens = prefix::copy_tokens(bounds.context_tokens);
        Self { slots, order, waiting, changes, found, clock: 0, toll, copy_tokens, bounds }
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

    /// Sequences that compute their next token.
    fn streams(&self) -> Vec<u32> {
        let can_stream = |id: &u32| self.slots[*id as usize].can_stream();
        self.order.iter().copied().filter(can_stream).collect()
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
